"""Cautious inference on two independent groups whose values may be skewed.

A bound on ``a * mean(first) + b * mean(second)`` is optimistic where a few large values of one group
carry its mean and the sample happens to hold few of them: mean and standard error are both too small,
and neither the bootstrap nor Welch knows. So the skewness of the estimate itself tells at which end the
interval of :mod:`harness.stats.two_groups` must not be relied on.

Sources: Johnson 1978, "Modified t tests and
confidence intervals for asymmetrical populations", and Cochran 1977, section 2.15 (the skewness of a
mean decides how far a normal interval can be trusted).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.stats.closed_forms import Floats
from harness.stats.cluster_sums import TIE
from harness.stats.two_groups import two_groups

MOST_SKEW = 0.08
"""Skewness of the estimate up to which both ends are relied on. In simulation (``tests/benchmarks/
kept_share.py``) a nominal 2.5 % stays at or under it up to lognormal gains (sigma 1.5) of one group."""

FAR_SKEW, FAR = 0.3, 5.0
"""The same for an estimate that lies ``FAR`` standard errors and more from zero."""


class CautiousInterval(NamedTuple):
    """A weighted sum of two means.

    Attributes:
        mean, low, high: The estimate and the wider interval.
        skew: Skewness of the estimate's distribution, by the samples; 0 where a group has fewer than
            three values or does not vary.
        low_holds, high_holds: Whether that end can be relied on.
    """

    mean: float
    low: float
    high: float
    skew: float
    low_holds: bool
    high_holds: bool


def cautious_two_groups(
    first: Floats,
    second: Floats,
    *,
    rng: np.random.Generator,
    weights: tuple[float, float] = (1.0, -1.0),
    resamples: int = 10_000,
    level: float = 0.95,
) -> CautiousInterval:
    """Estimate ``a * mean(first) + b * mean(second)``, one value a prompt, at least one in each.

    With fewer than two values in a group the ends are NaN.
    """
    groups = (np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64))
    interval = two_groups(
        (groups[0][:, None], groups[1][:, None]),
        rng=rng,
        weights=weights,
        resamples=resamples,
        level=level,
    )
    mean = float(interval.mean[0])
    low, high = float(interval.low[0]), float(interval.high[0])
    if min(map(len, groups)) < 2:
        return CautiousInterval(mean, low, high, 0.0, low_holds=True, high_holds=True)
    variances = [
        (w**2) * float(g.var(ddof=1)) / len(g) for w, g in zip(weights, groups, strict=True)
    ]
    total = sum(variances)
    if total**0.5 <= TIE * max(1.0, abs(mean)):  # equal numbers but for rounding
        return CautiousInterval(mean, low, high, 0.0, low_holds=True, high_holds=True)
    third = sum(
        w**3 * _third_cumulant(g) / len(g) ** 2 for w, g in zip(weights, groups, strict=True)
    )
    asymmetry = third / total**1.5
    most = FAR_SKEW if abs(mean) >= FAR * total**0.5 else MOST_SKEW
    return CautiousInterval(
        mean,
        low,
        high,
        asymmetry,
        low_holds=asymmetry >= -most,
        high_holds=asymmetry <= most,
    )


def _third_cumulant(values: Floats) -> float:
    """Return Fisher's unbiased third cumulant."""
    n = len(values)
    if n < 3:
        return 0.0
    return float(((values - values.mean()) ** 3).sum() * n / ((n - 1) * (n - 2)))
