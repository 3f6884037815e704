"""Clustered bootstrap intervals of column means.

Rows are source prompts (the clusters: all answers to one prompt are averaged into one row first),
columns are the quantities to estimate. A missing value is NaN and leaves that row out of that
column only. Everything is vectorised over columns, and all columns share the resamples.

Sources: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 12 (studentised
bootstrap); Field and Welsh 2007 (bootstrapping clustered data); Bonett and Price 2012 (two added
pairs for sparse differences).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.closed_forms import Floats, student_quantile

FEW_DISTINCT = 15
"""With fewer rows than this away from the median, the studentised bootstrap is not used: on such
sparse data many resamples hold no variation at all (see tests/benchmarks/stats_coverage.py)."""

BLOCK_CELLS = 4_000_000
"""Cells of a matrix of resamples or flips that are drawn at a time, to bound memory."""

TIE = 1e-9
"""Relative difference up to which two values are equal but for rounding."""


@dataclass(frozen=True)
class Intervals:
    """Means of m columns with their confidence intervals; every array has shape (m,).

    Attributes:
        mean: Mean over the rows present; NaN where there is none.
        low: Lower end; NaN where fewer than two rows are present.
        high: Upper end.
        se: Standard error of the mean, in the units of the column.
        n: Rows present; of two groups, shape (2, m).
        adjusted: The interval is Student's on padded rows, not the studentised bootstrap.
    """

    mean: Floats
    low: Floats
    high: Floats
    se: Floats
    n: NDArray[np.int64]
    adjusted: NDArray[np.bool_]


def studentised_bootstrap(
    values: Floats,
    *,
    rng: np.random.Generator,
    resamples: int = 10_000,
    level: float = 0.95,
    low: Floats | float = -math.inf,
    high: Floats | float = math.inf,
) -> Intervals:
    """Estimate column means by the equal-tailed studentised bootstrap; rows are resampled whole.

    ``t* = (mean* - mean) / se*`` over the resamples; the interval is
    ``[mean - q(t*, 1 - a/2) se, mean - q(t*, a/2) se]``. Columns with fewer than ``FEW_DISTINCT``
    rows away from their median get the interval of :func:`adjusted_student` instead.

    Args:
        values: Shape (n, m), one row a cluster; NaN is missing.
        rng: Stream for the resamples.
        resamples: How many.
        level: Confidence level.
        low: Least possible value of a column, shape (m,) or one for all; intervals are clipped.
        high: Greatest possible value.

    Raises:
        ValueError: ``values`` is not two-dimensional.
    """
    values = np.asarray(values, dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(f"values must have shape (rows, columns), not {values.shape}")
    columns = values.shape[1]
    low, high = (np.broadcast_to(np.asarray(x, dtype=np.float64), columns) for x in (low, high))
    present = ~np.isnan(values)
    n = present.sum(axis=0)
    mean, sd = moments(values, present)
    se = sd / np.sqrt(np.maximum(n, 1))
    adjusted = away_from_median(values) < FEW_DISTINCT
    lower, upper = np.full(columns, np.nan), np.full(columns, np.nan)
    for column in np.flatnonzero(adjusted & (n >= 2)):
        span = high[column] - low[column]
        lower[column], upper[column], se[column] = adjusted_student(
            values[present[:, column], column],
            level=level,
            span=float(span) if np.isfinite(span) else 1.0,
        )
    free = np.flatnonzero(~adjusted)
    if free.size:
        part = values[:, free]
        middle, spread = moments(part, ~np.isnan(part))
        # Unit scale keeps the squares exact enough to be subtracted.
        scaled = (part - middle) / np.where(spread > 0, spread, 1.0)
        centre, square = resampled_means(scaled, rng, resamples)
        quantiles = t_quantiles(centre, np.sqrt(square), level)
        lower[free] = mean[free] - quantiles[1] * se[free]
        upper[free] = mean[free] - quantiles[0] * se[free]
    se[n < 2] = np.nan
    return Intervals(
        mean=mean,
        low=np.maximum(lower, low),
        high=np.minimum(upper, high),
        se=se,
        n=n,
        adjusted=adjusted,
    )


def moments(values: Floats, present: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """Return mean and sample standard deviation of each column over the rows present."""
    n = present.sum(axis=0)
    filled = np.where(present, values, 0.0)
    mean = np.where(n > 0, filled.sum(axis=0) / np.maximum(n, 1), np.nan)
    centred = np.where(present, values - mean, 0.0)
    sd = np.sqrt((centred**2).sum(axis=0) / np.maximum(n - 1, 1))
    # What remains of equal numbers after centring is rounding, not spread.
    scale = np.abs(filled).max(axis=0, initial=0.0)
    return mean, np.where(sd <= TIE * scale, 0.0, sd)


def away_from_median(values: Floats) -> NDArray[np.int64]:
    """Count the present rows of each column that differ from its (lower) median."""
    ordered = np.sort(values, axis=0)
    n = (~np.isnan(values)).sum(axis=0)
    if not len(values):
        return np.zeros(values.shape[1], dtype=np.int64)
    median = ordered[np.maximum(n - 1, 0) // 2, np.arange(values.shape[1])]
    with np.errstate(invalid="ignore"):
        away = np.abs(values - median) > TIE * np.maximum(1.0, np.abs(median))
    return np.asarray(away.sum(axis=0), dtype=np.int64)


def resampled_means(
    centred: Floats, rng: np.random.Generator, resamples: int
) -> tuple[Floats, Floats]:
    """Return each resample's mean and its squared standard error, both of shape (resamples, m).

    ``centred`` has shape (n, m): columns less their means, NaN is missing.
    """
    rows, columns = centred.shape
    present = ~np.isnan(centred)
    filled = np.where(present, centred, 0.0)
    masks, mask_of = np.unique(present, axis=1, return_inverse=True)
    both = np.concatenate([filled, filled**2, masks.astype(np.float64)], axis=1)
    means, squares = np.empty((resamples, columns)), np.empty((resamples, columns))
    step = max(1, min(resamples, BLOCK_CELLS // rows))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        sums = _resample_counts(rng, stop - start, rows) @ both
        n = sums[:, 2 * columns :][:, mask_of.ravel()]
        with np.errstate(divide="ignore", invalid="ignore"):
            means[start:stop] = sums[:, :columns] / n
            spread = sums[:, columns : 2 * columns] / n - means[start:stop] ** 2
            squares[start:stop] = np.maximum(spread, 0.0) / (n - 1)
    return means, squares


def t_quantiles(centre: Floats, se: Floats, level: float) -> Floats:
    """Return the quantiles (a/2, 1 - a/2) of ``t* = centre / se`` for each column, shape (2, m)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        t = np.where(se > TIE, centre / se, np.sign(centre) * np.inf)
    tail = (1 - level) / 2
    # An order statistic, not an interpolation: infinities must not meet.
    return np.asarray(np.nanquantile(t, [tail, 1 - tail], axis=0, method="inverted_cdf"))


