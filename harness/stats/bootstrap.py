"""Paired, clustered inference on arrays: no records, no files, no global random state.

Rows are source prompts (the clusters: whatever one prompt was asked for is averaged into one row
first), columns are the quantities to estimate. A missing value is NaN and leaves that row out of
that column only. Everything is vectorised over columns, and all columns share the resamples.

Sources: Efron and Tibshirani, An Introduction to the Bootstrap, ch. 12 (studentised bootstrap);
Field and Welsh 2007 (bootstrapping clustered data); Good, Permutation Tests (sign flips); Holm
1979; Wilson 1927; Fieller 1954; Bonett and Price 2012 (two added pairs for sparse differences).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy import stats as distributions

Floats: TypeAlias = NDArray[np.float64]

FEW_DISTINCT = 15
"""With fewer rows than this away from the median, the studentised bootstrap is not used: on such
sparse data many resamples hold no variation at all (see tests/benchmarks/stats_coverage.py)."""

_BLOCK_CELLS = 4_000_000
_EXACT_FLIPS = 13
_TIE = 1e-9


@dataclass(frozen=True)
class Intervals:
    """Means of m columns with their confidence intervals; every array has shape (m,).

    Attributes:
        mean: Mean over the rows present; NaN where there is none.
        low: Lower end; NaN where fewer than two rows are present.
        high: Upper end.
        se: Standard error of the mean, in the units of the column.
        n: Rows present.
        adjusted: The interval is the adjusted Student one, not the studentised bootstrap.
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
    """Equal-tailed studentised bootstrap of column means; rows are resampled whole.

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
        quantiles = _t_quantiles(values[:, free], rng, resamples, level)
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
    """Mean and sample standard deviation of each column over the rows present."""
    n = present.sum(axis=0)
    filled = np.where(present, values, 0.0)
    mean = np.where(n > 0, filled.sum(axis=0) / np.maximum(n, 1), np.nan)
    centred = np.where(present, values - mean, 0.0)
    sd = np.sqrt((centred**2).sum(axis=0) / np.maximum(n - 1, 1))
    # What remains of equal numbers after centring is rounding, not spread.
    scale = np.abs(filled).max(axis=0, initial=0.0)
    return mean, np.where(sd <= _TIE * scale, 0.0, sd)


def away_from_median(values: Floats) -> NDArray[np.int64]:
    """How many present rows of each column differ from the column's (lower) median."""
    ordered = np.sort(values, axis=0)
    n = (~np.isnan(values)).sum(axis=0)
    if not len(values):
        return np.zeros(values.shape[1], dtype=np.int64)
    median = ordered[np.maximum(n - 1, 0) // 2, np.arange(values.shape[1])]
    with np.errstate(invalid="ignore"):
        away = np.abs(values - median) > _TIE * np.maximum(1.0, np.abs(median))
    return np.asarray(away.sum(axis=0), dtype=np.int64)


def _t_quantiles(values: Floats, rng: np.random.Generator, resamples: int, level: float) -> Floats:
    """Quantiles (a/2, 1 - a/2) of t* for each column, shape (2, m)."""
    rows, columns = values.shape
    present = ~np.isnan(values)
    mean, sd = moments(values, present)
    # Unit scale keeps the squares exact enough to be subtracted.
    z = np.where(present, (values - mean) / np.where(sd > 0, sd, 1.0), 0.0)
    masks, mask_of = np.unique(present, axis=1, return_inverse=True)
    both = np.concatenate([z, z**2, masks.astype(np.float64)], axis=1)
    t = np.empty((resamples, columns))
    step = max(1, min(resamples, _BLOCK_CELLS // rows))
    for start in range(0, resamples, step):
        stop = min(start + step, resamples)
        sums = resample_counts(rng, stop - start, rows) @ both
        n = sums[:, 2 * columns :][:, mask_of.ravel()]
        with np.errstate(divide="ignore", invalid="ignore"):
            centre = sums[:, :columns] / n
            spread = sums[:, columns : 2 * columns] / n - centre**2
            se = np.sqrt(np.maximum(spread, 0.0) / (n - 1))
            t[start:stop] = np.where(se > _TIE, centre / se, np.sign(centre) * np.inf)
    tail = (1 - level) / 2
    # An order statistic, not an interpolation: infinities must not meet.
    return np.asarray(np.nanquantile(t, [tail, 1 - tail], axis=0, method="inverted_cdf"))


def resample_counts(rng: np.random.Generator, resamples: int, rows: int) -> Floats:
    """How often each row is drawn in each resample of ``rows`` rows, shape (resamples, rows)."""
    drawn = rng.integers(0, rows, size=(resamples, rows))
    drawn += np.arange(resamples)[:, None] * rows
    counts = np.bincount(drawn.ravel(), minlength=resamples * rows)
    return counts.reshape(resamples, rows).astype(np.float64)


@lru_cache(maxsize=4096)
def _student(level: float, df: int) -> float:
    """Two-sided critical value of Student's t."""
    return float(distributions.t.ppf((1 + level) / 2, df))


def adjusted_student(values: Floats, *, level: float, span: float) -> tuple[float, float, float]:
    """Student interval after adding two rows, one either side of the median.

    The analogue for means of the interval of Bonett and Price (2012) for paired proportions, which
    adds one pair to each discordant cell. The two rows lie at the median plus and minus the root
    mean square of the deviations that are not zero; where every row is the same, at plus and minus
    half the ``span``, which gives about the width that the rule of three would. An interval is
    thus never of zero width: n equal rows do not prove that the next one is equal too.

    Returns:
        Lower end, upper end and the standard error used.
    """
    centre = float(np.sort(values)[(len(values) - 1) // 2])
    deviation = values - centre
    moved = np.abs(deviation) > _TIE * max(1.0, abs(centre))
    size = float(np.sqrt(np.mean(deviation[moved] ** 2))) if moved.any() else span / 2
    padded = np.append(values, [centre - size, centre + size])
    se = float(padded.std(ddof=1) / math.sqrt(len(padded)))
    half = _student(level, max(len(values) - 1, 1)) * se
    middle = float(padded.mean())
    return middle - half, middle + half, se


def sign_flip_test(
    values: Floats, *, rng: np.random.Generator, permutations: int = 10_000
) -> Floats:
    """Two-sided p-values that columns of paired differences are symmetric about zero.

    Each row's sign is flipped as a whole, for all columns at once. Flipping keeps the sum of
    squares, so the mean and the studentised mean order the permutations alike. With at most 13
    differences that are not zero every flip is enumerated; else ``p = (1 + hits) / (1 + flips)``.

    Args:
        values: Differences, shape (n, m), one row a cluster; NaN is missing.
        rng: Stream for the flips.
        permutations: How many random flips.

    Returns:
        Shape (m,); NaN where a column has fewer than two rows, 1 where all differences are zero.
    """
    values = np.asarray(values, dtype=np.float64)
    rows, columns = values.shape
    present = ~np.isnan(values)
    filled = np.where(present, values, 0.0)
    filled[np.abs(filled) <= _TIE] = 0.0
    observed = np.abs(filled.sum(axis=0))
    # A flip that ties with the data counts as a hit, whatever the order of summation did to it.
    bar = observed - 1e-9 * np.maximum(np.abs(filled).sum(axis=0), _TIE)
    moved = (filled != 0).sum(axis=0)
    p = np.full(columns, np.nan)
    p[(present.sum(axis=0) >= 2) & (moved == 0)] = 1.0
    enough = present.sum(axis=0) >= 2
    for column in np.flatnonzero(enough & (moved > 0) & (moved <= _EXACT_FLIPS)):
        d = filled[filled[:, column] != 0, column]
        signs = _all_signs(len(d))
        p[column] = float(np.mean(np.abs(signs @ d) >= bar[column]))
    drawn = np.flatnonzero(enough & (moved > _EXACT_FLIPS))
    if drawn.size:
        hits = np.zeros(drawn.size)
        step = max(1, min(permutations, _BLOCK_CELLS // max(rows, 1)))
        for start in range(0, permutations, step):
            count = min(step, permutations - start)
            signs = rng.integers(0, 2, size=(count, rows)).astype(np.float64) * 2 - 1
            hits += (np.abs(signs @ filled[:, drawn]) >= bar[drawn]).sum(axis=0)
        p[drawn] = (1 + hits) / (1 + permutations)
    return p


@lru_cache(maxsize=_EXACT_FLIPS + 1)
def _all_signs(n: int) -> Floats:
    """Every pattern of n signs, shape (2**n, n)."""
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return bits.astype(np.float64) * 2 - 1


def holm(p: Floats, weights: Floats | None = None) -> Floats:
    """Holm's step-down adjusted p-values (weighted: Holm 1979, section 4).

    Args:
        p: Shape (m,); NaN is a test that was not made and is no part of the family.
        weights: Shares of the error budget, positive; equal by default.

    Returns:
        Adjusted p-values, shape (m,), NaN where ``p`` is.
    """
    p = np.asarray(p, dtype=np.float64)
    w = np.ones_like(p) if weights is None else np.asarray(weights, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made] / w[made], kind="stable")]
    remaining = np.cumsum(w[order][::-1])[::-1]
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] / w[order] * remaining), 1.0)
    return adjusted


def wilson(rate: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a rate over ``n`` independent trials (n may be an effective size).

    Raises:
        ValueError: ``n`` is not positive or ``rate`` is no rate.
    """
    if n <= 0 or not 0 <= rate <= 1:
        raise ValueError(f"a rate in [0, 1] over n > 0 trials, not {rate} over {n}")
    z = float(distributions.norm.ppf((1 + level) / 2))
    centre = (rate + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(rate * (1 - rate) / n + z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def clustered_wilson(values: Floats, trials: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson interval of a mean of per-cluster rates, on its effective sample size.

    ``n_eff = p (1 - p) / var(mean)`` with the between-cluster variance (Korn and Graubard 1998),
    at most ``trials``; where the variance is zero, the number of clusters.

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
    """Ratio of two paired means with Fieller's interval.

    Args:
        numerator: One value a cluster.
        denominator: Its partner in the same cluster; same shape.
        level: Confidence level.

    Returns:
        Ratio, lower and upper end; None where the denominator's own interval holds zero, since the
        set of plausible ratios is then no interval.
    """
    kept = ~(np.isnan(numerator) | np.isnan(denominator))
    a, b = numerator[kept], denominator[kept]
    n = len(a)
    if n < 2:
        return None
    t2 = _student(level, n - 1) ** 2
    covariance = np.cov(a, b, ddof=1) / n
    top, bottom = float(a.mean()), float(b.mean())
    qa = bottom**2 - t2 * float(covariance[1, 1])
    if qa <= 0:
        return None
    qb = top * bottom - t2 * float(covariance[0, 1])
    qc = top**2 - t2 * float(covariance[0, 0])
    root = math.sqrt(max(qb**2 - qa * qc, 0.0))
    return top / bottom, (qb - root) / qa, (qb + root) / qa


@lru_cache(maxsize=4096)
def standardised_effect(n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Least mean over standard deviation that a two-sided paired t test on n rows finds.

    Solved on the non-central t distribution; infinite below three rows.
    """
    if n < 3:
        return math.inf
    critical = float(distributions.t.ppf(1 - alpha / 2, n - 1))

    def short(effect: float) -> float:
        shift = effect * math.sqrt(n)
        return float(distributions.nct.sf(critical, n - 1, shift)) - power

    return float(optimize.brentq(short, 1e-6, 40.0 / math.sqrt(n) + 10.0))


def minimum_detectable_effect(sd: float, n: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Least true mean difference seen with probability ``power``, in the units of ``sd``.

    Args:
        sd: Standard deviation of the per-prompt differences.
        n: Prompts.
        power: Probability of seeing it.
        alpha: Two-sided level of the test.
    """
    return standardised_effect(n, power, alpha) * sd if sd > 0 else (0.0 if n >= 3 else math.inf)


def required_prompts(effect: float, sd: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Fewest prompts with which a true mean difference of ``effect`` is seen.

    Raises:
        ValueError: ``effect`` is not positive or ``sd`` is negative.
    """
    if effect <= 0 or sd < 0:
        raise ValueError(f"the effect must be positive and sd not negative: {effect}, {sd}")
    low, high = 2, 4
    while minimum_detectable_effect(sd, high, power, alpha) > effect:
        low, high = high, high * 2
    while high - low > 1:
        middle = (low + high) // 2
        if minimum_detectable_effect(sd, middle, power, alpha) > effect:
            low = middle
        else:
            high = middle
    return high


def expected_worst(values: Floats, k: int) -> Floats:
    """Expected least value among k drawn without replacement from each row's values.

    ``sum_j x_(j) C(m - j, k - 1) / C(m, k)`` over a row's m values in rising order: the worst case
    with k equal for all prompts, with no variant thrown away and no chance in the choice.

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
