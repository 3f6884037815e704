"""Statistics: against closed forms, SciPy and statsmodels, and on data with known truth."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import clustered_wilson, expected_worst, fieller, wilson
from harness.stats.power import minimum_detectable_effect, required_prompts
from harness.stats.significance import holm, sign_flip_test
from tests.benchmarks.stats_coverage import SCENARIOS, coverage, family_wise_error


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


def test_sign_flips_are_exact_for_few_prompts() -> None:
    values = np.array([0.3, 0.1, 0.4, -0.2, 0.5, 0.6])
    total = abs(values.sum())
    flips = [
        abs(sum(s * v for s, v in zip(signs, values, strict=True))) >= total - 1e-12
        for signs in itertools.product((1, -1), repeat=6)
    ]
    found = sign_flip_test(values[:, None], rng=rng())
    assert found[0] == pytest.approx(np.mean(flips))


def test_sign_flips_agree_with_scipy() -> None:
    values = rng(2).normal(0.25, 1, size=(50, 1))
    found = sign_flip_test(values, rng=rng(3), permutations=40_000)[0]
    expected = reference.permutation_test(
        (values[:, 0],),
        np.mean,
        permutation_type="samples",
        n_resamples=40_000,
        rng=rng(4),
    ).pvalue
    assert found == pytest.approx(expected, abs=0.01)


def test_sign_flips_pass_over_zeros_and_missing() -> None:
    values = np.full((40, 3), np.nan)
    values[:, 0] = 0.0
    values[:8, 1] = 1.0
    values[0, 2] = 3.0
    p = sign_flip_test(values, rng=rng())
    assert p[0] == 1.0
    assert p[1] == pytest.approx(2 / 2**8)
    assert np.isnan(p[2])


def test_ties_with_the_data_count_as_hits() -> None:
    # 0.1 + 0.2 - 0.3 is not zero in floating point; the flip that equals the data must be counted.
    values = np.array([[0.1], [0.2], [-0.3]])
    assert sign_flip_test(values, rng=rng())[0] == 1.0


def test_holm_agrees_with_statsmodels() -> None:
    from statsmodels.stats.multitest import multipletests

    p = rng().random(30) ** 3
    np.testing.assert_allclose(holm(p), multipletests(p, method="holm")[1])


def test_weighted_holm_by_hand_and_missing_tests() -> None:
    p = np.array([0.01, np.nan, 0.02, 0.03])
    found = holm(p, np.array([0.5, 1.0, 0.25, 0.25]))
    # p / w: 0.02, 0.08, 0.12; weights left: 1, 0.5, 0.25.
    np.testing.assert_allclose(found[[0, 2, 3]], [0.02, 0.04, 0.04])
    assert np.isnan(found[1])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_holm_is_monotone_and_never_below_p(p: list[float]) -> None:
    found = holm(np.array(p))
    assert (found >= np.array(p) - 1e-15).all()
    assert (found <= 1).all()
    order = np.argsort(p, kind="stable")
    assert (np.diff(found[order]) >= -1e-15).all()


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (3, 20), (10, 10), (37, 211)])
def test_wilson_agrees_with_scipy(hits: int, n: int) -> None:
    expected = reference.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high))


def test_wilson_refuses_what_is_no_rate() -> None:
    with pytest.raises(ValueError, match="rate"):
        wilson(1.2, 10)
    with pytest.raises(ValueError, match="rate"):
        wilson(0.5, 0)


def test_clustered_wilson_widens_with_clustering() -> None:
    independent = np.repeat([0.5], 40) + rng().choice([-0.05, 0.05], 40)
    clumped = np.repeat([0.0, 1.0], 20)
    tight = clustered_wilson(independent, trials=400)
    wide = clustered_wilson(clumped, trials=400)
    assert tight == pytest.approx(wilson(float(independent.mean()), 400), abs=1e-6)
    assert wide[1] - wide[0] > 2.5 * (tight[1] - tight[0])


def test_fieller_by_its_own_equation() -> None:
    generator = rng(6)
    bottom = generator.normal(1.0, 0.4, 80)
    top = 0.7 * bottom + generator.normal(0, 0.3, 80)
    found = fieller(top, bottom)
    assert found is not None
    ratio, low, high = found
    assert low < ratio < high
    critical = reference.t.ppf(0.975, 79)
    for end in (low, high):
        d = top - end * bottom
        assert abs(d.mean()) / (d.std(ddof=1) / math.sqrt(80)) == pytest.approx(critical)


def test_fieller_gives_none_where_the_denominator_may_be_zero() -> None:
    assert fieller(np.ones(30), rng().normal(0, 1, 30)) is None
    assert fieller(np.array([1.0]), np.array([1.0])) is None


@pytest.mark.parametrize("n", [8, 30, 200])
def test_detectable_effect_agrees_with_statsmodels(n: int) -> None:
    from statsmodels.stats.power import TTestPower

    expected = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    assert minimum_detectable_effect(2.0, n) == pytest.approx(2 * expected, rel=1e-4)


def test_detectable_effect_is_seen_in_four_of_five_runs() -> None:
    generator = rng(8)
    effect = minimum_detectable_effect(1.0, 40)
    seen = 0
    for _ in range(40):
        runs = generator.normal(effect, 1, size=(40, 50))
        seen += int((sign_flip_test(runs, rng=generator, permutations=999) <= 0.05).sum())
    assert seen / 2000 == pytest.approx(0.8, abs=0.03)


def test_required_prompts_is_the_least_number() -> None:
    n = required_prompts(0.2, 0.8)
    assert minimum_detectable_effect(0.8, n) <= 0.2
    assert minimum_detectable_effect(0.8, n - 1) > 0.2
    with pytest.raises(ValueError, match="positive"):
        required_prompts(0, 1)


@given(st.lists(st.floats(-5, 5), min_size=1, max_size=7), st.integers(1, 7))
def test_expected_worst_is_the_mean_over_all_subsets(values: list[float], k: int) -> None:
    found = expected_worst(np.array([[*values, math.nan]]), k)[0]
    if k > len(values):
        assert math.isnan(found)
    else:
        subsets = [min(c) for c in itertools.combinations(values, k)]
        assert found == pytest.approx(np.mean(subsets), abs=1e-9)


def test_expected_worst_refuses_k_zero() -> None:
    with pytest.raises(ValueError, match="positive"):
        expected_worst(np.zeros((1, 2)), 0)


@pytest.mark.parametrize("scenario", sorted(SCENARIOS))
def test_intervals_cover_the_truth(scenario: str) -> None:
    """The small proof; tests/benchmarks/stats_coverage.py runs 2,000 simulations a case."""
    found = coverage(scenario, prompts=30, simulations=300, resamples=800, seed=11)
    # 95 % less what the method may lack (2.5 points) and three Monte-Carlo errors.
    assert 0.925 - 3 * found.error <= found.rate <= 1.0


def test_family_wise_error_is_kept() -> None:
    found = family_wise_error(prompts=30, simulations=300, permutations=2000, seed=12)
    assert found.rate <= 0.05 + 3 * found.error
