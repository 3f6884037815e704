"""Estimates with a closed form: the interval of a rate, and the expected worst of k values.

Source: Wilson 1927 (score interval of a rate).
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm, t

Floats: TypeAlias = NDArray[np.float64]


@lru_cache(maxsize=4096)
def student_quantile(level: float, df: float) -> float:
    """Return the two-sided critical value of Student's t."""
    return float(t.ppf((1 + level) / 2, df))


def wilson(rate: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a rate over ``n`` trials.

    Raises:
        ValueError: ``n`` is not positive or ``rate`` is no rate.
    """
    return score_interval(rate, n, float(norm.ppf((1 + level) / 2)))


def score_interval(rate: float, n: float, critical: float) -> tuple[float, float]:
    """Return Wilson's interval with another critical value; ``n`` may be an effective size.

    Raises:
        ValueError: ``n`` is not positive or ``rate`` is no rate.
    """
    if n <= 0 or not 0 <= rate <= 1:
        raise ValueError(f"a rate in [0, 1] over n > 0 trials, not {rate} over {n}")
    square = critical**2
    centre = (rate + square / (2 * n)) / (1 + square / n)
    half = critical / (1 + square / n) * math.sqrt(rate * (1 - rate) / n + square / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def expected_worst(values: Floats, k: int) -> Floats:
    """Return the expected least of k values drawn without replacement from each row.

    ``sum_j x_(j) C(m - j, k - 1) / C(m, k)`` over the m values of a row in rising order: the worst
    case with k equal for all prompts, which uses every variant and leaves no choice to chance.

    Args:
        values: Shape (n, width), each row's m values and NaN for the rest.
        k: How many are drawn.

    Returns:
        Shape (n,); NaN for rows with fewer than k values.

    Raises:
        ValueError: ``k`` is not positive.
    """
    if k < 1:
        raise ValueError(f"k must be positive, not {k}")
    ordered = np.sort(values, axis=1)
    counts = (~np.isnan(values)).sum(axis=1)
    worst = np.full(len(values), np.nan)
    for m in np.unique(counts[counts >= k]):
        weights = np.array([math.comb(int(m) - j, k - 1) for j in range(1, m + 1)], dtype=float)
        chosen = counts == m
        worst[chosen] = ordered[chosen, :m] @ (weights / math.comb(int(m), k))
    return worst
