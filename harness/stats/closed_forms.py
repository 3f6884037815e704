"""Estimates with a closed form: intervals of rates and ratios, and the expected worst of k values.

Sources: Wilson 1927 (score interval of a rate); Korn and Graubard 1998 (effective sample size);
Fieller 1954 (ratio of two means).
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
def student_quantile(level: float, df: int) -> float:
    """Return the two-sided critical value of Student's t."""
    return float(t.ppf((1 + level) / 2, df))


def wilson(rate: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a rate over ``n`` trials; n may be an effective size.

    Raises:
        ValueError: ``n`` is not positive or ``rate`` is no rate.
    """
    if n <= 0 or not 0 <= rate <= 1:
        raise ValueError(f"a rate in [0, 1] over n > 0 trials, not {rate} over {n}")
    z = float(norm.ppf((1 + level) / 2))
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_wilson(values: Floats, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's interval of a mean of per-cluster rates, on its effective sample size.

    ``n_eff = p (1 - p) / var(mean)`` with the between-cluster variance (Korn and Graubard 1998),
    at most ``trials``; if the variance is zero, the number of clusters.

    Args:
        values: One rate a cluster, no NaN.
        trials: Answers behind all the rates together.
        level: Confidence level.
    """
    n = len(values)
    rate = min(max(float(values.mean()), 0.0), 1.0)
    variance = float(values.var(ddof=1)) / n if n > 1 else 0.0
    effective = rate * (1 - rate) / variance if variance > 0 else float(n)
    return wilson(rate, min(max(effective, 1.0), float(trials)), level)


def fieller(
    numerator: Floats, denominator: Floats, level: float = 0.95
) -> tuple[float, float, float] | None:
    """Return the ratio of two paired means, one value of each a cluster, with Fieller's interval.

    Returns:
        Ratio, lower and upper end; None if the interval of the denominator holds zero, since the
        set of plausible ratios is then no interval.
    """
    present = ~(np.isnan(numerator) | np.isnan(denominator))
    a, b = numerator[present], denominator[present]
    n = len(a)
    if n < 2:
        return None
    t2 = student_quantile(level, n - 1) ** 2
    covariance = np.cov(a, b, ddof=1) / n
    top, bottom = float(a.mean()), float(b.mean())
    qa = bottom**2 - t2 * float(covariance[1, 1])
    if qa <= 0:
        return None
    qb = top * bottom - t2 * float(covariance[0, 1])
    qc = top**2 - t2 * float(covariance[0, 0])
    root = math.sqrt(max(qb**2 - qa * qc, 0.0))
    return top / bottom, (qb - root) / qa, (qb + root) / qa


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
