"""Estimates and tests every quantity that a summary needs in one go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.analysis.estimates import CorrectedEstimate, Estimate, Interval, Method
from harness.stats.bootstrap import Intervals, studentised_bootstrap
from harness.stats.closed_forms import Floats
from harness.stats.cluster_sums import Clustered, Columns
from harness.stats.prediction_powered import PeopleMean
from harness.stats.ratios import clustered_wilson
from harness.stats.sequential import GroupSequential
from harness.stats.significance import (
    cautious_p,
    fewest_flips,
    first_step,
    holm,
    minimum_detectable_effect,
    sign_flip_test,
    untied,
)
from harness.util.digest import derived_seed

Test = Literal["headline", "detail"]

ALPHA = 0.05
"""Greatest corrected p with which the words of a report call a difference certain."""

POWER = 0.8
"""Probability with which the smallest detectable effect is seen."""


def number(value: float | None) -> float | None:
    """Return a finite number at six significant digits, else None: what JSON can carry."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}") + 0.0


def mean_of(values: Floats) -> float | None:
    """Return the mean of what is present; None where nothing is."""
    return None if np.isnan(values).all() else number(float(np.nanmean(values)))


@dataclass(frozen=True)
class BootstrapSettings:
    """How intervals and tests are made.

    Attributes:
        seed: Seed of the run.
        resamples: Bootstrap resamples, and least number of sign flips.
        level: Confidence level of every interval.
        design: Looks at a growing run, which tests and the intervals of what is tested allow for.
    """

    seed: int
    resamples: int = 10_000
    level: float = 0.95
    design: GroupSequential | None = None


@dataclass(frozen=True, eq=False)
class Quantity:
    """A mean that is asked for.

    Attributes:
        values: One value a prompt, NaN where it has none.
        scale: Least and greatest possible value.
        test: The group of tests against zero that it belongs to; None is no test.
        trials: Answers behind the values when they are rates; asks for a Wilson interval.
        people: The mean itself with its p value, where people's labels make it; ``values`` are then
            what people said, and neither bootstrap nor sign flips are used.
        people_span: Width of the scale that people used for one answer.
    """

    values: Floats
    scale: tuple[float, float]
    test: Test | None = None
    trials: int | None = None
    people: PeopleMean | None = None
    people_span: float = 0.0


class _Tested(NamedTuple):
    """What the tests say of one quantity.

    Attributes:
        p: Against zero; at every look so far, where looks at a growing run were declared.
        p_holm: The same after Holm's correction.
        alpha: What ``p`` must reach at Holm's first step.
        nominal: What the p of this look alone must reach for that.
    """

    p: float
    p_holm: float
    alpha: float
    nominal: float


def solve(
    quantities: Sequence[Quantity],
    settings: BootstrapSettings,
    families: NDArray[np.int64] | None = None,
) -> dict[Quantity, Estimate]:
    """Estimate and test all quantities of a summary together.

    ``families`` are the clusters of the prompts, see :attr:`harness.analysis.table.Table.families`:
    they are drawn and flipped whole. None: every prompt is its own.
    """
    if not quantities:
        return {}
    matrix = np.stack([quantity.values for quantity in quantities], axis=1)
    scales = np.array([quantity.scale for quantity in quantities])
    data = Clustered(matrix, families)
    intervals = column_means(data, scales, settings, "bootstrap")
    tested, moved = _test(quantities, data, intervals, settings), untied(data).tolist()
    return {
        quantity: _repeated(
            _estimate(
                _Solved(quantity, intervals, i, families, moved[i]), tested.get(i), settings.level
            ),
            quantity,
            settings,
        )
        for i, quantity in enumerate(quantities)
    }


def _repeated(estimate: Estimate, quantity: Quantity, settings: BootstrapSettings) -> Estimate:
    """Widen the interval of what is tested so that it holds at every look at a growing run."""
    low, high, mean = estimate.low, estimate.high, estimate.mean
    if settings.design is None or quantity.test is None or None in (low, high, mean):
        return estimate
    assert low is not None
    assert high is not None
    assert mean is not None
    factor = settings.design.widening(settings.level, estimate.n)
    least, most = quantity.scale
    ends = {
        "low": number(max(least, mean - factor * (mean - low))),
        "high": number(min(most, mean + factor * (high - mean))),
    }
    return estimate.model_copy(update=ends)


def column_means(
    values: Columns, scales: Floats, settings: BootstrapSettings, *stream: str
) -> Intervals:
    """Estimate the mean of every column of ``values``.

    Args:
        values: One row a prompt, NaN where it has none; with clusters as ``Clustered``.
        scales: Least and greatest possible value of each column, shape (columns, 2).
        settings: How intervals are made.
        stream: Names the stream of random numbers.
    """
    return studentised_bootstrap(
        values,
        rng=np.random.default_rng(derived_seed(settings.seed, *stream)),
        resamples=settings.resamples,
        level=settings.level,
        low=scales[:, 0],
        high=scales[:, 1],
    )


