"""Collects every quantity a summary needs, then estimates and tests them all in one go."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import Floats, clustered_wilson
from harness.stats.power import minimum_detectable_effect
from harness.stats.significance import holm, sign_flip_test
from harness.util.digest import derived_seed

Test = Literal["headline", "detail"]


def number(value: float | None) -> float | None:
    """A finite number at six significant digits, else None: what JSON can carry."""
    if value is None or not math.isfinite(value):
        return None
    return float(f"{value:.6g}") + 0.0


@dataclass
class Entry:
    """One quantity: a value a prompt, its scale, and whether zero is to be tested."""

    values: Floats
    low: float
    high: float
    test: Test | None
    trials: int | None


class Ledger:
    """Quantities by key; ``solve`` turns each into a JSON-able estimate.

    Args:
        size: Number of source prompts: the length of every vector that is entered.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._entries: dict[Hashable, Entry] = {}
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
        self._entries[key] = Entry(values, scale[0], scale[1], test, trials)

    def solve(
        self, *, seed: int, resamples: int, level: float, power: float = 0.8
    ) -> dict[Hashable, dict[str, Any]]:
        """Estimate everything that was entered.

        Returns:
            By key: ``mean``, ``low``, ``high``, ``se``, ``n``, ``method``; where it was tested
            also ``p``, ``p_holm`` and ``mde`` (smallest effect seen with 80 % probability).
        """
        keys = list(self._entries)
        if not keys:
            return {}
        entries = [self._entries[key] for key in keys]
        matrix = np.stack([e.values for e in entries], axis=1)
        intervals = studentised_bootstrap(
            matrix,
            rng=np.random.default_rng(derived_seed(seed, "bootstrap")),
            resamples=resamples,
            level=level,
            low=np.array([e.low for e in entries]),
            high=np.array([e.high for e in entries]),
        )
        solved: dict[Hashable, dict[str, Any]] = {}
        for i, (key, entry) in enumerate(zip(keys, entries, strict=True)):
            n = int(intervals.n[i])
            method = "adjusted_student" if intervals.adjusted[i] else "studentised_bootstrap"
            low, high = float(intervals.low[i]), float(intervals.high[i])
            if entry.trials is not None and n >= 2:
                present = entry.values[~np.isnan(entry.values)]
                low, high = clustered_wilson(present, entry.trials, level)
                method = "clustered_wilson"
            solved[key] = {
                "mean": number(float(intervals.mean[i])),
                "low": number(low),
                "high": number(high),
                "se": number(float(intervals.se[i])),
                "n": n,
                "method": method if n >= 2 else "none",
            }
        self._test(keys, entries, matrix, solved, seed, resamples)
        for key, entry in zip(keys, entries, strict=True):
            if entry.test is not None:
                found = solved[key]
                sd = (found["se"] or 0.0) * math.sqrt(max(found["n"], 1))
                found["mde"] = number(minimum_detectable_effect(sd, found["n"], power, 1 - level))
        return solved

    def _test(
        self,
        keys: list[Hashable],
        entries: list[Entry],
        matrix: Floats,
        solved: dict[Hashable, dict[str, Any]],
        seed: int,
        resamples: int,
    ) -> None:
        """Sign-flip tests and Holm over all of them together.

        Half the error budget goes to the headline tests and half to the rest (weighted Holm): the
        whole page errs at 5 %, and the headline does not pay for every detail that is shown.
        """
        tested = [i for i, e in enumerate(entries) if e.test is not None]
        if not tested:
            return
        headline = np.array([entries[i].test == "headline" for i in tested])
        p = sign_flip_test(
            matrix[:, tested],
            rng=np.random.default_rng(derived_seed(seed, "sign_flip")),
            # The least p must be able to pass the correction.
            permutations=max(resamples, 100 * len(tested)),
        )
        made = ~np.isnan(p)
        weights = np.ones(len(tested))
        for group in (headline & made, ~headline & made):
            if group.any():
                weights[group] = 0.5 / group.sum()
        adjusted = holm(p, weights)
        self.tests = int(made.sum())
        for j, i in enumerate(tested):
            solved[keys[i]] |= {"p": number(float(p[j])), "p_holm": number(float(adjusted[j]))}
