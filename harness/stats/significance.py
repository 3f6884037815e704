"""Tests of paired differences, their correction for multiplicity, and their power.

Sources: Good 2005, Permutation, Parametric and Bootstrap Tests of Hypotheses (sign flips); Holm
1979, A Simple Sequentially Rejective Multiple Test Procedure; Cohen 1988, Statistical Power
Analysis for the Behavioral Sciences, ch. 2; Box and Andersen 1955, Permutation Theory in the
Derivation of Robust Criteria (heavy tails leave a variance fewer degrees of freedom).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize
from scipy.stats import nct, norm, t

from harness.stats.bootstrap import BLOCK_CELLS, Intervals
from harness.stats.closed_forms import Floats
from harness.stats.cluster_sums import TIE, Columns, totals

_EXACT_FLIPS = 13


def sign_flip_test(
    values: Columns, *, rng: np.random.Generator, permutations: int = 10_000
) -> Floats:
    """Return two-sided p-values that columns of paired differences are symmetric about zero.

    Each cluster's sign is flipped as a whole, for all columns at once. Flipping keeps the sum of
    squares, so the mean and the studentised mean order the permutations alike. With at most 13
    sums that are not zero every flip is enumerated; else ``p = (1 + hits) / (1 + flips)``.

    Args:
        values: Differences, shape (n, m), NaN is missing; with clusters as :class:`Clustered`.
        rng: Stream for the flips.
        permutations: How many random flips.

    Returns:
        Shape (m,); NaN where a column has fewer than two clusters, 1 where all sums are zero.
    """
    filled, counts = totals(values)
    present = counts > 0
    rows, columns = filled.shape
    filled[np.abs(filled) <= TIE] = 0.0
    observed = np.abs(filled.sum(axis=0))
    # A flip that ties with the data counts as a hit, whatever rounding its order of summation adds.
    bar = observed - 1e-9 * np.maximum(np.abs(filled).sum(axis=0), TIE)
    moved = (filled != 0).sum(axis=0)
    p = np.full(columns, np.nan)
    enough = present.sum(axis=0) >= 2
    p[enough & (moved == 0)] = 1.0
    for column in np.flatnonzero(enough & (moved > 0) & (moved <= _EXACT_FLIPS)):
        d = filled[filled[:, column] != 0, column]
        signs = _all_signs(len(d))
        p[column] = float(np.mean(np.abs(signs @ d) >= bar[column]))
    drawn = np.flatnonzero(enough & (moved > _EXACT_FLIPS))
    if drawn.size:
        hits = np.zeros(drawn.size)
        step = max(1, min(permutations, BLOCK_CELLS // max(rows, 1)))
        for start in range(0, permutations, step):
            count = min(step, permutations - start)
            signs = rng.integers(0, 2, size=(count, rows)).astype(np.float64) * 2 - 1
            hits += (np.abs(signs @ filled[:, drawn]) >= bar[drawn]).sum(axis=0)
        p[drawn] = (1 + hits) / (1 + permutations)
    return p


FEW_CLUSTERS = 20
"""Effective clusters below which Student's test gets fewer degrees of freedom, see :func:`cautious_df`."""


def cautious_df(clusters: Floats | float) -> Floats:
    """Return the degrees of freedom that a standard error from so few clusters is trusted with.

    ``(n - 1) n / 20`` below 20 effective clusters, else ``n - 1``. With kurtosis k a variance from n
    values has only ``2 / (2 / (n - 1) + k / n)`` (Box and Andersen 1955), and so few values show
    neither k nor their skewness. The ramp is chosen by simulation: with skewness 2 and from 8 clusters
    on, a headline of three differences in which nothing is true errs in at most 2.5 %, as it does with
    20 and more without the ramp (tests/benchmarks/stats_coverage.py). One test alone still errs more
    often than its level there: ten values do not show enough of such a skewness.
    """
    n = np.asarray(clusters, dtype=np.float64)
    return np.asarray(np.maximum((n - 1) * np.minimum(1.0, n / FEW_CLUSTERS), 1e-3))


def cautious_p(intervals: Intervals) -> Floats:
    """Return the p of each interval against zero that is to be set beside the sign flips', shape (m,).

    The interval's own; with fewer than :data:`FEW_CLUSTERS` effective clusters the larger of it and
    Student's at :func:`cautious_df`: where few clusters are skewed, neither interval nor sign flips
    know how far the standard error can be trusted.
    """
    p = intervals.p.copy()
    few = (intervals.effective < FEW_CLUSTERS) & (intervals.se > 0)
    observed = np.abs(intervals.mean[few]) / intervals.se[few]
    p[few] = np.maximum(p[few], 2 * t.sf(observed, cautious_df(intervals.effective[few])))
    return np.asarray(p)


def untied(values: Columns) -> NDArray[np.int64]:
    """Count the clusters of each column whose sum is not zero: those that a sign flip moves."""
    sums, _ = totals(values)
    return np.asarray((np.abs(sums) > TIE).sum(axis=0), dtype=np.int64)


def fewest_flips(alpha: float) -> int:
    """Return the fewest differences that are not zero with which the sign-flip test can reach ``alpha``.

    With m of them the least p is ``2 / 2**m``: all have one sign, and only the flip of all ties.

    Raises:
        ValueError: ``alpha`` is no probability above zero.
    """
    if not 0 < alpha <= 1:
        raise ValueError(f"alpha must be above 0 and at most 1, not {alpha}")
    return max(1, math.ceil(1 - math.log2(alpha)))


