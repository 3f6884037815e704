"""Bootstrap intervals: against Student, the definition, and data with known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from harness.stats.bootstrap import studentised_bootstrap
from tests.benchmarks.stats_coverage import SCENARIOS, coverage


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_bootstrap_agrees_with_student_on_normal_data() -> None:
    values = rng().normal(0.3, 1.0, size=(400, 3))
    found = studentised_bootstrap(values, rng=rng(1))
    half = reference.t.ppf(0.975, 399) * values.std(axis=0, ddof=1) / 20
    np.testing.assert_allclose(found.mean, values.mean(axis=0))
    np.testing.assert_allclose(found.low, values.mean(axis=0) - half, atol=0.15 * half.max())
    np.testing.assert_allclose(found.high, values.mean(axis=0) + half, atol=0.15 * half.max())
    assert not found.adjusted.any()


def test_bootstrap_is_its_definition_on_skewed_data() -> None:
    values = rng(3).gamma(2.0, size=60)
    found = studentised_bootstrap(values[:, None], rng=rng(4), resamples=20_000)
    # The definition, one resample at a time.
    generator, t = rng(5), []
    mean, se = values.mean(), values.std(ddof=1) / math.sqrt(60)
    for _ in range(20_000):
        again = generator.choice(values, 60)
        t.append((again.mean() - mean) / (again.std(ddof=1) / math.sqrt(60)))
    low, high = mean - np.quantile(t, 0.975) * se, mean - np.quantile(t, 0.025) * se
    assert found.low[0] == pytest.approx(low, abs=0.03)
    assert found.high[0] == pytest.approx(high, abs=0.06)


def test_missing_rows_leave_only_their_own_column() -> None:
    values = rng().normal(size=(80, 2))
    holes = values.copy()
    holes[:30, 1] = np.nan
    found = studentised_bootstrap(holes, rng=rng(1))
    assert found.n.tolist() == [80, 50]
    assert found.mean[1] == pytest.approx(values[30:, 1].mean())
    alone = studentised_bootstrap(values[30:, 1:], rng=rng(2))
    assert found.low[1] == pytest.approx(alone.low[0], abs=0.05)
    assert found.high[1] == pytest.approx(alone.high[0], abs=0.05)


def test_same_seed_same_interval_and_other_seed_nearly() -> None:
    values = rng().normal(size=(60, 4))
    first, second, third = (studentised_bootstrap(values, rng=rng(s)) for s in (1, 1, 2))
    np.testing.assert_array_equal(first.low, second.low)
    assert not np.array_equal(first.low, third.low)
    np.testing.assert_allclose(first.low, third.low, atol=0.03)


def test_equal_values_do_not_give_an_interval_of_zero_width() -> None:
    found = studentised_bootstrap(np.zeros((24, 1)), rng=rng(), low=-1, high=1)
    assert found.adjusted.all()
    assert found.low[0] < -0.03 < 0.03 < found.high[0]
    # About what the rule of three gives for an event not seen in 24 prompts.
    assert found.high[0] == pytest.approx(3 / 24, rel=0.5)


@pytest.mark.parametrize("rows", [0, 1])
def test_too_few_rows_give_no_interval(rows: int) -> None:
    found = studentised_bootstrap(np.full((rows, 1), 0.5), rng=rng())
    assert np.isnan(found.low[0])
    assert np.isnan(found.se[0])
    assert found.n[0] == rows


def test_intervals_stay_on_the_scale() -> None:
    values = np.where(rng().random((200, 1)) < 0.97, 5.0, 4.0)
    found = studentised_bootstrap(values, rng=rng(), low=1, high=5)
    assert found.high[0] <= 5


def test_wrong_shape_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        studentised_bootstrap(np.zeros(3), rng=rng())


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_intervals_cover_the_truth(scenario: str) -> None:
    """The small proof; tests/benchmarks/stats_coverage.py runs 2,000 simulations a case."""
    found = coverage(scenario, prompts=30, simulations=300, resamples=800, seed=11)
    # 95 % less what the method may lack (2.5 points) and three Monte-Carlo errors.
    assert 0.925 - 3 * found.error <= found.rate <= 1.0
