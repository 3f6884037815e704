"""Intervals of column means: the outer of Student's and the studentised bootstrap's.

Rows are source prompts (all answers to one prompt are averaged into one row first), columns are the
quantities to estimate. A missing value is NaN and leaves that row out of that column only. Clusters
of rows are drawn whole. Everything is vectorised over columns, and all columns share the resamples.

Which interval a column gets, and why (figures in tests/benchmarks/stats_coverage.py):

- Student's alone misses the truth on one side where the data are skewed; the studentised bootstrap
  alone is too narrow where a few large values of both signs stand among many zeros. The outer ends
  of the two cover at least as often as either, and cost 1 to 3 % of width where both are right.
- Where many rows are equal and few differ, resamples without any variation would make the bootstrap
  infinite; Student's interval on two added rows takes its place (see :func:`padded`).

Sources: Efron and Tibshirani 1993, An Introduction to the Bootstrap, ch. 12 (studentised
bootstrap); Field and Welsh 2007 (bootstrapping clustered data); Bonett and Price 2012 (two added
pairs for sparse differences).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t as student

from harness.stats.closed_forms import Floats, student_quantile
from harness.stats.cluster_sums import TIE, ClusterSums, Columns

LEAST_CLUSTERS = 5
"""Fewest clusters that are resampled."""

CONSTANT = 1e-3
"""Greatest probability that a resample holds one value only, at which columns are resampled."""

TAIL = 0.005
"""Share of the resamples beyond which tail probabilities follow Student's t, scaled to meet them."""

BLOCK_CELLS = 4_000_000
"""Cells of a matrix of resamples or flips that are drawn at a time, to bound memory."""


@dataclass(frozen=True)
class Intervals:
    """Means of m columns with their confidence intervals; every array has shape (m,).

    Attributes:
        mean: Mean over the rows present; NaN where there is none.
        low: Lower end; NaN where fewer than two clusters are present.
        high: Upper end.
        se: Standard error of the mean, in the units of the column.
        n: Rows present; of two groups, shape (2, m).
        adjusted: The interval is Student's alone (on padded rows where they are tied).
        p: Two-sided p that the mean is zero, which the interval of level 1 - p just touches.
        clusters: Clusters present; of two groups, shape (2, m).
        effective: Their effective number, see :attr:`ClusterSums.effective`; of two groups likewise.
    """

    mean: Floats
    low: Floats
    high: Floats
    se: Floats
    n: NDArray[np.int64]
    adjusted: NDArray[np.bool_]
    p: Floats
    clusters: NDArray[np.int64]
    effective: Floats


def studentised_bootstrap(
    values: Columns,
    *,
    rng: np.random.Generator,
    resamples: int = 10_000,
    level: float = 0.95,
    low: Floats | float = -math.inf,
    high: Floats | float = math.inf,
) -> Intervals:
    """Estimate column means by the outer of the studentised bootstrap and Student's interval.

    ``t* = (mean* - mean) / se*`` over the resamples; the bootstrap's equal-tailed interval is
    ``[mean - q(t*, 1 - a/2) se, mean - q(t*, a/2) se]``. Columns that cannot be resampled (see
    :func:`resamplable`) get the interval of :func:`student_interval` alone.

    Args:
        values: Shape (n, m), NaN is missing; with clusters as :class:`Clustered`.
        rng: Stream for the resamples.
        resamples: How many.
        level: Confidence level.
        low: Least possible value of a column, shape (m,) or one for all; intervals are clipped.
        high: Greatest possible value.

    Raises:
        ValueError: The values are not two-dimensional, or the clusters are not one a row.
    """
    sums = ClusterSums.of(values)
    columns = len(sums.mean)
    low, high = (np.broadcast_to(np.asarray(x, dtype=np.float64), columns) for x in (low, high))
    means, clusters, effective, se = sums.means, sums.clusters, sums.effective, sums.se
    lower, upper, p = (np.full(columns, np.nan) for _ in range(3))
    drawn = resamplable(means)
    for column in np.flatnonzero(~drawn & (clusters >= 2)).tolist():
        span = high[column] - low[column]
        lower[column], upper[column], se[column], p[column] = student_interval(
            sums, column, level=level, span=float(span) if np.isfinite(span) else 1.0
        )
    free = np.flatnonzero(drawn)
    if free.size:
        part = sums.only(free)
        tails = Tails.of(*resampled_means(part, rng, resamples))
        df = np.maximum(effective[free] - 1, 1e-3)
        critical = np.array([student_quantile(level, float(d)) for d in df])
        quantiles = tails.quantiles(level)
        lower[free] = part.mean - np.maximum(quantiles[1], critical) * se[free]
        upper[free] = part.mean - np.minimum(quantiles[0], -critical) * se[free]
        observed = part.mean / se[free]
        p[free] = np.maximum(2 * student.sf(np.abs(observed), df), tails.p(observed, df))
    se[clusters < 2] = np.nan
    return Intervals(
        mean=sums.mean,
        low=np.maximum(lower, low),
        high=np.minimum(upper, high),
        se=se,
        n=sums.rows,
        adjusted=~drawn,
        p=p,
        clusters=clusters,
        effective=effective,
    )


