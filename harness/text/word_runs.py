"""Words of any script, and hashes of their runs: how texts are compared word for word.

Scripts without spaces (Chinese, Japanese, Thai, Lao, Khmer, Burmese) are read by characters: by
spaces, a clause between two commas would count as one word.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Sequence
from itertools import groupby
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Hashes: TypeAlias = NDArray[np.uint64]

RUN = 4
"""Words a run: four in a row are seldom the same by chance, and three edited words in ten leave some."""

CHARACTERS_PER_WORD = 3
"""Characters of a script without spaces that count as one word; Chinese has fewer, Thai more."""

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
PIECE = re.compile(rf"{_SINGLE}(?:(?![{_LETTER}])[^\w\s])*|[^\s{_LETTER}]+")
SPACELESS = re.compile(f"[{_LETTER}]")


def words(text: str) -> list[str]:
    """Return lower-case words without punctuation; single characters in scripts without spaces."""
    return _WORD.findall(text.lower().replace("’", "'"))


def word_count(pieces: Sequence[str]) -> float:
    """Count words, ``CHARACTERS_PER_WORD`` characters of scripts without spaces as one."""
    single = sum(bool(SPACELESS.match(piece)) for piece in pieces)
    return len(pieces) - single + single / CHARACTERS_PER_WORD


class RunHasher:
    """Hashes every run of ``RUN`` words; equal runs have equal hashes in every process."""

    def __init__(self) -> None:
        self._known: dict[str, int] = {}

    def __call__(self, text: Sequence[str]) -> Hashes:
        """Hash the run that begins at each word, shape ``(words - RUN + 1,)``; empty for fewer words."""
        numbers = np.array([self._number(word) for word in text], dtype=np.uint64)
        if len(numbers) < RUN:
            return np.empty(0, dtype=np.uint64)
        mixed = np.zeros(len(numbers) - RUN + 1, dtype=np.uint64)
        for offset in range(RUN):
            mixed *= np.uint64(0x9E3779B97F4A7C15)
            mixed ^= numbers[offset : offset + len(mixed)]
        mixed ^= mixed >> np.uint64(31)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
        return mixed

    def _number(self, word: str) -> int:
        known = self._known.get(word)
        if known is None:
            raw = hashlib.blake2b(word.encode(), digest_size=8).digest()
            known = self._known[word] = int.from_bytes(raw, "big")
        return known


def in_runs(marked: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """Mark the words, ``count`` of them, that are in one of the marked runs."""
    covered = np.zeros(count, dtype=np.bool_)
    for offset in range(RUN):
        covered[offset : offset + len(marked)] |= marked
    return covered
