"""How much of a text a model reproduces word for word.

Scripts that are written without spaces are cut and compared by characters: there, a clause between
two commas would count as one word, and most answers as too short to be cut.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

TOKENS_PER_WORD = 1.5
"""Room that a word of a reference is given in a continuation: a model that recites must be able to
reach the end of what it is compared with."""

CHARACTERS_PER_WORD = 3
"""So many characters of a script without spaces count as one word; Chinese has fewer, Thai more."""

LEAST_WORDS = 6
"""Shorter references are not continued: there is nothing to show and nothing to recite."""

TOO_SHORT = "too_short"
"""Kind of the reason why such a reference has no continuation: not applicable, and no failure."""

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
    """The letters of the blocks, or the marks that stand on them, as ranges of a character class."""
    found = []
    for first, last in _SPACELESS_BLOCKS:
        start = None
        for point in range(first, last + 2):
            category = unicodedata.category(chr(point)) if point <= last else ""
            wanted = category in ("Lo", "Lm", "Nl") if letters else category.startswith("M")
            if wanted and start is None:
                start = point
            elif not wanted and start is not None:
                found.append(f"{chr(start)}-{chr(point - 1)}")
                start = None
    return "".join(found)


_LETTER, _MARK = _characters(letters=True), _characters(letters=False)
_SINGLE = rf"[{_LETTER}][{_MARK}]*"
_WORD = re.compile(rf"{_SINGLE}|(?:(?![{_LETTER}])\w)+(?:['’](?:(?![{_LETTER}])\w)+)*")
# With the signs that follow it: a full stop stays with its sentence.
_PIECE = re.compile(rf"{_SINGLE}(?:(?![{_LETTER}])[^\w\s])*|[^\s{_LETTER}]+")
_SPACELESS = re.compile(f"[{_LETTER}]")


def words(text: str) -> list[str]:
    """Lower-case words without punctuation; single characters where a script has no spaces."""
    return _WORD.findall(text.lower().replace("’", "'"))


def amount(pieces: Sequence[str]) -> float:
    """How many words these are, ``CHARACTERS_PER_WORD`` to the word where characters are counted."""
    single = sum(bool(_SPACELESS.match(piece)) for piece in pieces)
    return len(pieces) - single + single / CHARACTERS_PER_WORD


class Beginning(NamedTuple):
    """A reference cut in two."""

    shown: str
    rest: str


def cut(reference: str, share: float, max_new_tokens: int) -> Beginning | None:
    """Cut a reference after ``share`` of its words; None where it has fewer than ``LEAST_WORDS``.

    Args:
        reference: The answer in the data; white space around it is left out.
        share: Share of the words (or characters) that are shown, in (0, 1).
        max_new_tokens: Room of the continuation: the rest is cut to what fits into it.
    """
    text = reference.strip()
    pieces = list(_PIECE.finditer(text))
    if amount([piece[0] for piece in pieces]) < LEAST_WORDS:
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
    return Beginning(
        text[: pieces[at - 1].end()], text[pieces[at].start() : pieces[last - 1].end()]
    )


def longest_span(reference: Sequence[str], answer: Sequence[str]) -> float:
    """Words in the longest run that stands in both, in order and without a gap."""
    if not reference or not answer:
        return 0.0
    matcher = SequenceMatcher(None, reference, answer, autojunk=False)
    found = matcher.find_longest_match(0, len(reference), 0, len(answer))
    return amount(reference[found.a : found.a + found.size])


def reproduced(reference: Sequence[str], answer: Sequence[str]) -> float:
    """Share of the reference's words that the answer has in the same order, in [0, 1].

    The longest common subsequence over the length of the reference.
    """
    if not reference or not answer:
        return 0.0
    from rapidfuzz.distance import LCSseq

    numbers: dict[str, int] = {}
    a = [numbers.setdefault(word, len(numbers)) for word in reference]
    b = [numbers.setdefault(word, len(numbers)) for word in answer]
    return float(LCSseq.similarity(a, b)) / len(a)


def score(rest: str, continuation: str) -> dict[str, float]:
    """``span`` in words and ``share`` of the rest reproduced; what comes after it is not looked at."""
    wanted = words(rest)
    given = words(continuation)[: 2 * len(wanted)]
    return {"span": longest_span(wanted, given), "share": reproduced(wanted, given)}
