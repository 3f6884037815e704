"""Inference on two independent groups of source prompts: nothing is paired, rows are clusters.

The quantities are weighted sums of the two groups' means, ``a * mean(first) + b * mean(second)``:
a difference is ``(1, -1)``, "less than half of the one arrives in the other" is ``(0.5, -1)``.

Sources: Efron and Tibshirani 1993, An Introduction to the Bootstrap, section 16.2 (two-sample
studentised bootstrap); Welch 1947 (degrees of freedom with unequal variances).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from harness.stats.bootstrap import (
    BLOCK_CELLS,
    FEW_DISTINCT,
    TIE,
    away_from_median,
    moments,
    padded,
    resample_counts,
)
from harness.stats.closed_forms import Floats


@dataclass(frozen=True)
class GroupIntervals:
    """Weighted sums of two means for m columns; every array has shape (m,).

    Attributes:
        mean: The weighted sum; NaN where a group is empty.
        low: Lower end; NaN where a group has fewer than two rows.
        high: Upper end.
        se: Standard error of the weighted sum.
        first: Rows present in the first group.
        second: Rows present in the second group.
        adjusted: Welch's interval on padded groups, not the studentised bootstrap.
    """

    mean: Floats
    low: Floats
    high: Floats
    se: Floats
    first: NDArray[np.int64]
    second: NDArray[np.int64]
    adjusted: NDArray[np.bool_]


def two_groups(
    groups: tuple[Floats, Floats],
    *,
    rng: np.random.Generator,
    weights: tuple[float, float] = (1.0, -1.0),
    resamples: int = 10_000,
    level: float = 0.95,
    span: Floats | float = 0.0,
) -> GroupIntervals:
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
        quantiles = _t_quantiles(
            (first[:, free], second[:, free]), weights, rng=rng, resamples=resamples, level=level
        )
        low[free] = mean[free] - quantiles[1] * se[free]
        high[free] = mean[free] - quantiles[0] * se[free]
    return GroupIntervals(
        mean, low, high, np.where(enough, se, np.nan), n[0], n[1], np.asarray(adjusted)
    )


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


def _t_quantiles(
    groups: tuple[Floats, Floats],
    weights: tuple[float, float],
    *,
    rng: np.random.Generator,
    resamples: int,
    level: float,
) -> Floats:
    """Return the quantiles (a/2, 1 - a/2) of t* for each column, shape (2, m)."""
    columns = groups[0].shape[1]
    centre = np.zeros((resamples, columns))
    variance = np.zeros((resamples, columns))
    for group, weight in zip(groups, weights, strict=True):
        mean, square = _resampled(group, rng, resamples)
        centre += weight * mean
        variance += weight**2 * square
    se = np.sqrt(variance)
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(se > TIE, centre / se, np.sign(centre) * np.inf)
    tail = (1 - level) / 2
    return np.asarray(np.nanquantile(t, [tail, 1 - tail], axis=0, method="inverted_cdf"))


def _resampled(group: Floats, rng: np.random.Generator, resamples: int) -> tuple[Floats, Floats]:
    """Return each resample's mean less the group's, and its squared standard error: (resamples, m)."""
    rows, columns = group.shape
    present = ~np.isnan(group)
    mean, _ = moments(group, present)
    centred = np.where(present, group - mean, 0.0)
    both = np.concatenate([centred, centred**2, present.astype(np.float64)], axis=1)
    means, squares = np.empty((resamples, columns)), np.empty((resamples, columns))
    step = max(1, min(resamples, BLOCK_CELLS // rows))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        sums = resample_counts(rng, stop - start, rows) @ both
        n = sums[:, 2 * columns :]
        with np.errstate(divide="ignore", invalid="ignore"):
            means[start:stop] = sums[:, :columns] / n
            spread = sums[:, columns : 2 * columns] / n - means[start:stop] ** 2
            squares[start:stop] = np.maximum(spread, 0.0) / (n - 1)
    return means, squares
