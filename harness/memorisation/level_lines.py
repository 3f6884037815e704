"""The evidence table: levels of base and subject, a line each, on the same prompts.

Lines that are read against each other (a response under its prompt and under the reworded one) rest
on the prompts that both have. Where that is fewer than the first line's own, a line of the first on
those prompts alone is put between them: neither hides what the verdict rests on.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.analysis.test_family import number
from harness.memorisation.probe_values import Estimator, Place, Values, by_sample
from harness.records import Probe


class Level(NamedTuple):
    """One line.

    Attributes:
        key: Its name in the summary.
        unit: ``loss`` turns the sign of a log-probability.
        place: Where its values are.
        beside: Key of the line that it is read against.
        both: What is said of that line on the common prompts.
    """

    key: str
    unit: str
    label: str
    place: Place
    beside: str = ""
    both: str = ""


# fmt: off
LEVELS = (
    Level("loss_training", "loss", "Loss on training responses",
          ("loss", "training", "original", "loss")),
    Level("loss_reworded", "loss", "… under the reworded prompt",
          ("loss", "training", "variant", "loss"),
          "loss_training", "Those whose prompt was reworded, as trained"),
    Level("loss_clean", "loss", "Loss on clean responses",
          ("loss", "clean", "original", "loss")),
    Level("loss_foreign", "loss", "… under a stranger's prompt",
          ("loss", "clean", "foreign", "loss"),
          "loss_clean", "Those rated under a stranger's prompt too, under their own"),
    Level("recited_training", "share", "Recited of the rest, training",
          ("continuation", "training", "original", "share")),
    Level("recited_clean", "share", "Recited of the rest, clean",
          ("continuation", "clean", "original", "share")),
    Level("span_training", "words", "Longest run recited, training",
          ("continuation", "training", "original", "span")),
    Level("span_clean", "words", "Longest run recited, clean",
          ("continuation", "clean", "original", "span")),
    Level("rouge_training", "share", "ROUGE-L to the training response",
          ("answer", "training", "original", "rouge_l")),
    Level("rouge_reworded", "share", "… when the prompt is reworded",
          ("answer", "training", "variant", "rouge_l"),
          "rouge_training", "Those whose prompt was reworded, as trained"),
    Level("other_training", "words", "Run shared with another training response, training prompts",
          ("answer", "training", "original", "other_span")),
    Level("other_clean", "words", "Run shared with a training response, clean prompts",
          ("answer", "clean", "original", "other_span")),
)
# fmt: on

COMMON = "_common"
"""Ends the key of a line that was put in between."""


class Levels:
    """The lines of one subject beside its base.

    Args:
        base: Records of the base model.
        own: Records of the subject.
        estimator: Makes the differences' intervals.
        losses: Whether losses can be compared; without it their lines are left out.
    """

    def __init__(
        self, base: Sequence[Probe], own: Sequence[Probe], estimator: Estimator, *, losses: bool
    ) -> None:
        self._estimator = estimator
        self._sides: dict[str, tuple[Values, Values]] = {
            level.key: (by_sample(base, level.place), by_sample(own, level.place))
            for level in LEVELS
            if losses or level.unit != "loss"
        }

    def rows(self) -> list[dict[str, Any]]:
        """The table, from top to bottom."""
        return [row for level in LEVELS for row in self._lines(level)]

    def _lines(self, level: Level) -> Iterator[dict[str, Any]]:
        mine = self._prompts(level.key)
        if not level.beside:
            yield from self._row(level, mine)
            return
        beside = self._prompts(level.beside)
        both = mine & beside
        if both and both != beside:
            first = next(one for one in LEVELS if one.key == level.beside)
            between = first._replace(label=level.both)
            for row in self._row(between, both):
                yield {**row, "key": f"{first.key}{COMMON}"}
        yield from self._row(level, both)

    def _prompts(self, key: str) -> set[str]:
        """The prompts of a line: those that both models have a value for."""
        base, own = self._sides.get(key, ({}, {}))
        return base.keys() & own.keys()

    def _row(self, level: Level, prompts: Collection[str]) -> Iterator[dict[str, Any]]:
        if not prompts:
            return
        sign = -1.0 if level.unit == "loss" else 1.0
        base, own = self._sides[level.key]
        kept = sorted(prompts)
        yield {
            "key": level.key,
            "label": level.label,
            "unit": "nats a token" if level.unit == "loss" else level.unit,
            "base": number(sign * float(np.mean([base[k] for k in kept]))),
            "subject": number(sign * float(np.mean([own[k] for k in kept]))),
            "difference": self._estimator.one(
                level.key, {k: sign * (own[k] - base[k]) for k in kept}
            ),
        }