def resamplable(means: Floats) -> NDArray[np.bool_]:
    """Return which columns vary enough to be resampled, shape (m,).

    ``(share of clusters at the median)^clusters`` is the probability of a resample without any
    variation; it must be below :data:`CONSTANT`.

    Args:
        means: One mean a cluster, shape (clusters, m), NaN is missing.
    """
    clusters = (~np.isnan(means)).sum(axis=0)
    tied = (clusters - away_from_median(means)) / np.maximum(clusters, 1)
    return np.asarray((clusters >= LEAST_CLUSTERS) & (tied**clusters <= CONSTANT))


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
    sums: ClusterSums, rng: np.random.Generator, resamples: int
) -> tuple[Floats, Floats]:
    """Return each resample's mean less the observed, and its standard error; (resamples, m) each."""
    # Unit scale keeps the squares exact enough to be subtracted.
    g = np.maximum(sums.clusters, 1)
    unit = np.sqrt((sums.deviations**2).sum(axis=0) / g)
    unit = np.where(unit > 0, unit, 1.0)
    d, counts = sums.deviations / unit, sums.counts
    rows, columns = d.shape
    masks, mask_of = np.unique(counts, axis=1, return_inverse=True)
    mask_of = mask_of.ravel()
    single = bool(counts.max(initial=0.0) <= 1)
    # Of one row a cluster, count, squared count and presence are the same, and d * count is d.
    extra = [] if single else [d * counts, masks**2, masks > 0]
    both = np.concatenate([d, d**2, masks, *extra], axis=1)
    ends = np.cumsum([columns, columns, masks.shape[1], *(part.shape[1] for part in extra)])[:-1]
    centre, se = np.empty((resamples, columns)), np.empty((resamples, columns))
    step = max(1, min(resamples, BLOCK_CELLS // rows))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        parts = np.split(_resample_counts(rng, stop - start, rows) @ both, ends, axis=1)
        sum_, square, n = parts[0], parts[1], parts[2][:, mask_of]
        cross, n_square, present = (
            (sum_, n, n) if single else (parts[3], parts[4][:, mask_of], parts[5][:, mask_of])
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            mean = sum_ / n
            spread = np.maximum(square - 2 * mean * cross + mean**2 * n_square, 0.0)
            centre[start:stop] = mean
            se[start:stop] = np.sqrt(spread * present / (present - 1)) / n
    return centre * unit, se * unit


def _resample_counts(rng: np.random.Generator, resamples: int, rows: int) -> Floats:
    """Draw how often each row is in each resample of ``rows`` rows, shape (resamples, rows)."""
    drawn = rng.integers(0, rows, size=(resamples, rows))
    drawn += np.arange(resamples)[:, None] * rows
    counts = np.bincount(drawn.ravel(), minlength=resamples * rows)
    return counts.reshape(resamples, rows).astype(np.float64)


@dataclass(frozen=True)
class Tails:
    """The distribution of ``t*`` of each column.

    Attributes:
        ordered: In rising order along the last axis, shape (m, resamples); NaN last.
        known: How many are not NaN, shape (m,). A resample in which no row of a column is present
            says nothing of it.
    """

    ordered: Floats
    known: NDArray[np.int64]

    @classmethod
    def of(cls, centre: Floats, se: Floats) -> Tails:
        """Sort ``t* = centre / se``, both of shape (resamples, m)."""
        scale = TIE * np.sqrt(np.nanmean(centre**2, axis=0))
        with np.errstate(divide="ignore", invalid="ignore"):
            t = np.where(se > scale, centre / se, np.sign(centre) * np.inf)
        # Neither moved nor spread: the resample repeats the mean itself.
        t = np.where((se <= scale) & (np.abs(centre) <= scale), 0.0, t)
        ordered = np.sort(np.ascontiguousarray(t.T), axis=1)
        return cls(ordered, (~np.isnan(ordered)).sum(axis=1))

    def quantiles(self, level: float) -> Floats:
        """Return the quantiles (a/2, 1 - a/2), shape (2, m): order statistics, never interpolated."""
        ends = [self._order_statistic(share) for share in ((1 - level) / 2, (1 + level) / 2)]
        return np.asarray(np.stack(ends))

    def _order_statistic(self, share: float) -> Floats:
        # An interpolation could meet an infinity.
        place = np.ceil(share * self.known - 1e-9).astype(np.int64) - 1
        return np.asarray(self.ordered[np.arange(len(self.known)), np.maximum(place, 0)])

    def p(self, observed: Floats, df: Floats) -> Floats:
        """Return two-sided p values of observed t statistics, by twice the smaller tail.

        Corrected levels lie far out, where few resamples are. Beyond the ``TAIL`` most extreme ones
        the tail is that of Student's t with ``df`` degrees of freedom, scaled to pass through there.
        """
        least = np.array(
            [
                min(
                    _upper_tail(row[:n], t, d),
                    _upper_tail(-row[:n][::-1], -t, d),
                )
                for row, n, t, d in zip(self.ordered, self.known, observed, df, strict=True)
            ]
        )
        return np.asarray(np.minimum(2 * least, 1.0))


def _upper_tail(ordered: Floats, observed: float, df: float) -> float:
    """Return P(t* >= observed) of rising ``ordered``."""
    n = len(ordered)
    beyond = max(10, math.ceil(TAIL * n))
    if n > beyond and observed > (edge := float(ordered[n - beyond])) and 0 < edge < math.inf:
        scale = edge / float(student.isf(beyond / n, df))
        return float(student.sf(observed / scale, df))
    return (1 + n - int(np.searchsorted(ordered, observed, side="left"))) / (1 + n)


def student_interval(
    sums: ClusterSums, column: int, *, level: float, span: float
) -> tuple[float, float, float, float]:
    """Return Student's interval of a column, its standard error and its p that the mean is zero.

    Where clusters are tied at the median, two are added first, see :func:`padded`; dense data are
    taken as they are.
    """
    present = sums.counts[:, column] > 0
    means, counts = sums.means[present, column], sums.counts[present, column]
    if len(means) - int(away_from_median(means[:, None])[0]) >= 2:
        means, counts = padded(means, span), np.append(counts, [counts.mean()] * 2)
    weighted = ClusterSums.of_means(means, counts)
    se = float(weighted.se[0])
    df = max(float(sums.effective[column]) - 1, 1e-3)
    middle, half = float(weighted.mean[0]), student_quantile(level, df) * se
    p = 2 * float(student.sf(abs(middle) / se, df)) if se > 0 else float(middle == 0)
    return middle - half, middle + half, se, p


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
