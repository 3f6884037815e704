"""Intervals of rates and of ratios of two means, on clusters of prompts.

Sources: Wilson 1927 (score interval of a rate); Korn and Graubard 1998, Confidence Intervals for
Proportions With Small Expected Number of Positive Counts (effective sample size, degrees of freedom
of the clusters); Dean and Pagano 2015 (comparison of such intervals); Fieller 1954 (ratio of means).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from harness.stats.bootstrap import away_from_median, padded, resamplable
from harness.stats.closed_forms import Floats, score_interval, student_quantile, wilson
from harness.stats.cluster_sums import Clustered, ClusterSums

_LEAST_DF = 1e-3


def clustered_wilson(
    values: Floats,
    trials: int,
    level: float = 0.95,
    clusters: NDArray[np.int64] | None = None,
) -> tuple[float, float]:
    """Return Wilson's interval of a mean of per-prompt rates, on its effective sample size.

    Where every answer is a cluster by itself, it is Wilson's. Else the effective size is
    ``p (1 - p) / var(mean)`` with the variance between clusters (Korn and Graubard 1998), and the
    critical value Student's with the clusters' degrees of freedom. Where hits are rare, that variance
    rests on few of them and is too small too often: the interval of a rate of 3 % in 50 clusters of 5
    held the truth in 89 %. So the size is the geometric mean of this one and of that with two
    clusters added, one of hits alone and one of none: 94 to 98.5 % over rates from 3 to 50 %
    (tests/benchmarks/stats_coverage.py).

    Args:
        values: One rate a prompt, no NaN.
        trials: Answers behind all the rates together.
        level: Confidence level.
        clusters: Cluster of each prompt; None where each is its own.
    """
    sums = ClusterSums.of(Clustered(values[:, None], clusters))
    present = int(sums.clusters[0])
    rate = min(max(float(sums.mean[0]), 0.0), 1.0)
    if trials == len(values) == present:
        return wilson(rate, trials, level)
    counts, means = sums.counts[:, 0], sums.means[:, 0]
    seen = _effective_size(sums, present)
    guarded = ClusterSums.of_means(
        np.append(means, [1.0, 0.0]), np.append(counts, [counts.mean()] * 2)
    )
    share = present / (present + 2)
    size = math.sqrt(seen * max(_effective_size(guarded, present) * share, 1.0))
    df = max(float(sums.effective[0]) - 1, _LEAST_DF)
    critical = min(student_quantile(level, df), 1e6)
    return score_interval(rate, min(max(size, 1.0), float(max(trials, 1))), critical)


def _effective_size(sums: ClusterSums, clusters: int) -> float:
    """Return ``p (1 - p) / var(mean)``; without variance, the number of clusters."""
    rate, variance = float(sums.mean[0]), float(sums.se[0]) ** 2
    return max(rate * (1 - rate) / variance, 1.0) if variance > 0 else float(max(clusters, 1))


def fieller(
    numerator: Floats,
    denominator: Floats,
    level: float = 0.95,
    *,
    span: float = 0.0,
    clusters: NDArray[np.int64] | None = None,
) -> tuple[float, float, float] | None:
    """Return the ratio of two paired means, one value of each a prompt, with Fieller's interval.

    Numerator less denominator, or the denominator, may be the same for nearly all prompts: each of the
    two that is gets two clusters more, as in :func:`harness.stats.bootstrap.padded`. That n prompts
    keep all of a gain does not prove that the next one does.

    Args:
        numerator: Shape (n,), NaN is missing.
        denominator: The same.
        level: Confidence level.
        span: Length of the scale of both; 0 for values that are known to be exact.
        clusters: Cluster of each prompt; None where each is its own.

    Returns:
        Ratio, lower and upper end; None if the interval of the denominator holds zero, since the
        set of plausible ratios is then no interval.
    """
    present = ~(np.isnan(numerator) | np.isnan(denominator))
    pair = np.stack([denominator, numerator - denominator], axis=1)[present]
    sums = ClusterSums.of(Clustered(pair, None if clusters is None else clusters[present]))
    if len(pair) < 2 or sums.clusters[0] < 2:
        return None
    means, counts = _with_padding(sums, span)
    total, g = counts.sum(), len(counts)
    middle = counts @ means / total
    moved = counts[:, None] * (means - middle)
    covariance = moved.T @ moved * g / (g - 1) / total**2
    # The numerator is the sum of the two columns.
    top, bottom = float(middle.sum()), float(middle[0])
    var_bottom = float(covariance[0, 0])
    cross = var_bottom + float(covariance[0, 1])
    var_top = float(covariance.sum())
    t2 = student_quantile(level, max(float(sums.effective[0]) - 1, _LEAST_DF)) ** 2
    qa = bottom**2 - t2 * var_bottom
    if not qa > 0 or not sums.mean[0]:
        return None
    qb, qc = top * bottom - t2 * cross, top**2 - t2 * var_top
    root = math.sqrt(max(qb**2 - qa * qc, 0.0))
    ratio = 1 + float(sums.mean[1]) / float(sums.mean[0])
    return ratio, min((qb - root) / qa, ratio), max((qb + root) / qa, ratio)


def _with_padding(sums: ClusterSums, span: float) -> tuple[Floats, Floats]:
    """Return means and counts of the clusters, with two more for each column that is tied."""
    means, counts = sums.means, sums.counts[:, 0]
    more = []
    for column in np.flatnonzero(~resamplable(sums.means)):
        values = sums.means[:, column]
        if len(values) - int(away_from_median(values[:, None])[0]) < 2:
            continue
        rows = np.tile(sums.mean, (2, 1))
        rows[:, column] = padded(values, span)[-2:]
        more.append(rows)
    if not more:
        return means, counts
    added = np.concatenate(more)
    return np.concatenate([means, added]), np.append(counts, [counts.mean()] * len(added))