def can_show(untied_clusters: int, alpha: float) -> bool:
    """Return whether any difference could pass a test at ``alpha`` with so many untied clusters."""
    return untied_clusters >= fewest_flips(alpha)


@lru_cache(maxsize=_EXACT_FLIPS + 1)
def _all_signs(n: int) -> Floats:
    """Return every pattern of n signs, shape (2**n, n)."""
    bits = (np.arange(2**n)[:, None] >> np.arange(n)) & 1
    return bits.astype(np.float64) * 2 - 1


def holm(p: Floats, weights: Floats | None = None) -> Floats:
    """Return Holm's step-down adjusted p-values (weighted: Holm 1979, section 4).

    Args:
        p: Shape (m,); NaN is a test that was not made and does not belong to the family.
        weights: Shares of the error budget, positive; equal by default.
    """
    p = np.asarray(p, dtype=np.float64)
    w = np.ones_like(p) if weights is None else np.asarray(weights, dtype=np.float64)
    made = np.flatnonzero(~np.isnan(p))
    order = made[np.argsort(p[made] / w[made], kind="stable")]
    remaining = np.cumsum(w[order][::-1])[::-1]
    adjusted = np.full_like(p, np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] / w[order] * remaining), 1.0)
    return adjusted


def first_step(weights: Floats, level: float = 0.05) -> Floats:
    """Return the p that each test of a family must reach at Holm's first step, shape (m,).

    The smallest weighted p decides the first step and must be at most ``level * w / sum(w)``. Later
    steps are easier, but only where other tests have passed: this is what a test can count on.

    Args:
        weights: Shares of the error budget of the tests that are made, see :func:`holm`.
        level: Family-wise error.
    """
    w = np.asarray(weights, dtype=np.float64)
    return np.asarray(level * w / w.sum())


THREE_P = 0.7
"""How much power the largest of three p values costs: a multiple of ``z^2 / ((z + 0.84) n)``, the
relative shift of the bootstrap's critical value by the chance skewness of n values. Fitted to
simulations with 8 to 100 prompts at levels from 0.05 to 0.001, where it makes 0.8 of a nominal 0.8 to
within 0.02, below 20 prompts 0.04 (tests/benchmarks/stats_coverage.py)."""


@lru_cache(maxsize=4096)
def _standardised_effect(n: float, power: float, alpha: float) -> float:
    """Return the least mean over standard deviation that the report's test finds in n clusters.

    With a true standardised effect ``d`` the t statistic follows the non-central t distribution with
    ``n - 1`` degrees of freedom and non-centrality ``d sqrt(n)``; the far tail is left out. The test
    takes the largest of three p values (sign flips, Student's, the bootstrap's), which differ by
    chance and ask for a little more, see :data:`THREE_P`. Few clusters must pass at the degrees of
    freedom of :func:`cautious_df`, which asks for more than that. With the fewest clusters that sign
    flips can judge, all must have the same sign. Infinite below three clusters, and below those.
    """
    fewest = fewest_flips(alpha)
    if n < 3 or n < fewest:
        return math.inf

    def seen_at(df: float) -> float:
        critical = float(t.isf(alpha / 2, df))

        def missing_power(effect: float) -> float:
            return float(nct.sf(critical, n - 1, effect * math.sqrt(n))) - power

        return float(optimize.brentq(missing_power, 1e-6, 40.0 / math.sqrt(n) + 10.0))

    z = float(norm.isf(alpha / 2))
    cost = THREE_P * z**2 / ((z + float(norm.ppf(power))) * n)
    effect = seen_at(n - 1) * (1 + cost)
    if n < FEW_CLUSTERS:
        # Made stricter, Student's decides more often, and the other two cost a third (simulated too).
        effect = max(effect, seen_at(float(cautious_df(n))) * (1 + cost / 3))
    if n < fewest + 1:
        # Half of what may be missed goes to a single sign that differs.
        effect = max(effect, float(norm.ppf(((1 + power) / 2) ** (1 / n))))
    return effect


def minimum_detectable_effect(
    sd: float, n: float, power: float = 0.8, alpha: float = 0.05
) -> float:
    """Return the least true mean difference that n clusters show with probability ``power``.

    It is in units of ``sd``, the standard error of the mean times ``sqrt(n)``: with one prompt a
    cluster, the standard deviation of the per-prompt differences. ``n`` may be an effective number;
    ``alpha`` is the two-sided level that the p of a single test must reach, see :func:`first_step`.
    """
    effect = _standardised_effect(n, power, alpha)
    return effect if math.isinf(effect) else effect * sd


def required_prompts(effect: float, sd: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Return the fewest prompts with which a true mean difference of ``effect`` is found.

    The prompts are unrelated; of related ones it is their effective number.

    Raises:
        ValueError: ``effect`` is not positive or ``sd`` is negative.
    """
    if effect <= 0 or sd < 0:
        raise ValueError(f"the effect must be positive and sd not negative: {effect}, {sd}")

    def negative(n: int) -> float:  # rises with n, as bisection needs it
        return -minimum_detectable_effect(sd, n, power, alpha)

    ceiling = 4
    while -negative(ceiling) > effect:
        ceiling *= 2
    return bisect_left(range(ceiling + 1), -effect, lo=ceiling // 2, key=negative)
