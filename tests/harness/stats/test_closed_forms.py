"""Closed forms: against SciPy, their own equations and brute force."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats as reference

from harness.stats.closed_forms import expected_worst, wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 20), (3, 20), (10, 10), (37, 211)])
def test_wilson_agrees_with_scipy(hits: int, n: int) -> None:
    expected = reference.binomtest(hits, n).proportion_ci(method="wilson")
    assert wilson(hits / n, n) == pytest.approx((expected.low, expected.high))


def test_wilson_refuses_what_is_no_rate() -> None:
    with pytest.raises(ValueError, match="rate"):
        wilson(1.2, 10)
    with pytest.raises(ValueError, match="rate"):
        wilson(0.5, 0)


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
