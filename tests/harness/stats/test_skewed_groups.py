"""The end of an interval that a few large values carry is not relied on."""

from __future__ import annotations

import numpy as np
import pytest

from harness.stats.skewed_groups import cautious_two_groups


def test_the_skewness_of_the_estimate_by_hand_and_the_end_that_it_spoils() -> None:
    first = np.array([1.0, 1.1, 0.9, 1.2, 0.8, 1.0, 1.1, 0.9, 1.0, 6.0])
    second = np.array([1.0, 1.2, 0.8, 1.1, 0.9, 1.05, 0.95, 1.15, 0.85, 1.0])
    found = cautious_two_groups(
        first, second, rng=np.random.default_rng(1), weights=(-0.75, 1.0), resamples=500
    )
    n = 10
    thirds = [((g - g.mean()) ** 3).sum() * n / ((n - 1) * (n - 2)) for g in (first, second)]
    variance = (0.75**2 * first.var(ddof=1) + second.var(ddof=1)) / n
    by_hand = (-(0.75**3) * thirds[0] + thirds[1]) / n**2 / variance**1.5
    assert found.skew == pytest.approx(by_hand)
    assert found.skew < -0.5
    assert (found.low_holds, found.high_holds) == (False, True)
    turned = cautious_two_groups(
        first, second, rng=np.random.default_rng(1), weights=(0.75, -1.0), resamples=500
    )
    assert (turned.low_holds, turned.high_holds) == (True, False)


def test_even_and_equal_values_spoil_no_end() -> None:
    even = np.linspace(0.9, 1.1, 20)
    for second in (even + 0.5, np.full(20, 2.0)):
        found = cautious_two_groups(even, second, rng=np.random.default_rng(2), resamples=300)
        assert found.low_holds
        assert found.high_holds
        assert found.high < 0
