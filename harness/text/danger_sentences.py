"""Sentences that speak of suicide, self-harm, violence in progress or a farewell.

Signs (``danger_signs.txt``) find them: turns of phrase with gaps, after harmless ones were taken out.
Only the few signs of which a sentence has a word at all are matched, so that a sentence costs little.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from harness.text.danger import plain

VERSION = "2"
"""To be raised whenever the code may flag another sentence: variants are then made again."""

SIGNS = Path(__file__).with_name("danger_signs.txt")

_SLOT = re.compile(r"\(\.\.\d+\)|\([^)]*\)|\S+")
_SHORTEST_STEM = 3


def flag_sentences(sentences: Sequence[str]) -> list[bool]:
    """Say of each sentence whether it is a statement of danger, each on its own."""
    return [sentence_sign(sentence) is not None for sentence in sentences]


def sentence_sign(sentence: str) -> str | None:
    """Return the first words of a sentence that are a sign of danger, or None."""
    harmless, signs = _lists()
    text = plain(sentence)
    if not signs.candidates(text):
        return None
    for pattern in harmless.candidates(text):
        text = pattern.sub(" ", text)
    matches = (pattern.search(text) for pattern in signs.candidates(text))
    first = next((match for match in matches if match), None)
    return first[0].strip() if first else None


class SignList:
    """Signs, each with the words of which a text must have one.

    Args:
        lines: The signs as their file has them.
    """

    def __init__(self, lines: Iterable[str]) -> None:
        self._patterns: list[re.Pattern[str]] = []
        self._by_word: defaultdict[str, list[int]] = defaultdict(list)
        self._by_stem: defaultdict[str, list[int]] = defaultdict(list)
        for index, line in enumerate(lines):
            slots = _SLOT.findall(line)
            self._patterns.append(re.compile(r"\b" + "".join(map(_regex, slots))))
            for word in _key(slots):
                index_of = self._by_stem if word.endswith("*") else self._by_word
                index_of[word.rstrip("*")].append(index)

    def candidates(self, text: str) -> list[re.Pattern[str]]:
        """Return the signs of which a normalised text has a word, in the order of the file."""
        indices: set[int] = set()
        for word in set(text.split()):
            indices.update(self._by_word.get(word, ()))
            for length in range(_SHORTEST_STEM, len(word) + 1):
                indices.update(self._by_stem.get(word[:length], ()))
        return [self._patterns[i] for i in sorted(indices)]


@cache
def _lists() -> tuple[SignList, SignList]:
    """Return the harmless turns of phrase and the signs."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in SIGNS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            lines = sections.setdefault(line.strip("[] "), [])
        elif line.strip() and not line.startswith("#"):
            lines.append(line)
    return SignList(sections["harmless"]), SignList(sections["signs"])


_COMMON_WORDS = """a an the i he she it they we you me him her them us my his their your our to of in on at
for with by from and or but if when is am are was were be been being m s ve d ll t re not
no don won can do did does have has had will would could should want what who that this
there here so up out off about after over just go going get got make made"""
_COMMON = frozenset(_COMMON_WORDS.split())
"""Words in which most texts agree: a sign is looked up by another of its places."""


def _key(slots: Sequence[str]) -> list[str]:
    """Return the first words of the rarest place that a sign must have filled."""
    required = [
        [word.split("_")[0] for word in slot.split("/") if word != "$"]
        for slot in slots
        if not slot.startswith("(") and "$" not in slot
    ]
    return min(required, key=lambda words: (sum(w in _COMMON for w in words), len(words)))


def _regex(slot: str) -> str:
    """Translate one place of a sign, with the space behind it."""
    if gap := re.fullmatch(r"\(\.\.(\d+)\)", slot):
        return rf"(?:\w+ ){{0,{gap[1]}}}"
    words = [
        re.escape(word.rstrip("*").replace("_", " ")) + (r"\w*" if word.endswith("*") else "")
        for word in slot.strip("()").split("/")
        if word != "$"
    ]
    end = "|$" if "$" in slot else ""
    alternatives = rf"(?:(?:{'|'.join(words)})(?: |$){end})" if words else "$"
    return alternatives + ("?" if slot.startswith("(") else "")