def figures_of(intervals: Intervals, column: int) -> dict[str, Any]:
    """Return mean, interval and standard error of one column, by the names of an estimate."""
    return {
        "mean": number(float(intervals.mean[column])),
        "low": number(float(intervals.low[column])),
        "high": number(float(intervals.high[column])),
        "se": number(float(intervals.se[column])),
    }


def family_weights(headline: NDArray[np.bool_]) -> Floats:
    """Return the shares of the error budget of the tests that are made, shape (tests,).

    Half goes to the headline tests and half to the rest: the whole page errs at 5 %, and the headline
    does not pay for every detail that is shown.
    """
    weights = np.ones(len(headline))
    for group in (headline, ~headline):
        if group.any():
            weights[group] = 0.5 / group.sum()
    return weights


def _test(
    quantities: Sequence[Quantity],
    data: Clustered,
    intervals: Intervals,
    settings: BootstrapSettings,
) -> dict[int, _Tested]:
    """Test by sign flips and by the interval, and correct by weighted Holm over all tests together.

    The p of a quantity is the larger of the two: sign flips reject skewed differences too often, the
    bootstrap needs more prompts for small p, and no p may contradict the interval beside it. Of few
    prompts the interval's is made stricter, see :func:`harness.stats.significance.cautious_p`.
    """
    tested = [i for i, quantity in enumerate(quantities) if quantity.test is not None]
    if not tested:
        return {}
    columns = Clustered(data.values[:, tested], data.clusters)
    flips = sign_flip_test(
        columns,
        rng=np.random.default_rng(derived_seed(settings.seed, "sign_flip")),
        # The least p must be able to pass the correction.
        permutations=max(settings.resamples, 100 * len(tested)),
    )
    p = np.maximum(flips, cautious_p(intervals)[tested])
    for j, i in enumerate(tested):
        if (by_people := quantities[i].people) is not None:
            p[j] = by_people.p
    if settings.design is not None:
        p = settings.design.repeated_p(p)
    made = np.flatnonzero(~np.isnan(p))
    weights, alpha = np.ones(len(tested)), np.full(len(tested), np.nan)
    if made.size:
        headline = np.array([quantities[tested[j]].test == "headline" for j in made])
        weights[made] = family_weights(headline)
        alpha[made] = first_step(weights[made], ALPHA)
    nominal = alpha.copy()
    if settings.design is not None and made.size:
        distinct, place = np.unique(alpha[made], return_inverse=True)
        by_share = [settings.design.nominal(float(share)) for share in distinct]
        nominal[made] = np.array(by_share)[place]
    rows = zip(p, holm(p, weights), alpha, nominal, strict=True)
    return {i: _Tested(*map(float, figures)) for i, figures in zip(tested, rows, strict=True)}


class _Solved(NamedTuple):
    """One quantity and its place among the intervals."""

    quantity: Quantity
    intervals: Intervals
    column: int
    families: NDArray[np.int64] | None
    moved: int


def _estimate(solved: _Solved, tested: _Tested | None, level: float) -> Estimate:
    quantity, intervals, index, families, moved = solved
    if quantity.people is not None:
        return _corrected(quantity, quantity.people, tested)
    n, figures = int(intervals.n[index]), figures_of(intervals, index)
    clusters, effective = int(intervals.clusters[index]), float(intervals.effective[index])
    method: Method = "adjusted_student" if intervals.adjusted[index] else "studentised_bootstrap"
    if clusters < 2:
        method = "none"
    elif quantity.trials is not None:
        present = ~np.isnan(quantity.values)
        low, high = clustered_wilson(
            quantity.values[present],
            quantity.trials,
            level,
            None if families is None else families[present],
        )
        figures |= {"low": number(low), "high": number(high)}
        method = "clustered_wilson"
    if tested is not None:
        figures |= {"p": number(tested.p), "p_holm": number(tested.p_holm)}
        if not math.isnan(tested.nominal):
            sd = (figures["se"] or 0.0) * math.sqrt(max(effective, 1.0))
            mde = minimum_detectable_effect(sd, effective, POWER, tested.nominal)
            figures |= {"alpha": number(tested.alpha), "mde": number(mde)}
            figures["needed"] = fewest_flips(tested.nominal)
    return Estimate(**figures, n=n, clusters=clusters, method=method, moved=moved)


def _corrected(quantity: Quantity, people: PeopleMean, tested: _Tested | None) -> CorrectedEstimate:
    """Write down a mean that people's labels make, cut to the scale."""
    least, most = quantity.scale
    mean, low, high = (min(max(x, least), most) for x in (people.mean, people.low, people.high))
    alone = dict(zip(("mean", "low", "high"), map(number, people.alone), strict=True))
    return CorrectedEstimate(
        mean=number(mean),
        low=number(low),
        high=number(high),
        se=number(people.se),
        n=people.prompts,
        method="prediction_powered",
        p=None if tested is None else number(tested.p),
        p_holm=None if tested is None else number(tested.p_holm),
        alpha=None if tested is None else number(tested.alpha),
        span=quantity.people_span,
        labelled=people.labelled,
        weight=number(people.weight),
        correlation=number(people.correlation),
        sd=number(people.sd),
        alone=Interval(**alone),
    )
