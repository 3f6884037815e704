"""Another written form: case, closing punctuation, white space, contractions."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TypeAlias

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import Level, check_level, match_case, pick

# How many kinds of change, and the share of places at which each is made.
AMOUNTS: Mapping[Level, tuple[int, float]] = {
    "light": (1, 0.3),
    "medium": (2, 0.6),
    "heavy": (4, 1),
}

_FULL = {"n't": " not", "'m": " am", "'re": " are", "'ve": " have", "'ll": " will"}
_IRREGULAR = {"can't": "cannot", "won't": "will not"}
_CONTRACTION = re.compile(r"\b([A-Za-z]+?)(n['’]t|['’](?:m|re|ve|ll))\b")
_NOT_EXPANDED = {"ain't", "shan't", "let's"}

# Two words that are often run together, where a word follows (never "yes, I am.").
_RUN_TOGETHER = re.compile(
    r"\b(?:(I) (am)|(do|does|did|is|are|was|were|have|has|had|could|should|would) (not)"
    r"|(I|you|we|they) (have)(?= (?:been|had|always|never|tried|lost|known|got)\b))\b(?= [a-z])",
    re.IGNORECASE,
)
# "how broke I am", "than I have": what the verb goes with stands before it, and it stays whole.
_LEFT_GAP = re.compile(
    r"\b(?:how|what|where|who|which|why|when|whatever|wherever|as|than)\b[^.!?,;:\r\n]{0,40}$",
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
        danger=frozenset({"light"}),
        version="2",
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
        """Propose edits, or None where there is nothing to write differently."""
        usable = [edits for change in _CHANGES if (edits := list(change(text)))]
        chosen = rng.sample(usable, min(self.kinds, len(usable)))
        edits = [e for places in chosen for e in pick(places, self.share, rng)]
        return _without_overlap(edits) or None


def _lower_starts(text: Text) -> Iterator[Edit]:
    """Write small letters where sentences start, and "i" for "I"."""
    for sentence in text.sentences:
        word = re.match(r"[A-Z][a-z']*\b", text.raw[sentence.start : sentence.end])
        if word and not text.is_protected(sentence.start, sentence.start + word.end()):
            start = sentence.start
            yield Edit(start=start, end=start + 1, text=text.raw[start].lower())


def _final_stop(text: Text) -> Iterator[Edit]:
    """Remove the last sentence's full stop, or double another mark."""
    match = _END.search(text.raw)
    if match and not text.is_protected(*match.span()):
        mark = match.group()
        yield Edit(start=match.start(), end=match.end(), text="" if mark == "." else mark * 2)


def _spaces(text: Text) -> Iterator[Edit]:
    """Put two spaces between sentences."""
    for match in _BETWEEN.finditer(text.raw):
        if not text.is_protected(*match.span()):
            yield Edit(start=match.start(), end=match.end(), text="  ")


def _contractions(text: Text) -> Iterator[Edit]:
    """Write contractions out, or contract two words."""
    for match in _CONTRACTION.finditer(text.raw):
        whole, ending = (part.replace("’", "'") for part in match.group(0, 2))
        full = _IRREGULAR.get(whole.lower(), match.group(1) + _FULL[ending.lower()])
        inverted = "n" in ending.lower() and _SUBJECT.match(text.raw, match.end())
        if inverted or whole.lower() in _NOT_EXPANDED:
            continue
        if not text.is_protected(*match.span()):
            yield Edit(start=match.start(), end=match.end(), text=match_case(whole, full))
    for match in _RUN_TOGETHER.finditer(text.raw):
        if text.is_protected(*match.span()) or _LEFT_GAP.search(text.raw[: match.start()]):
            continue
        first, second = (part for part in match.groups() if part)
        short = {"am": "'m", "not": "n't", "have": "'ve"}[second.lower()]
        yield Edit(start=match.start(), end=match.end(), text=first + short)


def _apostrophes(text: Text) -> Iterator[Edit]:
    """Leave out the apostrophe of "don't" and "I'm"."""
    for match in _APOSTROPHE.finditer(text.raw):
        if not text.is_protected(*match.span()):
            yield Edit(start=match.start(), end=match.end(), text="")


_Change: TypeAlias = Callable[[Text], Iterator[Edit]]
_CHANGES: tuple[_Change, ...] = (_lower_starts, _final_stop, _spaces, _contractions, _apostrophes)


def _without_overlap(edits: list[Edit]) -> list[Edit]:
    apart: list[Edit] = []
    for edit in sorted(edits, key=lambda e: (e.start, -e.end)):
        if not apart or edit.start >= apart[-1].end:
            apart.append(edit)
    return apart
