"""Collects every quantity a summary needs, then estimates and tests them all in one go."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.analysis.estimates import Estimate, Method
from harness.stats.bootstrap import Intervals, studentised_bootstrap
from harness.stats.closed_forms import Floats, clustered_wilson
from harness.stats.significance import holm, minimum_detectable_effect, sign_flip_test
from harness.util.digest import derived_seed

Test = Literal["headline", "detail"]

POWER = 0.8
"""Probability with which the smallest detectable effect is seen."""


def number(value: float | None) -> float | None:
    """Return a finite number at six significant digits, else None: what JSON can carry."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}") + 0.0


@dataclass(frozen=True)
class BootstrapSettings:
    """How intervals and tests are made.

    Attributes:
        seed: Seed of the run.
        resamples: Bootstrap resamples, and least number of sign flips.
        level: Confidence level of every interval.
    """

    seed: int
    resamples: int = 10_000
    level: float = 0.95


@dataclass(frozen=True)
class Quantity:
    """A mean that is asked for.

    Attributes:
        values: One value a prompt, NaN where it has none.
        low: Least possible value.
        high: Greatest possible value.
        test: The group of tests against zero that it belongs to; None is no test.
        trials: Answers behind the values when they are rates; asks for a Wilson interval.
    """

    values: Floats
    low: float
    high: float
    test: Test | None
    trials: int | None


class QuantityLedger:
    """Quantities by key; ``solve`` turns each into an estimate.

    Args:
        size: Number of source prompts: the length of every vector that is entered.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._quantities: dict[Hashable, Quantity] = {}
        self.tests = 0

    def enter(
        self,
        key: Hashable,
        values: Floats,
        scale: tuple[float, float],
        *,
        test: Test | None = None,
        trials: int | None = None,
    ) -> None:
        """Ask for the mean of ``values`` over the prompts.

        Args:
            key: Names the quantity.
            values: Shape (size,), NaN where the prompt has none.
            scale: Least and greatest possible value.
            test: The group of tests against zero it belongs to; None is no test.
            trials: Answers behind the values when they are rates; asks for a Wilson interval.
        """
        self._quantities[key] = Quantity(values, scale[0], scale[1], test, trials)

    def solve(self, settings: BootstrapSettings) -> dict[Hashable, Estimate]:
        """Estimate and test everything that was entered, by key."""
        quantities = list(self._quantities.values())
        if not quantities:
            return {}
        matrix = np.stack([quantity.values for quantity in quantities], axis=1)
        intervals = studentised_bootstrap(
            matrix,
            rng=np.random.default_rng(derived_seed(settings.seed, "bootstrap")),
            resamples=settings.resamples,
            level=settings.level,
            low=np.array([quantity.low for quantity in quantities]),
            high=np.array([quantity.high for quantity in quantities]),
        )
        p_values = self._test(quantities, matrix, settings)
        return {
            key: _estimate(quantity, intervals, i, p_values.get(i), settings.level)
            for i, (key, quantity) in enumerate(self._quantities.items())
        }

    def _test(
        self, quantities: list[Quantity], matrix: Floats, settings: BootstrapSettings
    ) -> dict[int, tuple[float, float]]:
        """Test by sign flips, and correct by Holm over all tests together.

        Half the error budget goes to the headline tests and half to the rest (weighted Holm): the
        whole page errs at 5 %, and the headline does not pay for every detail that is shown.

        Returns:
            p and adjusted p by index, for the quantities that are tested.
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
        made = ~np.isnan(p)
        weights = np.ones(len(tested))
        for group in (headline & made, ~headline & made):
            if group.any():
                weights[group] = 0.5 / group.sum()
        adjusted = holm(p, weights)
        self.tests = int(made.sum())
        return {i: (float(p[j]), float(adjusted[j])) for j, i in enumerate(tested)}


def _estimate(
    quantity: Quantity,
    intervals: Intervals,
    index: int,
    p_values: tuple[float, float] | None,
    level: float,
) -> Estimate:
    n = int(intervals.n[index])
    method: Method = "adjusted_student" if intervals.adjusted[index] else "studentised_bootstrap"
    low, high = float(intervals.low[index]), float(intervals.high[index])
    if quantity.trials is not None and n >= 2:
        present = quantity.values[~np.isnan(quantity.values)]
        low, high = clustered_wilson(present, quantity.trials, level)
        method = "clustered_wilson"
    se = number(float(intervals.se[index]))
    p, p_holm = p_values or (None, None)
    sd = (se or 0.0) * math.sqrt(max(n, 1))
    return Estimate(
        mean=number(float(intervals.mean[index])),
        low=number(low),
        high=number(high),
        se=se,
        n=n,
        method=method if n >= 2 else "none",
        p=number(p),
        p_holm=number(p_holm),
        mde=None
        if p_values is None
        else number(minimum_detectable_effect(sd, n, POWER, 1 - level)),
    )
