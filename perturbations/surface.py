"""How a prompt is written down: case, closing punctuation, white space, contractions."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from perturbations.common import Level, check_level, match_case, pick

if TYPE_CHECKING:
    from harness.text.parse import Text

# How many kinds of change, and the share of places at which each is made.
AMOUNTS: Mapping[Level, tuple[int, float]] = {
    "light": (1, 0.3),
    "medium": (2, 0.6),
    "heavy": (4, 1.0),
}

_FULL = {
    "n't": " not",
    "'m": " am",
    "'re": " are",
    "'ve": " have",
    "'ll": " will",
}
_IRREGULAR = {"can't": "cannot", "won't": "will not"}
_CONTRACTION = re.compile(r"\b([A-Za-z]+?)(n['’]t|['’](?:m|re|ve|ll))\b")
_NOT_EXPANDED = {"ain't", "shan't", "let's"}

# Two words that are often run together, where a word follows (never "yes, I am.").
_RUN_TOGETHER = re.compile(
    r"\b(?:(I) (am)|(do|does|did|is|are|was|were|have|has|had|could|should|would) (not)"
    r"|(I|you|we|they) (have)(?= (?:been|had|always|never|tried|lost|known|got)\b))\b(?= [a-z])",
    re.IGNORECASE,
)
_SUBJECT = re.compile(
    r"\s+(?:I|you|he|she|it|we|they|this|that|there|my|your|the)\b", re.IGNORECASE
)
_END = re.compile(r"(?<=\w)[.!?](?=\s*$)")
_BETWEEN = re.compile(r"(?<=[.!?]) (?=\S)")
_APOSTROPHE = re.compile(r"(?<=n)['’](?=t\b)|(?<=\bI)['’](?=m\b|ve\b)", re.IGNORECASE)


class Surface:
    """Small letters at sentence starts, lost full stops, double spaces, contractions.

    Args:
        severity: One, two or all kinds of change, at 30, 60 or 100 % of the places.
    """

    traits = PerturbationTraits(
        description="case, punctuation, white space, contractions",
        version="1",
        limits=Limits(
            floor=0.7,
            words={"light": 0.3, "medium": 0.5, "heavy": 0.8},
            exempt=frozenset({"case"}),
        ),
        last_resort=True,
    )

    def __init__(self, severity: Level = "medium") -> None:
        check_level(severity)
        self.kinds, self.share = AMOUNTS[severity]

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Edits, or None where there is nothing to write differently."""
        found = [list(change(text)) for change in _CHANGES]
        usable = [edits for edits in found if edits]
        if not usable:
            return None
        chosen = rng.sample(usable, min(self.kinds, len(usable)))
        edits = [e for places in chosen for e in pick(places, self.share, rng)]
        return _without_overlap(edits)


def _lower_starts(text: Text) -> Iterator[Edit]:
    """Small letters where sentences start, and "i" for "I"."""
    for sentence in text.sentences:
        word = re.match(r"[A-Z][a-z']*\b", text.raw[sentence.start : sentence.end])
        if word and not text.is_protected(sentence.start, sentence.start + word.end()):
            start = sentence.start
            yield Edit(start=start, end=start + 1, text=text.raw[start].lower())


def _final_stop(text: Text) -> Iterator[Edit]:
    """The last sentence's mark goes, or is doubled if it is not a full stop."""
    found = _END.search(text.raw)
    if found and not text.is_protected(*found.span()):
        mark = found.group()
        yield Edit(start=found.start(), end=found.end(), text="" if mark == "." else mark * 2)


def _spaces(text: Text) -> Iterator[Edit]:
    """Two spaces between sentences."""
    for found in _BETWEEN.finditer(text.raw):
        if not text.is_protected(*found.span()):
            yield Edit(start=found.start(), end=found.end(), text="  ")


def _contractions(text: Text) -> Iterator[Edit]:
    """Written out, or run together."""
    for found in _CONTRACTION.finditer(text.raw):
        whole = found.group().replace("’", "'")
        full = _IRREGULAR.get(whole.lower()) or (
            found.group(1) + _FULL[found.group(2).replace("’", "'").lower()]
            if found.group(2).replace("’", "'").lower() in _FULL
            else None
        )
        inverted = "n" in found.group(2).lower() and _SUBJECT.match(text.raw, found.end())
        if full is None or inverted or whole.lower() in _NOT_EXPANDED:
            continue
        if not text.is_protected(*found.span()):
            yield Edit(start=found.start(), end=found.end(), text=match_case(whole, full))
    for found in _RUN_TOGETHER.finditer(text.raw):
        if text.is_protected(*found.span()):
            continue
        first, second = (part for part in found.groups() if part)
        short = {"am": "'m", "not": "n't", "have": "'ve"}[second.lower()]
        yield Edit(start=found.start(), end=found.end(), text=first + short)


def _apostrophes(text: Text) -> Iterator[Edit]:
    """The apostrophe of "don't" and "I'm" left out."""
    for found in _APOSTROPHE.finditer(text.raw):
        if not text.is_protected(*found.span()):
            yield Edit(start=found.start(), end=found.end(), text="")


_CHANGES: tuple[Callable[[Text], Iterator[Edit]], ...] = (
    _lower_starts,
    _final_stop,
    _spaces,
    _contractions,
    _apostrophes,
)


def _without_overlap(edits: list[Edit]) -> list[Edit]:
    kept: list[Edit] = []
    for edit in sorted(edits, key=lambda e: (e.start, -e.end)):
        if not kept or edit.start >= kept[-1].end:
            kept.append(edit)
    return kept
