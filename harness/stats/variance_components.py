"""Components of variance of unbalanced nested answers: prompt, kind within prompt, variant, repeat.

An answer's value is ``kind + prompt + prompt x kind + variant + repeat``, the kinds fixed and the rest
random. Half the mean squared difference of two values that share everything down to a level, and
differ from there on, is the sum of the components below it; so the components are differences between
the levels. No distribution and no balance are needed, and each is unbiased, negative estimates
included, which say that a component is small.

Source: Koch 1968, Some Further Remarks Concerning "A General Approach to the Estimation of Variance
Components", Technometrics 10, 551-558 (symmetric sums of squared differences); Searle, Casella and
McCulloch 1992, Variance Components, ch. 5 (unbalanced data). Intervals are percentiles of a bootstrap
that resamples clusters of prompts whole.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.stats.closed_forms import Floats

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class NestedValues:
    """Values with what each belongs to, all of shape (values,).

    Attributes:
        value: No NaN.
        prompt: Number of the prompt.
        kind: Number of the kind.
        variant: Number of the variant, unique over all prompts and kinds.
        cluster: Number of the cluster of each prompt, shape (prompts,): independent of each other.
    """

    value: Floats
    prompt: Ints
    kind: Ints
    variant: Ints
    cluster: Ints


class Component(NamedTuple):
    """A variance with its interval; None where the values do not tell it.

    ``low`` and ``high`` are None with it, or with too few clusters.
    """

    variance: float | None
    low: float | None = None
    high: float | None = None


class Components(NamedTuple):
    """The components, from the outermost on.

    A level that the values do not hold twice (one variant a kind, one answer a variant) cannot be told
    from the one above it: it is None, and its variance is part of that.
    """

    prompt: Component
    kind: Component
    variant: Component
    repeat: Component


LEVELS = Components._fields


class _Sums(NamedTuple):
    """Squared differences and their number, by level and prompt, shape (4, prompts)."""

    squares: Floats
    pairs: Floats


def components(
    data: NestedValues, *, rng: np.random.Generator, resamples: int = 1000, level: float = 0.95
) -> Components:
    """Estimate the components of variance with bootstrap intervals.

    Args:
        data: Values of two prompts or more.
        rng: Stream for the resamples.
        resamples: How many.
        level: Confidence level.
    """
    prompts = len(data.cluster)
    centred = data.value - _mean_by(data.kind, data.value)[data.kind]
    sums = _within(data, centred)
    moments = _moments(centred, data.prompt, prompts)
    estimate = _levels(np.ones((1, prompts)), sums, moments)[0]
    clusters = np.unique(data.cluster, return_inverse=True)[1]
    count = int(clusters.max()) + 1
    if count < 3:
        return Components(*(Component(_number(x)) for x in estimate))
    drawn = rng.integers(0, count, size=(resamples, count))
    drawn += np.arange(resamples)[:, None] * count
    weights = np.bincount(drawn.ravel(), minlength=resamples * count).reshape(resamples, count)
    resampled = _levels(weights[:, clusters].astype(np.float64), sums, moments)
    tail = (1 - level) / 2
    made = []
    for index, value in enumerate(estimate):
        known = resampled[~np.isnan(resampled[:, index]), index]
        if np.isnan(value) or len(known) < resamples / 2:
            made.append(Component(_number(value)))
            continue
        low, high = np.quantile(known, [tail, 1 - tail])
        made.append(Component(float(value), float(low), float(high)))
    return Components(*made)


def _number(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def _mean_by(group: Ints, values: Floats) -> Floats:
    counts = np.bincount(group)
    return np.asarray(np.bincount(group, weights=values) / np.maximum(counts, 1))


def _within(data: NestedValues, centred: Floats) -> _Sums:
    """Add up squared differences within variants, within kinds and within prompts, by prompt.

    A group is weighted so that it counts as often as it has parts less one: with balanced data these
    are the mean squares of an analysis of variance.
    """
    _, variant = np.unique(data.variant, return_inverse=True)
    kind_key = data.prompt * (int(data.kind.max(initial=0)) + 1) + data.kind
    _, kind = np.unique(kind_key, return_inverse=True)
    single = np.arange(len(centred))
    prompts = len(data.cluster)
    rows = []
    # The values differ by kind means that were estimated: of K kinds over P prompts, by 1 - 1/P.
    shrunk = max(1 - 1 / max(prompts, 2), 0.5)
    for outer, inner, factor in (
        (variant, single, 1.0),
        (kind, variant, 1.0),
        (data.prompt, kind, shrunk),
    ):
        rows.append(_pairs(centred, outer, inner, data.prompt, prompts, factor))
    return _Sums(np.stack([row[0] for row in rows]), np.stack([row[1] for row in rows]))


def _pairs(
    values: Floats, outer: Ints, inner: Ints, prompt: Ints, prompts: int, factor: float
) -> tuple[Floats, Floats]:
    """Average half the squared differences of values of one outer and two inner groups, by prompt.

    Returns:
        Sum over the prompt's outer groups of that average times the number of inner groups less one,
        and the sum of those weights.
    """
    groups = int(outer.max(initial=-1)) + 1
    parts = int(inner.max(initial=-1)) + 1
    n, total, square = _three(values, outer, groups)
    n_in, total_in, square_in = _three(values, inner, parts)
    outer_of = np.zeros(parts, dtype=np.int64)
    outer_of[inner] = outer
    spread = n * square - total**2
    spread -= np.bincount(outer_of, weights=n_in * square_in - total_in**2, minlength=groups)
    pairs = (n**2 - np.bincount(outer_of, weights=n_in**2, minlength=groups)) / 2
    inner_count = np.bincount(outer_of, minlength=groups)
    weight = np.where(pairs > 0, inner_count - 1.0, 0.0)
    # Only the differences of the inner groups' means are shrunk, not what varies within them.
    deviations = np.where(n_in > 0, square_in - total_in**2 / np.maximum(n_in, 1), 0.0)
    others = n[outer_of] - n_in
    inside = np.bincount(outer_of, weights=deviations * others, minlength=groups)
    half = np.maximum(2 * pairs, 1)
    mean = np.where(pairs > 0, (spread - inside) / half / factor + inside / half, 0.0)
    prompt_of = np.zeros(groups, dtype=np.int64)
    prompt_of[outer] = prompt
    return (
        np.asarray(np.bincount(prompt_of, weights=weight * mean, minlength=prompts), np.float64),
        np.asarray(np.bincount(prompt_of, weights=weight, minlength=prompts), np.float64),
    )


def _three(values: Floats, group: Ints, groups: int) -> tuple[Floats, Floats, Floats]:
    """Count the values of each group, and add up them and their squares."""
    n = np.bincount(group, minlength=groups).astype(np.float64)
    total = np.asarray(np.bincount(group, weights=values, minlength=groups), np.float64)
    squares = np.bincount(group, weights=values**2, minlength=groups)
    return n, total, np.asarray(squares, np.float64)


def _moments(values: Floats, prompt: Ints, prompts: int) -> Floats:
    """Return number, sum, sum of squares, number squared, and what pairs within each prompt add."""
    n, total, square = _three(values, prompt, prompts)
    return np.stack([n, total, square, n**2, n * square - total**2], axis=1)


def _levels(weights: Floats, sums: _Sums, moments: Floats) -> Floats:
    """Return the four components for prompts taken ``weights`` times, shape (rows, 4); NaN unknown."""
    pairs = weights @ sums.pairs.T
    with np.errstate(invalid="ignore", divide="ignore"):
        within = np.where(pairs > 0, (weights @ sums.squares.T) / pairs, np.nan)
        n, total, square, squared, inside = (weights @ moments).T
        between = (n * square - total**2 - inside) / (n**2 - squared)
    # From the innermost level on; an unknown level's variance is part of the next one out.
    levels = np.full((len(weights), 4), np.nan)
    below = np.zeros(len(weights))
    for place, level in ((3, within[:, 0]), (2, within[:, 1]), (1, within[:, 2]), (0, between)):
        known = ~np.isnan(level)
        levels[:, place] = np.where(known, level - below, np.nan)
        below = np.where(known, level, below)
    return levels


class PooledVariance(NamedTuple):
    """A variance pooled within groups, and the degrees of freedom behind it."""

    variance: float | None
    freedom: int


def pooled_variance(values: Floats, group: Ints) -> PooledVariance:
    """Pool the variance within groups, n - 1 in each; None without a group of two."""
    groups = int(group.max(initial=-1)) + 1
    n, total, square = _three(values, group, groups)
    freedom = int(np.maximum(n - 1, 0).sum())
    if not freedom:
        return PooledVariance(None, 0)
    spread = square - np.where(n > 0, total**2 / np.maximum(n, 1), 0.0)
    return PooledVariance(max(float(spread.sum()), 0.0) / freedom, freedom)
