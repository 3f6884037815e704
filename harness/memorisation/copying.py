"""How much of a text a model reproduces: word for word, or by a measure that is handed in.

Scripts without spaces are cut and compared by characters: by spaces, a clause between two commas
would count as one word, and most answers as too short to be cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

from harness.protocols import Judge
from harness.records import JudgeItem
from harness.text.word_runs import PIECE, SPACELESS, word_count, words

TOKENS_PER_WORD = 1.5
"""Tokens that a continuation is allowed for each word of the reference: a model that recites must be
able to reach the end of the text that it is compared with."""

LEAST_WORDS = 6
"""Shorter references are not continued: too little to show and to recite."""

TOO_SHORT = "too_short"
"""Failure kind of a reference that is too short to be continued: not applicable, not an error."""


class CutReference(NamedTuple):
    """A reference cut in two: the part that a model is shown, and the rest."""

    shown: str
    rest: str


def cut(reference: str, share: float, max_new_tokens: int) -> CutReference | None:
    """Cut a reference after ``share`` of its words (or characters), in (0, 1).

    The rest is cut to what fits into the longest continuation. None for a reference of fewer than
    ``LEAST_WORDS`` words.
    """
    text = reference.strip()
    pieces = list(PIECE.finditer(text))
    if word_count([piece[0] for piece in pieces]) < LEAST_WORDS:
        return None
    at = min(max(round(share * len(pieces)), 1), len(pieces) - 1)
    last, room = at, float(max_new_tokens)
    while last < len(pieces):
        piece = pieces[last][0]
        # No tokenizer on bytes needs more tokens than bytes; few have whole words of such scripts.
        room -= len(piece.encode()) if SPACELESS.match(piece) else TOKENS_PER_WORD
        if room < 0 and last > at:
            break
        last += 1
    rest = text[pieces[at].start() : pieces[last - 1].end()]
    return CutReference(text[: pieces[at - 1].end()], rest)


def longest_span(reference: Sequence[str], answer: Sequence[str]) -> float:
    """Count the words of the longest run that both texts hold, in order and without a gap."""
    if not reference or not answer:
        return 0.0
    matcher = SequenceMatcher(None, reference, answer, autojunk=False)
    match = matcher.find_longest_match(0, len(reference), 0, len(answer))
    return word_count(reference[match.a : match.a + match.size])


def reproduced_share(reference: Sequence[str], answer: Sequence[str]) -> float:
    """Return the length of the longest common subsequence over that of the reference, in [0, 1]."""
    if not reference or not answer:
        return 0.0
    from rapidfuzz.distance import LCSseq

    numbers: dict[str, int] = {}
    a = [numbers.setdefault(word, len(numbers)) for word in reference]
    b = [numbers.setdefault(word, len(numbers)) for word in answer]
    return float(LCSseq.similarity(a, b)) / len(a)


def recitation(rest: str, continuation: str) -> dict[str, float]:
    """Measure ``span`` (words) and ``share`` of the rest reproduced in its place, not long after."""
    expected = words(rest)
    answer = words(continuation)[: 2 * len(expected)]
    return {"span": longest_span(expected, answer), "share": reproduced_share(expected, answer)}


@dataclass(frozen=True)
class Closeness:
    """How close an answer is to a reference, by the first dimension of a judge that asks no model."""

    judge: Judge

    @property
    def name(self) -> str:
        """Return the dimension's name: the key of the figure in ``Probe.values``."""
        return self.judge.dimensions[0].name

    @property
    def label(self) -> str:
        """Return the dimension's name for people."""
        return self.judge.dimensions[0].label or self.name

    def __call__(self, reference: str, answer: str) -> float:
        """Measure one answer.

        Raises:
            ValueError: The judge gives this answer no value.
        """
        item = JudgeItem(question="", answer=answer, reference=reference)
        for judgement in self.judge.grade([item]):
            if judgement.dimension == self.name and judgement.value is not None:
                return judgement.value
        raise ValueError(f"{self.name} has no value for an answer")
