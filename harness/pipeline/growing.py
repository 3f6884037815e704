"""A run that grows look by look until it has said what was asked: ``jostle run SUITE --until``.

The looks are those that the suite declares (``suite.looks``), equally far apart up to ``data.limit``; the
tests and intervals of each allow for all of them, so it may stop at any.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

from harness.analysis import ALL, Summary
from harness.analysis.estimates import Estimate
from harness.analysis.looks import LookBook
from harness.config import Suite
from harness.errors import ConfigError

DECIDED = "decided"

_WIDTH = re.compile(r"(?:±|\+/-|\+-)?\s*(\d*\.?\d+)")


@dataclass(frozen=True)
class StoppingRule:
    """When a growing run has enough prompts.

    Attributes:
        width: Greatest half width of the intervals of the leading measure's differences, on originals and
            on reworded prompts; None: until both differences are certain.
    """

    width: float | None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``±0.1``, ``0.1`` or ``decided``.

        Raises:
            ConfigError: It is none of them.
        """
        if text.strip() == DECIDED:
            return cls(None)
        match = _WIDTH.fullmatch(text.strip())
        if match is None or float(match[1]) <= 0:
            raise ConfigError(
                f'--until: a width such as "±0.1" in the units of the leading measure, or "{DECIDED}",'
                f" not {text!r}"
            )
        return cls(float(match[1]))

    def met(self, summary: Summary) -> bool:
        """Return whether every compared subject has what was asked for."""
        if self.width is None:
            findings = summary.finding.subjects
            certain = ("better", "worse")
            return bool(findings) and all(
                one.original in certain and one.reworded in certain for one in findings
            )
        rows = [
            row
            for row in summary.contrasts
            if (row.kind, row.scope) == (ALL, summary.headline.scope)
            and row.measure in summary.headline.measures[:1]
        ]
        gains = [gain for row in rows for gain in (row.gain_originals, row.gain_variants)]
        return bool(gains) and all(_half_width(gain) <= self.width for gain in gains)


def _half_width(estimate: Estimate | None) -> float:
    if estimate is None or estimate.low is None or estimate.high is None:
        return math.inf
    return (estimate.high - estimate.low) / 2


def growing_suites(suite: Suite, book: LookBook) -> Iterator[Suite]:
    """Yield the suite of each look that is still to be made, with its ``data.limit``.

    ``book`` has the looks that the run folder knows: one that the run has reached already is the first to
    be made again, which costs nothing.

    Raises:
        ConfigError: The suite declares no looks, no greatest number of prompts, or fewer prompts than looks.
    """
    looks, most = suite.suite.looks, suite.data.limit
    if looks is None or looks < 2:
        raise ConfigError(
            "--until looks at the run several times: declare how often, for example suite.looks=4"
        )
    if most is None or most < looks:
        raise ConfigError(
            "--until adds prompts up to data.limit: set it, for example data.limit=200 (at least"
            f" {looks}, one a look)"
        )
    reached = max((look.prompts for look in book.looks), default=0)
    limits = [math.ceil(most * look / looks) for look in range(1, looks + 1)]
    for place, limit in enumerate(limits):
        if place + 1 < len(limits) and limits[place + 1] <= reached:
            continue
        data = suite.data.model_copy(update={"limit": limit})
        yield suite.model_copy(update={"data": data})
