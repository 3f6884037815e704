"""How much of a text a model reproduces: word for word, or by a measure that is handed in.

Scripts without spaces are cut and compared by characters: by spaces, a clause between two commas
would count as one word, and most answers as too short to be cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from itertools import groupby
from typing import NamedTuple

from harness.protocols import Judge
from harness.records import JudgeItem

TOKENS_PER_WORD = 1.5
"""Tokens that a continuation is allowed for each word of the reference: a model that recites must be
able to reach the end of the text that it is compared with."""

CHARACTERS_PER_WORD = 3
"""Characters of a script without spaces that count as one word; Chinese has fewer, Thai more."""

LEAST_WORDS = 6
"""Shorter references are not continued: too little to show and to recite."""

TOO_SHORT = "too_short"
"""Failure kind of a reference that is too short to be continued: not applicable, not an error."""

_SPACELESS_BLOCKS = (
    (0x0E00, 0x0EFF),  # Thai, Lao
    (0x1000, 0x109F),  # Burmese
    (0x1780, 0x17FF),  # Khmer
    (0x3005, 0x3007),  # 々 and 〇
    (0x3041, 0x30FF),  # kana
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),  # Han
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x323AF),
)


def _characters(letters: bool) -> str:
    """Return the letters of the blocks, or their combining marks, as ranges of a character class."""

    def wanted(point: int) -> bool:
        category = unicodedata.category(chr(point))
        return category in ("Lo", "Lm", "Nl") if letters else category.startswith("M")

    ranges = []
    for first, last in _SPACELESS_BLOCKS:
        for is_wanted, run in groupby(range(first, last + 1), wanted):
            if is_wanted:
                points = list(run)
                ranges.append(f"{chr(points[0])}-{chr(points[-1])}")
    return "".join(ranges)


_LETTER, _MARK = _characters(letters=True), _characters(letters=False)
_SINGLE = rf"[{_LETTER}][{_MARK}]*"
_WORD = re.compile(rf"{_SINGLE}|(?:(?![{_LETTER}])\w)+(?:['’](?:(?![{_LETTER}])\w)+)*")
# With the signs that follow it: a full stop stays with its sentence.
_PIECE = re.compile(rf"{_SINGLE}(?:(?![{_LETTER}])[^\w\s])*|[^\s{_LETTER}]+")
_SPACELESS = re.compile(f"[{_LETTER}]")


def words(text: str) -> list[str]:
    """Return lower-case words without punctuation; single characters in scripts without spaces."""
    return _WORD.findall(text.lower().replace("’", "'"))


def word_count(pieces: Sequence[str]) -> float:
    """Count words, ``CHARACTERS_PER_WORD`` characters of scripts without spaces as one."""
    single = sum(bool(_SPACELESS.match(piece)) for piece in pieces)
    return len(pieces) - single + single / CHARACTERS_PER_WORD


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
    pieces = list(_PIECE.finditer(text))
    if word_count([piece[0] for piece in pieces]) < LEAST_WORDS:
        return None
    at = min(max(round(share * len(pieces)), 1), len(pieces) - 1)
    last, room = at, float(max_new_tokens)
    while last < len(pieces):
        piece = pieces[last][0]
        # No tokenizer on bytes needs more tokens than bytes; few have whole words of such scripts.
        room -= len(piece.encode()) if _SPACELESS.match(piece) else TOKENS_PER_WORD
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
