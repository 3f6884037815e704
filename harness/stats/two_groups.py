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
    Intervals,
    Tails,
    away_from_median,
    padded,
    resamplable,
    resampled_means,
)
from harness.stats.closed_forms import Floats
from harness.stats.cluster_sums import ClusterSums, Columns


def two_groups(
    groups: tuple[Columns, Columns],
    *,
    rng: np.random.Generator,
    weights: tuple[float, float] = (1.0, -1.0),
    resamples: int = 10_000,
    level: float = 0.95,
    span: Floats | float = 0.0,
) -> Intervals:
    """Estimate ``a * mean(first) + b * mean(second)`` of each column, by the outer of two intervals.

    They are Welch's and that of the studentised bootstrap, which draws the clusters of each group by
    themselves. If either group cannot be resampled, Welch's is used alone, after
    :func:`harness.stats.bootstrap.padded` has added two rows to each group with tied rows.

    Args:
        groups: The first, shape (n, m), and the second, shape (k, m); one row a prompt, NaN is
            missing; with clusters as :class:`Clustered`.
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
    sums = tuple(ClusterSums.of(group) for group in groups)
    widths = [len(one.mean) for one in sums]
    if widths[0] != widths[1]:
        raise ValueError(f"two matrices of equal width, not {widths[0]} and {widths[1]} columns")
    columns = widths[0]
    spans = np.broadcast_to(np.asarray(span, dtype=np.float64), columns)
    mean = np.asarray(weights[0] * sums[0].mean + weights[1] * sums[1].mean, dtype=np.float64)
    parts = np.stack([(w * one.se) ** 2 for w, one in zip(weights, sums, strict=True)])
    se, effective = np.sqrt(parts.sum(axis=0)), np.stack([one.effective for one in sums])
    clusters = np.stack([one.clusters for one in sums])
    enough = (clusters >= 2).all(axis=0)
    drawn = enough & np.logical_and(*(resamplable(one.means) for one in sums))
    low, high, p = (np.full(columns, np.nan) for _ in range(3))
    for column in np.flatnonzero(enough & ~drawn):
        low[column], high[column], se[column], p[column] = _welch(
            [one.only(np.array([column])) for one in sums], weights, level, float(spans[column])
        )
    free = np.flatnonzero(drawn)
    if free.size:
        centre = square = np.zeros((resamples, free.size))
        for one, weight in zip(sums, weights, strict=True):
            means, errors = resampled_means(one.only(free), rng, resamples)
            centre = centre + weight * means
            square = square + (weight * errors) ** 2
        tails = Tails.of(centre, np.sqrt(square))
        df = _welch_df(parts[:, free], effective[:, free])
        quantiles, critical = tails.quantiles(level), student.ppf((1 + level) / 2, df)
        low[free] = mean[free] - np.maximum(quantiles[1], critical) * se[free]
        high[free] = mean[free] - np.minimum(quantiles[0], -critical) * se[free]
        observed = mean[free] / se[free]
        p[free] = np.maximum(2 * student.sf(np.abs(observed), df), tails.p(observed, df))
    se = np.where(enough, se, np.nan)
    n = np.stack([one.rows for one in sums])
    return Intervals(mean, low, high, se, n, ~drawn, p, clusters, effective)


def _welch_df(variances: Floats, effective: Floats) -> Floats:
    """Return Welch's degrees of freedom, shape (m,), of variances of the two means, shape (2, m)."""
    parts = variances**2 / np.maximum(effective - 1, 1e-3)
    return np.asarray(variances.sum(axis=0) ** 2 / parts.sum(axis=0))


def _welch(
    groups: list[ClusterSums], weights: tuple[float, float], level: float, span: float
) -> tuple[float, float, float, float]:
    """Return Welch's interval of one column, its standard error and its p that the sum is zero.

    Groups with tied rows are padded.
    """
    centre, variances = 0.0, []
    for group, weight in zip(groups, weights, strict=True):
        present = group.counts[:, 0] > 0
        means, counts = group.means[present, 0], group.counts[present, 0]
        if len(means) - int(away_from_median(means[:, None])[0]) >= 2:
            means, counts = padded(means, span), np.append(counts, [counts.mean()] * 2)
        rows = ClusterSums.of_means(means, counts)
        centre += weight * float(rows.mean[0])
        variances.append((weight * float(rows.se[0])) ** 2)
    total = sum(variances)
    if total == 0:
        return centre, centre, 0.0, float(centre == 0)
    effective = np.array([group.effective for group in groups])
    df = max(float(_welch_df(np.array(variances)[:, None], effective)[0]), 1.0)
    half = float(student.ppf((1 + level) / 2, df)) * total**0.5
    return (
        centre - half,
        centre + half,
        total**0.5,
        2 * float(student.sf(abs(centre) / total**0.5, df)),
    )
