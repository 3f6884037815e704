"""Reading the shipped lexicons: word lists, the English dictionary, and substitutions.

The format of a substitution, one a line (``synonyms.lexicon`` and the vocabularies of dialects)::

    sad ADJ {!next:to} = unhappy | down {pred} | upset {pred}
    figure out VERB = work out
    in the hospital PHRASE = in hospital

Left: a lemma, with its particle for a particle verb, and spaCy's part of speech; or the words of a
fixed phrase. Right: its replacements. In braces: conditions, all of which must hold, on the entry or
on one of its replacements; ``context_conditions.py`` lists them. ``!`` before a condition denies it;
``comma`` stands for a comma. A line ``@name = a/b`` names a list of values for later lines.
"""

from __future__ import annotations

import gzip
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypeAlias

from harness.text.context_conditions import Condition, conditions

SHARED = "harness.text.lexicons"
"""The package of the lexicons that kinds, gate and audit share; a kind's own lie beside the kinds."""

_LINE = re.compile(
    r"(?P<words>[^{}=|]+?)\s+(?P<pos>NOUN|VERB|ADJ|ADV|PHRASE)\s*(?:\{(?P<when>[^}]*)\}\s*)?="
    r"\s*(?P<options>.+)"
)
_OPTION = re.compile(r"\s*(?P<words>[^{}|]+?)\s*(?:\{(?P<when>[^}]*)\})?\s*$")


def lexicon_lines(name: str, package: str = SHARED) -> list[str]:
    """Return the lines of a shipped lexicon without comments and blank lines."""
    raw = files(package).joinpath(name).read_text(encoding="utf-8")
    lines = (line.rstrip() for line in raw.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@cache
def word_set(name: str, package: str = SHARED) -> frozenset[str]:
    """Return a lexicon of one entry a line, in small letters."""
    return frozenset(line.strip().lower() for line in lexicon_lines(name, package))


@cache
def english_words() -> frozenset[str]:
    """Return the English dictionary, in small letters."""
    packed = files(SHARED).joinpath("words.txt.gz").read_bytes()
    return frozenset(gzip.decompress(packed).decode("utf-8").split())


@dataclass(frozen=True)
class Replacement:
    """One replacement and when it fits."""

    words: tuple[str, ...]
    when: tuple[Condition, ...]


@dataclass(frozen=True)
class Substitution:
    """The replacements of a word, a particle verb or a phrase.

    Attributes:
        words: What is replaced, in small letters.
        pos: spaCy's part of speech, or PHRASE.
        when: Conditions for all replacements.
        options: The replacements.
    """

    words: tuple[str, ...]
    pos: str
    when: tuple[Condition, ...]
    options: tuple[Replacement, ...]

    @property
    def key(self) -> str:
        """Return a name for the entry."""
        return f"{' '.join(self.words)} {self.pos}"

    def reversed(self) -> Substitution:
        """Return the entry that leads back: its first replacement becomes what is replaced."""
        words = self.options[0].words
        pos = self.pos if len(words) == 1 else "PHRASE"
        lowered = tuple(word.lower() for word in words)
        return Substitution(lowered, pos, (), (Replacement(self.words, ()),))


Substitutions: TypeAlias = Mapping[tuple[str, str], tuple[Substitution, ...]]
"""Entries by first word and part of speech."""


@cache
def substitutions(name: str) -> Substitutions:
    """Load a shared lexicon of substitutions.

    Raises:
        ValueError: A line does not have the format.
    """
    entries = []
    lists: dict[str, str] = {}
    for line in lexicon_lines(name):
        if line.startswith("@"):
            title, _, values = line.partition(" = ")
            lists[title] = values.strip()
        else:
            entries.append(parse_substitution(re.sub(r"@\w+", lambda m: lists[m.group()], line)))
    return by_first_word(entries)


def by_first_word(entries: list[Substitution]) -> Substitutions:
    """Group entries by first word and part of speech, in their order."""
    groups: dict[tuple[str, str], tuple[Substitution, ...]] = {}
    for entry in entries:
        key = (entry.words[0], entry.pos)
        groups[key] = (*groups.get(key, ()), entry)
    return groups


def parse_substitution(line: str) -> Substitution:
    """Parse one line of a lexicon.

    Raises:
        ValueError: It does not have the format.
    """
    match = _LINE.fullmatch(line.strip())
    if not match:
        raise ValueError(f"lexicon line {line!r} is not 'words POS {{conditions}} = a | b'")
    options = []
    for part in match["options"].split("|"):
        option = _OPTION.fullmatch(part)
        if not option:
            raise ValueError(f"lexicon line {line!r}: cannot read {part!r}")
        options.append(Replacement(tuple(option["words"].split()), conditions(option["when"])))
    words = tuple(match["words"].lower().split())
    return Substitution(words, match["pos"], conditions(match["when"]), tuple(options))
