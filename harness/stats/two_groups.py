"""Inference on two independent groups of source prompts: nothing is paired, rows are clusters.

The quantities are weighted sums of the two groups' means, ``a * mean(first) + b * mean(second)``:
a difference is ``(1, -1)``, "less than half of the one arrives in the other" is ``(0.5, -1)``.

Sources: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 16.2 (two-sample
studentised bootstrap); Welch 1947 (degrees of freedom with unequal variances).
"""

from __future__ import annotations

import numpy as np
from scipy.stats import t as student

from harness.stats.bootstrap import (
    FEW_DISTINCT,
    Intervals,
    away_from_median,
    moments,
    padded,
    resampled_means,
    t_quantiles,
)
from harness.stats.closed_forms import Floats


def two_groups(
    groups: tuple[Floats, Floats],
    *,
    rng: np.random.Generator,
    weights: tuple[float, float] = (1.0, -1.0),
    resamples: int = 10_000,
    level: float = 0.95,
    span: Floats | float = 0.0,
) -> Intervals:
    """Estimate ``a * mean(first) + b * mean(second)`` of each column by studentised bootstrap.

    Each group is resampled by itself. If either group has fewer than ``FEW_DISTINCT`` rows away
    from its median, Welch's interval is used, after :func:`harness.stats.bootstrap.padded` has
    added two rows to each group.

    Args:
        groups: The first, shape (n, m), and the second, shape (k, m); one row a prompt, NaN is
            missing.
        rng: Stream for the resamples.
        weights: ``(a, b)``.
        resamples: How many.
        level: Confidence level.
        span: Length of a column's scale, shape (m,) or one for all: how far apart the two added
            rows lie in a group whose rows are all equal. Zero adds nothing to such a group, for
            values that are known to be exact.

    Raises:
        ValueError: The groups differ in their number of columns.
    """
    first, second = (np.asarray(group, dtype=np.float64) for group in groups)
    if first.ndim != 2 or second.ndim != 2 or first.shape[1] != second.shape[1]:
        raise ValueError(f"two matrices of equal width, not {first.shape} and {second.shape}")
    columns = first.shape[1]
    spans = np.broadcast_to(np.asarray(span, dtype=np.float64), columns)
    groups = (first, second)
    present = [~np.isnan(group) for group in groups]
    n = [mask.sum(axis=0) for mask in present]
    parts = [moments(group, mask) for group, mask in zip(groups, present, strict=True)]
    mean = np.asarray(weights[0] * parts[0][0] + weights[1] * parts[1][0], dtype=np.float64)
    variance = sum(
        (w * sd) ** 2 / np.maximum(count, 1)
        for w, (_, sd), count in zip(weights, parts, n, strict=True)
    )
    se = np.sqrt(np.asarray(variance, dtype=np.float64))
    enough = (n[0] >= 2) & (n[1] >= 2)
    adjusted = np.minimum(*map(away_from_median, groups)) < FEW_DISTINCT
    low, high = np.full(columns, np.nan), np.full(columns, np.nan)
    for column in np.flatnonzero(adjusted & enough):
        low[column], high[column], se[column] = _welch(
            [group[mask[:, column], column] for group, mask in zip(groups, present, strict=True)],
            weights,
            level,
            float(spans[column]),
        )
    free = np.flatnonzero(~adjusted & enough)
    if free.size:
        centre = square = np.zeros((resamples, free.size))
        for group, weight in zip(groups, weights, strict=True):
            part = group[:, free]
            middle, _ = moments(part, ~np.isnan(part))
            means, squares = resampled_means(part - middle, rng, resamples)
            centre = centre + weight * means
            square = square + weight**2 * squares
        quantiles = t_quantiles(centre, np.sqrt(square), level)
        low[free] = mean[free] - quantiles[1] * se[free]
        high[free] = mean[free] - quantiles[0] * se[free]
    se = np.where(enough, se, np.nan)
    return Intervals(mean, low, high, se, np.stack(n), np.asarray(adjusted))


def _welch(
    groups: list[Floats], weights: tuple[float, float], level: float, span: float
) -> tuple[float, float, float]:
    """Return Welch's interval of the weighted sum after padding both groups."""
    centre, variances, sizes = 0.0, [], []
    for group, weight in zip(groups, weights, strict=True):
        rows = padded(group, span)
        centre += weight * float(rows.mean())
        variances.append(weight**2 * float(rows.var(ddof=1)) / len(rows))
        sizes.append(len(group))
    total = sum(variances)
    if total == 0:
        return centre, centre, 0.0
    df = total**2 / sum(v**2 / (n - 1) for v, n in zip(variances, sizes, strict=True))
    half = float(student.ppf((1 + level) / 2, max(df, 1.0))) * total**0.5
    return centre - half, centre + half, total**0.5
