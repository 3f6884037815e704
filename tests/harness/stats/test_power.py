"""Power: against statsmodels and simulation."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import t

from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.cluster_sums import Clustered
from harness.stats.significance import (
    FEW_CLUSTERS,
    THREE_P,
    cautious_df,
    cautious_p,
    minimum_detectable_effect,
    required_prompts,
    sign_flip_test,
)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


@pytest.mark.parametrize("n", [20, 30, 200])
def test_detectable_effect_is_a_little_above_that_of_statsmodels(n: int) -> None:
    from statsmodels.stats.power import TTestPower

    expected = TTestPower().solve_power(nobs=n, alpha=0.05, power=0.8)
    extra = 1 + THREE_P * 1.96**2 / ((1.96 + 0.8416) * n)
    assert minimum_detectable_effect(2.0, n) == pytest.approx(2 * expected * extra, rel=1e-4)


@pytest.mark.parametrize(
    ("n", "alpha"), [(9, 0.025 / 3), (12, 0.025 / 3), (40, 0.025 / 3), (40, 0.05)]
)
def test_detectable_effect_is_seen_in_four_of_five_runs(n: int, alpha: float) -> None:
    """The report's own p: the larger of the sign flips' and the interval's."""
    generator = rng(8)
    effect = minimum_detectable_effect(1.0, n, alpha=alpha)
    seen = 0
    for _ in range(5):
        runs = generator.normal(effect, 1, size=(n, 200))
        flips = sign_flip_test(runs, rng=generator, permutations=3000)
        p = cautious_p(studentised_bootstrap(runs, rng=generator, resamples=1500))
        seen += int((np.maximum(flips, p) <= alpha).sum())
    assert seen / 1000 == pytest.approx(0.8, abs=0.04)


def test_the_corrected_level_needs_half_as_many_prompts_again() -> None:
    alone, corrected = (required_prompts(0.3, 1.0, alpha=a) for a in (0.05, 0.025 / 3))
    assert corrected / alone == pytest.approx(1.55, abs=0.03)


def test_too_few_clusters_detect_nothing() -> None:
    assert minimum_detectable_effect(1.0, 7, alpha=0.025 / 3) == np.inf
    assert minimum_detectable_effect(0.0, 7, alpha=0.025 / 3) == np.inf
    assert 0 < minimum_detectable_effect(1.0, 8, alpha=0.025 / 3) < 4


def test_required_prompts_is_the_least_number() -> None:
    n = required_prompts(0.2, 0.8)
    assert minimum_detectable_effect(0.8, n) <= 0.2
    assert minimum_detectable_effect(0.8, n - 1) > 0.2
    with pytest.raises(ValueError, match="positive"):
        required_prompts(0, 1)


def test_few_clusters_are_tested_with_fewer_degrees_of_freedom_and_many_as_before() -> None:
    assert cautious_df(10.0) == pytest.approx(9 * 10 / 20)
    assert [float(cautious_df(n)) for n in (20, 57)] == [19, 56]
    for n in (10, 19, 20, 40):
        found = studentised_bootstrap(rng(n).normal(0.8, 1, (n, 6)), rng=rng(), resamples=1000)
        p = cautious_p(found)
        if n >= FEW_CLUSTERS:
            np.testing.assert_array_equal(p, found.p)
            continue
        by_hand = 2 * t.sf(np.abs(found.mean / found.se), (n - 1) * n / 20)
        np.testing.assert_allclose(p, np.maximum(found.p, by_hand))
        assert (p > found.p).any()


def test_related_prompts_count_as_few_however_many_rows_they_have() -> None:
    values = np.repeat(rng(3).normal(1, 1, (10, 4)), 6, axis=0)
    found = studentised_bootstrap(Clustered(values, np.arange(60) // 6), rng=rng(), resamples=1000)
    assert (cautious_p(found) > found.p).any()
    assert (cautious_p(found) >= 2 * t.sf(np.abs(found.mean / found.se), 4.5) - 1e-12).all()


def test_what_can_be_seen_never_grows_with_more_clusters() -> None:
    effects = [minimum_detectable_effect(1.0, n, alpha=0.025 / 3) for n in range(8, 40)]
    assert effects == sorted(effects, reverse=True)


def test_without_spread_or_with_one_cluster_the_interval_speaks_alone() -> None:
    single = studentised_bootstrap(np.ones((1, 2)), rng=rng())
    np.testing.assert_array_equal(cautious_p(single), single.p)


def test_a_headline_on_ten_skewed_clusters_errs_no_more_often_than_it_may() -> None:
    """Skewness 2: gains on originals and on variants, three in five alike, and their difference."""
    alpha, generator, runs = 0.025 / 3, rng(11), 3000
    originals, others = generator.exponential(1, (2, 10, runs)) - 1
    variants = np.where(generator.random((10, runs)) < 0.6, originals, others)
    values = np.concatenate([originals, variants, variants - originals], axis=1)
    flips = sign_flip_test(values, rng=generator)
    found = studentised_bootstrap(values, rng=generator, resamples=2000)
    before, after = (
        (np.maximum(flips, p).reshape(3, runs) <= alpha).any(axis=0).mean()
        for p in (found.p, cautious_p(found))
    )
    assert after <= 0.025 + 2 * (0.025 / runs) ** 0.5
    assert after < before