def _resample_counts(rng: np.random.Generator, resamples: int, rows: int) -> Floats:
    """Draw how often each row is in each resample of ``rows`` rows, shape (resamples, rows)."""
    drawn = rng.integers(0, rows, size=(resamples, rows))
    drawn += np.arange(resamples)[:, None] * rows
    counts = np.bincount(drawn.ravel(), minlength=resamples * rows)
    return counts.reshape(resamples, rows).astype(np.float64)


def adjusted_student(values: Floats, *, level: float, span: float) -> tuple[float, float, float]:
    """Return Student's interval after :func:`padded` has added two rows, and its standard error."""
    rows = padded(values, span)
    se = float(rows.std(ddof=1) / math.sqrt(len(rows)))
    half = student_quantile(level, max(len(values) - 1, 1)) * se
    middle = float(rows.mean())
    return middle - half, middle + half, se


def padded(values: Floats, span: float) -> Floats:
    """Add two rows, one either side of the median.

    The analogue for means of the interval of Bonett and Price (2012) for paired proportions, which
    adds one pair to each discordant cell. The two rows lie at the median plus and minus the root
    mean square of the deviations that are not zero; if all rows are equal, at plus and minus half
    the ``span``, which gives about the width of the rule of three. An interval is thus never of
    zero width: n equal rows do not prove that the next one is equal too.

    Args:
        values: Shape (n,), no NaN.
        span: Length of the scale.
    """
    median = float(np.sort(values)[(len(values) - 1) // 2])
    deviation = values - median
    moved = np.abs(deviation) > TIE * max(1.0, abs(median))
    reach = float(np.sqrt(np.mean(deviation[moved] ** 2))) if moved.any() else span / 2
    return np.append(values, [median - reach, median + reach])
