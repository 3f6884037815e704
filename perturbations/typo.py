"""Slips of the keyboard and common misspellings, at set rates."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import TypeAlias

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.lexicon import english_words, word_set
from harness.text.parse import Text
from perturbations.common import Level, check_level, lexicon_lines, match_case, pick

RATES: Mapping[Level, float] = {"light": 0.04, "medium": 0.1, "heavy": 0.2}

# Keys that touch on a QWERTY keyboard.
_ROWS = ("qwertyuiop", "asdfghjkl", "zxcvbnm")
_SHORTEST = 4


class Typo:
    """Neighbouring keys, dropped, doubled and swapped letters, common misspellings.

    Never the first letter, a different real word, words of one to three letters, negations,
    numbers, names, quotations, code or URLs; at least one slip wherever a word allows it.

    Args:
        severity: How many of the eligible words are hit: 4, 10 or 20 %.
        rate: The share itself, in place of the severity's.
        misspellings: Share of slips taken from the list of common misspellings where it has one.
    """

    traits = PerturbationTraits(
        description="slips of the keyboard",
        danger=frozenset({"light"}),
        version="1",
        limits=Limits(
            floor=0.5,
            words={"light": 0.12, "medium": 0.2, "heavy": 0.35},
            exempt=frozenset({"roles", "terms"}),
        ),
        last_resort=True,
    )

    def __init__(
        self, severity: Level = "medium", rate: float | None = None, misspellings: float = 0.4
    ) -> None:
        check_level(severity)
        if rate is not None and not 0 < rate <= 1:
            raise ValueError(f"rate {rate} is not between 0 and 1")
        self.rate = RATES[severity] if rate is None else rate
        self.misspellings = misspellings

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where no word may be misspelt."""
        sites = [
            (start, end)
            for start, end in text.words
            if _eligible(text.raw[start:end]) and not text.is_protected(start, end)
        ]
        edits = list(self._edits(text, pick(sites, self.rate, rng), rng))
        if edits:
            return edits
        # The few that were picked had no safe slip: take the first that has.
        anywhere = self._edits(text, rng.sample(sites, len(sites)), rng)
        return list(islice(anywhere, 1)) or None

    def _edits(
        self, text: Text, sites: Sequence[tuple[int, int]], rng: random.Random
    ) -> Iterator[Edit]:
        for start, end in sites:
            slip = self._slip(text.raw[start:end], rng)
            if slip is not None:
                yield Edit(start=start, end=end, text=slip)

    def _slip(self, word: str, rng: random.Random) -> str | None:
        """Return a misspelling of ``word``, or None if ten tries give none that is safe."""
        known = misspellings().get(word.lower())
        if known and rng.random() < self.misspellings:
            return match_case(word, rng.choice(known))
        for _ in range(10):
            slip = rng.choice(_SLIPS)(word, rng)
            if slip is not None and slip[0] == word[0] and slip.lower() not in english_words():
                return slip
        return None


def _eligible(word: str) -> bool:
    lower = word.lower()
    return (
        len(word) >= _SHORTEST
        and word.isascii()
        and word.isalpha()
        and not word.isupper()
        and lower not in word_set("negations.txt")
        and lower in english_words()  # else it is misspelt, foreign or a name already
    )


def _swap(word: str, rng: random.Random) -> str | None:
    at = rng.randrange(1, len(word) - 1)
    if word[at] == word[at + 1]:
        return None
    return word[:at] + word[at + 1] + word[at] + word[at + 2 :]


def _drop(word: str, rng: random.Random) -> str | None:
    if len(word) < 6:  # "yars" for "years" is no longer easy to read
        return None
    at = rng.randrange(1, len(word))
    return word[:at] + word[at + 1 :]


def _double(word: str, rng: random.Random) -> str | None:
    at = rng.randrange(1, len(word))
    return word[: at + 1] + word[at] + word[at + 1 :]


def _neighbour(word: str, rng: random.Random) -> str | None:
    if len(word) < 6:
        return None
    at = rng.randrange(1, len(word))
    keys = _neighbours().get(word[at])
    return word[:at] + rng.choice(keys) + word[at + 1 :] if keys else None


_Slip: TypeAlias = Callable[[str, random.Random], str | None]
_SLIPS: tuple[_Slip, ...] = (_swap, _swap, _drop, _double, _neighbour)


@lru_cache(maxsize=1)
def _neighbours() -> dict[str, str]:
    """Map each small letter to those beside, above and below it on the keyboard."""
    neighbours: dict[str, str] = {}
    for r, row in enumerate(_ROWS):
        for c, key in enumerate(row):
            near = [row[c - 1 : c], row[c + 1 : c + 2]]
            for other in (r - 1, r + 1):
                if 0 <= other < len(_ROWS):
                    shift = 0 if other > r else 1
                    near += _ROWS[other][max(0, c - 1 + shift) : c + 1 + shift]
            neighbours[key] = "".join(near)
    return neighbours


@lru_cache(maxsize=1)
def misspellings() -> dict[str, tuple[str, ...]]:
    """Return common misspellings by the right word, all with its first letter, none a real word."""
    entries = (line.partition("\t") for line in lexicon_lines("misspellings.tsv"))
    return {word: tuple(wrong.split()) for word, _, wrong in entries}
