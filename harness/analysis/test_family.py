"""Estimates and tests every quantity that a summary needs in one go."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np

from harness.analysis.estimates import CorrectedEstimate, Estimate, Interval, Method
from harness.stats.bootstrap import TIE, Intervals, studentised_bootstrap
from harness.stats.closed_forms import Floats, clustered_wilson
from harness.stats.prediction_powered import PeopleMean
from harness.stats.sequential import GroupSequential
from harness.stats.significance import (
    fewest_flips,
    holm,
    minimum_detectable_effect,
    sign_flip_test,
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


def solve(quantities: Sequence[Quantity], settings: BootstrapSettings) -> dict[Quantity, Estimate]:
    """Estimate and test all quantities of a summary together."""
    if not quantities:
        return {}
    matrix = np.stack([quantity.values for quantity in quantities], axis=1)
    scales = np.array([quantity.scale for quantity in quantities])
    intervals = column_means(matrix, scales, settings, "bootstrap")
    tests = _test(quantities, matrix, settings)
    return {
        quantity: _repeated(
            _estimate(quantity, intervals, i, tests.get(i), settings.level), quantity, settings
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
    values: Floats, scales: Floats, settings: BootstrapSettings, *stream: str
) -> Intervals:
    """Estimate the mean of every column of ``values``.

    Args:
        values: One row a prompt, NaN where it has none.
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


class _Tested(NamedTuple):
    """One test: its p, the corrected one, and the fewest prompts with which that could pass."""

    p: float
    p_holm: float
    needed: int


def _test(
    quantities: Sequence[Quantity], matrix: Floats, settings: BootstrapSettings
) -> dict[int, _Tested]:
    """Test by sign flips, and correct by Holm over all tests together.

    Half the error budget goes to the headline tests and half to the rest (weighted Holm): the
    whole page errs at 5 %, and the headline does not pay for every detail that is shown.

    Returns:
        By index, for the quantities that are tested.
    """
    tested = [i for i, quantity in enumerate(quantities) if quantity.test is not None]
    if not tested:
        return {}
    headline = np.array([quantities[i].test == "headline" for i in tested])
    p = sign_flip_test(
        matrix[:, tested],
        rng=np.random.default_rng(derived_seed(settings.seed, "sign_flip")),
        # The least p must be able to pass the correction.
        permutations=max(settings.resamples, 100 * len(tested)),
    )
    for j, i in enumerate(tested):
        if (by_people := quantities[i].people) is not None:
            p[j] = by_people.p
    if settings.design is not None:
        p = settings.design.repeated_p(p)
    made = ~np.isnan(p)
    weights = np.ones(len(tested))
    for group in (headline & made, ~headline & made):
        if group.any():
            weights[group] = 0.5 / group.sum()
    adjusted = holm(p, weights)
    # Holm's first step: what a test needs where no other passed before it.
    shares = ALPHA * weights / weights[made].sum() if made.any() else weights
    if settings.design is not None:
        distinct, place = np.unique(shares, return_inverse=True)
        shares = np.array([settings.design.nominal(float(share)) for share in distinct])[place]
    return {
        i: _Tested(float(p[j]), float(adjusted[j]), fewest_flips(float(shares[j])))
        for j, i in enumerate(tested)
    }


def _estimate(
    quantity: Quantity,
    intervals: Intervals,
    index: int,
    tested: _Tested | None,
    level: float,
) -> Estimate:
    if quantity.people is not None:
        return _corrected(quantity, quantity.people, tested)
    n, figures = int(intervals.n[index]), figures_of(intervals, index)
    method: Method = "adjusted_student" if intervals.adjusted[index] else "studentised_bootstrap"
    if n < 2:
        method = "none"
    elif quantity.trials is not None:
        present = quantity.values[~np.isnan(quantity.values)]
        low, high = clustered_wilson(present, quantity.trials, level)
        figures |= {"low": number(low), "high": number(high)}
        method = "clustered_wilson"
    if tested is not None:
        sd = (figures["se"] or 0.0) * math.sqrt(max(n, 1))
        mde = minimum_detectable_effect(sd, n, POWER, 1 - level)
        figures |= {"p": number(tested.p), "p_holm": number(tested.p_holm), "mde": number(mde)}
        figures["needed"] = tested.needed
    with np.errstate(invalid="ignore"):
        moved = int((np.abs(quantity.values) > TIE).sum())
    return Estimate(**figures, n=n, method=method, moved=moved)


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
        span=quantity.people_span,
        labelled=people.labelled,
        weight=number(people.weight),
        correlation=number(people.correlation),
        sd=number(people.sd),
        alone=Interval(**alone),
    )
