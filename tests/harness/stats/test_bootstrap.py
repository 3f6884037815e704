"""Bootstrap intervals: against Student, the definition, and data with known truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.cluster_sums import Clustered, ClusterSums
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
    half = reference.t.ppf(0.975, 59) * se
    low, high = mean - np.quantile(t, 0.975) * se, mean - np.quantile(t, 0.025) * se
    assert high > mean + 1.05 * half  # the long tail: the bootstrap's end is the outer one
    assert found.low[0] == pytest.approx(min(low, mean - half), abs=0.03)
    assert found.high[0] == pytest.approx(high, abs=0.06)


def test_p_is_that_of_the_interval_which_just_touches_zero() -> None:
    values = rng(3).gamma(2.0, size=(40, 6)) - np.linspace(1.2, 2.4, 6)
    found = studentised_bootstrap(values, rng=rng(4))
    for column, p in enumerate(found.p):
        for level, inside in ((1 - 0.97 * p, True), (1 - min(1.03 * p, 0.999), False)):
            again = studentised_bootstrap(values, rng=rng(4), level=level)
            assert (again.low[column] <= 0 <= again.high[column]) == inside


def test_far_tails_are_those_of_student_on_normal_data() -> None:
    values = rng(5).normal(0.5, 1.0, size=(300, 40))
    found = studentised_bootstrap(values, rng=rng(6))
    t = values.mean(axis=0) / (values.std(axis=0, ddof=1) / math.sqrt(300))
    expected = 2 * reference.t.sf(t, 299)
    assert expected.max() < 1e-4  # beyond what 10,000 resamples can count
    ratio = np.log(found.p) / np.log(expected)
    assert ratio.max() <= 1.0 + 1e-9  # never smaller than Student's
    assert np.median(ratio) > 0.85


def test_clusters_have_the_standard_error_of_statsmodels() -> None:
    import statsmodels.api as sm

    draw = rng(7)
    clusters = np.repeat(np.arange(30), draw.integers(1, 8, 30))
    values = draw.normal(0, 1, 30)[clusters] + draw.normal(0.2, 1, len(clusters))
    order = draw.permutation(len(values))
    fit = sm.OLS(values, np.ones(len(values))).fit(
        cov_type="cluster",
        cov_kwds={"groups": clusters, "use_correction": False},
    )
    found = studentised_bootstrap(
        Clustered(values[order][:, None], clusters[order] * 7), rng=rng(8), resamples=4000
    )
    assert found.mean[0] == pytest.approx(fit.params[0])
    assert found.se[0] == pytest.approx(fit.bse[0] * math.sqrt(30 / 29))
    assert (found.n[0], found.clusters[0]) == (len(values), 30)
    # Student's ends with the effective number of clusters are inside.
    half = reference.t.ppf(0.975, found.effective[0] - 1) * found.se[0]
    assert found.low[0] <= values.mean() - half + 1e-12
    assert found.high[0] >= values.mean() + half - 1e-12
    assert found.high[0] - found.low[0] < 2.5 * half


def test_clusters_of_one_row_change_nothing() -> None:
    values = rng(9).normal(size=(25, 3))
    values[3:9, 1] = np.nan
    plain = studentised_bootstrap(values, rng=rng(1))
    single = studentised_bootstrap(Clustered(values, np.arange(25) + 4), rng=rng(1))
    for name in ("mean", "low", "high", "se", "n", "p", "clusters", "effective"):
        np.testing.assert_array_equal(getattr(plain, name), getattr(single, name))


def test_one_large_cluster_counts_for_one() -> None:
    sums = ClusterSums.of(
        Clustered(np.zeros((100, 1)), np.array([0] * 80 + list(range(1, 21)), dtype=np.int64))
    )
    assert sums.clusters[0] == 21
    assert sums.effective[0] < 1.01
    equal = ClusterSums.of(Clustered(np.zeros((100, 1)), np.repeat(np.arange(20), 5)))
    assert equal.effective[0] == pytest.approx(20)


def test_only_tied_rows_are_padded() -> None:
    dense = rng(2).normal(size=(4, 1))
    found = studentised_bootstrap(dense, rng=rng())
    expected = reference.t.interval(0.95, 3, dense.mean(), dense.std(ddof=1) / 2)
    assert (found.low[0], found.high[0]) == pytest.approx(expected)
    tied = np.array([[0.0]] * 20 + [[0.5]] * 3)
    rows = np.append(tied, [-0.5, 0.5])
    found = studentised_bootstrap(tied, rng=rng())
    half = reference.t.ppf(0.975, 22) * rows.std(ddof=1) / 5
    assert (found.low[0], found.high[0]) == pytest.approx((rows.mean() - half, rows.mean() + half))


@pytest.mark.parametrize("shape", [(4,), (6,)])
def test_clusters_must_be_one_a_row(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="5 rows"):
        studentised_bootstrap(Clustered(np.zeros((5, 1)), np.zeros(shape, np.int64)), rng=rng())


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
