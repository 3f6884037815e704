"""The same request in fewer words, or in more of them."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Literal

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import Level, check_level
from perturbations.layout import is_english
from perturbations.requests.request_sentences import own_words
from perturbations.requests.writing import outside_pasted
from perturbations.wordiness.changes import WordingChange, phrase_changes
from perturbations.wordiness.clauses_with_that import added_that, dropped_that
from perturbations.wordiness.courtesies import (
    closing_thanks,
    courteous_requests,
    dropped_thanks,
    is_confirmed,
    plain_orders,
)

Direction = Literal["shorter", "longer", "either"]
COUNTS: Mapping[Level, int] = {"light": 1, "medium": 2, "heavy": 5}

_FINDERS: Mapping[str, tuple[Callable[[Text], Iterator[WordingChange]], ...]] = {
    "shorter": (
        lambda text: phrase_changes(text, "shorter.tsv"),
        dropped_that,
        plain_orders,
        dropped_thanks,
    ),
    "longer": (
        lambda text: phrase_changes(text, "longer.tsv"),
        added_that,
        courteous_requests,
        closing_thanks,
    ),
}


class Verbosity:
    """Shorter, without courtesy, hedges and wordy phrases, or longer, with harmless words.

    Nothing is added that sets the length, form, tone or detail of an answer.

    Args:
        severity: One, two or up to five such changes.
        direction: ``shorter``, ``longer``, or ``either``, whichever applies.
    """

    traits = PerturbationTraits(
        description="the same request in fewer or in more words",
        version="1",
        # Courtesy is longer than a short request, and it is addressed: "you", "me", "I".
        limits=Limits(
            floor=0.65,
            words={"light": 3.0, "medium": 4.0, "heavy": 5.0},
            exempt=frozenset({"pronouns"}),
        ),
    )

    def __init__(self, severity: Level = "medium", direction: Direction = "either") -> None:
        check_level(severity)
        if direction not in ("shorter", "longer", "either"):
            raise ValueError(f"direction {direction!r} is none of shorter, longer, either")
        self.severity = severity
        self.count = COUNTS[severity]
        self.directions = ["shorter", "longer"] if direction == "either" else [direction]

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where there is nothing to leave out or to add."""
        if not is_english(text.raw):
            return None
        for direction in rng.sample(self.directions, len(self.directions)):
            chosen = self._chosen(text, direction, rng)
            if chosen:
                edits = chain.from_iterable(change.edits for change in chosen)
                return sorted(edits, key=lambda e: (e.start, e.end))
        return None

    def _chosen(self, text: Text, direction: str, rng: random.Random) -> list[WordingChange]:
        """Draw changes that do not touch each other, of as many sorts as there are."""
        end = own_words(text)
        outside = outside_pasted(text)
        sorts = [
            [c for c in finder(text) if c.end <= end and outside(c.start, c.end)]
            for finder in _FINDERS[direction]
        ]
        for changes in sorts:
            rng.shuffle(changes)
            fitting = _of_size(text, changes, self.severity)
            changes.sort(key=lambda change: change not in fitting)  # the others stand in
        drawn = [
            changes[i] for i in range(max(map(len, sorts))) for changes in sorts if i < len(changes)
        ]
        chosen: list[WordingChange] = []
        for change in drawn:
            if len(chosen) == self.count:
                break
            if change.courteous and any(other.courteous for other in chosen):
                continue  # asked politely twice, a prompt would beg
            if all(change.apart(other) for other in chosen) and is_confirmed(text, change):
                chosen.append(change)
        return chosen


def _of_size(text: Text, changes: Sequence[WordingChange], severity: Level) -> list[WordingChange]:
    """Return, of the changes that could be made of the same words, those of a severity's size."""
    by_place: dict[tuple[int, int], list[tuple[int, WordingChange]]] = {}
    for change in changes:
        entry = (_size(text, change), change)
        by_place.setdefault((change.start, change.end), []).append(entry)
    kept = []
    for entries in by_place.values():
        sizes = sorted(size for size, _ in entries)
        least, most = sizes[0], sizes[-1]
        middle = [size for size in sizes if least < size < most] or sizes
        wanted = {"light": [least], "medium": middle, "heavy": [most, sizes[-2:][0]]}[severity]
        kept += [change for size, change in entries if size in wanted]
    return kept


def _size(text: Text, change: WordingChange) -> int:
    """Return how many words a change writes or takes away."""
    return sum(
        max(len(e.text.split()), len(text.raw[e.start : e.end].split())) for e in change.edits
    )
