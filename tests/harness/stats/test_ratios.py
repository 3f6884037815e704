"""Rates and ratios on clusters: against SciPy, their own equations, and prompts that are all equal."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as reference

from harness.stats.closed_forms import wilson
from harness.stats.ratios import clustered_wilson, fieller


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def test_clustered_wilson_widens_with_clustering() -> None:
    independent = np.repeat([0.5], 40) + rng().choice([-0.05, 0.05], 40)
    clumped = np.repeat([0.0, 1.0], 20)
    tight = clustered_wilson(independent, trials=400)
    wide = clustered_wilson(clumped, trials=400)
    assert tight == pytest.approx(wilson(float(independent.mean()), 400), abs=2e-3)
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


def test_answers_that_are_clusters_by_themselves_have_wilsons_interval() -> None:
    hits = (rng(2).random(40) < 0.1).astype(np.float64)
    expected = reference.binomtest(int(hits.sum()), 40).proportion_ci(method="wilson")
    assert clustered_wilson(hits, 40) == pytest.approx((expected.low, expected.high))
    related = clustered_wilson(hits, 40, clusters=np.repeat(np.arange(8), 5))
    assert related[1] - related[0] > expected.high - expected.low


def test_a_rate_of_nothing_in_clusters_is_as_wide_as_few_trials_make_it() -> None:
    low, high = clustered_wilson(np.zeros(20), 100)
    assert low == 0.0
    assert wilson(0.0, 100)[1] < high < wilson(0.0, 8)[1]


def test_the_share_kept_of_equal_prompts_is_no_certainty() -> None:
    found = fieller(np.full(30, 2.0), np.full(30, 2.0), span=8.0)
    assert found is not None
    ratio, low, high = found
    assert (ratio, low + high) == pytest.approx((1.0, 2.0))
    assert 0.05 < high - 1 < 0.25  # three full turns in a hundred prompts would make 0.1
    # Gains that differ, all of them kept: the same doubt about the next prompt.
    gains = rng(1).normal(2.0, 0.4, 30)
    kept = fieller(gains, gains, span=8.0)
    assert kept is not None
    assert kept[1] < 0.95 < 1.05 < kept[2]
    assert (
        fieller(np.full(30, 0.02), np.full(30, 0.02), span=2.0) is None
    )  # nothing certain is left


def test_fieller_on_clusters_is_wider_than_on_as_many_unrelated_prompts() -> None:
    draw, clusters = rng(3), np.repeat(np.arange(12), 5)
    bottom = draw.normal(1.0, 0.3, 60)
    top = 0.8 * bottom + draw.normal(0, 0.3, 12)[clusters] + draw.normal(0, 0.05, 60)
    plain, whole = fieller(top, bottom), fieller(top, bottom, clusters=clusters)
    assert plain is not None
    assert whole is not None
    assert plain[0] == pytest.approx(whole[0])
    assert whole[2] - whole[1] > 1.7 * (plain[2] - plain[1])
