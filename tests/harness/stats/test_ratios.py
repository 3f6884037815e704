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
