"""Values of probe records by prompt, and estimates of them: what all of the evidence is made from."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Any

import numpy as np

from harness.analysis.test_family import number
from harness.records import Probe
from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import Floats
from harness.stats.power import minimum_detectable_effect
from harness.stats.two_groups import two_groups
from harness.util.digest import derived_seed

Values = dict[str, float]
"""One value a prompt, by sample id."""

Place = tuple[str, str, str, str]
"""Probe, group, form and the name of a value."""


def by_sample(records: Iterable[Probe], place: Place) -> Values:
    """Mean of a value over the records of each sample."""
    probe, group, form, name = place
    found: dict[str, list[float]] = defaultdict(list)
    for r in records:
        if (r.probe, r.group, r.form) == (probe, group, form) and name in r.values:
            found[r.sample_id].append(r.values[name])
    return {key: sum(values) / len(values) for key, values in found.items()}


def combined(first: Values, second: Values, weight: float = 1.0) -> Values:
    """``weight * first - second`` of the prompts that both have."""
    return {k: weight * first[k] - second[k] for k in sorted(first.keys() & second.keys())}


def token_counts(base: Iterable[Probe], own: Iterable[Probe]) -> list[tuple[int, int]]:
    """How many tokens each text that both rated has for the one and for the other."""
    known = {r.key[:-1]: len(r.logprobs) for r in base if r.probe == "loss" and r.logprobs}
    return [
        (known[r.key[:-1]], len(r.logprobs))
        for r in own
        if r.probe == "loss" and r.logprobs and r.key[:-1] in known
    ]


class Estimator:
    """Means over prompts with their intervals; each has a random stream of its own.

    Args:
        seed: Seed of the run.
        subject: Whose values they are.
        resamples: Bootstrap resamples.
        level: Confidence level.
    """

    def __init__(self, seed: int, subject: str, resamples: int, level: float) -> None:
        self._seed, self._subject = seed, subject
        self._resamples, self.level = resamples, level

    def one(self, name: str, values: Values) -> dict[str, Any] | None:
        """The mean of paired values; None where there are none."""
        if not values:
            return None
        column = _column(values)
        found = studentised_bootstrap(
            column, rng=self._rng(name), resamples=self._resamples, level=self.level
        )
        n, se = int(found.n[0]), float(found.se[0])
        low, high = float(found.low[0]), float(found.high[0])
        if n >= 2 and not np.ptp(column):  # equal to the last digit: no spread is to be made up
            low = high = float(column[0, 0])
        return {
            "mean": number(float(found.mean[0])),
            "low": number(low),
            "high": number(high),
            "n": n,
            "mde": number(minimum_detectable_effect(se * n**0.5, n)) if n >= 3 else None,
        }

    def two(
        self, name: str, first: Values, second: Values, weights: tuple[float, float]
    ) -> dict[str, Any] | None:
        """A weighted sum of the means of training and clean prompts; None where one has none."""
        if not first or not second:
            return None
        found = two_groups(
            (_column(first), _column(second)),
            rng=self._rng(name),
            weights=weights,
            resamples=self._resamples,
            level=self.level,
        )
        return {
            "mean": number(float(found.mean[0])),
            "low": number(float(found.low[0])),
            "high": number(float(found.high[0])),
            "training": int(found.first[0]),
            "clean": int(found.second[0]),
        }

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng(derived_seed(self._seed, "memorisation", self._subject, name))


def _column(values: Values) -> Floats:
    return np.array([[values[key]] for key in sorted(values)])
