"""Closed forms: against SciPy, their own equations and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from harness.stats.closed_forms import clustered_wilson, expected_worst, fieller, wilson


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


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
