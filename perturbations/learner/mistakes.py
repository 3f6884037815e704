"""Places where a learner of English would make a mistake that is read without trouble."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import lexicon_lines, match_case

_VERBS = {
    "do": ("do", "does", "doing", "did"),
    "make": ("make", "makes", "making", "made"),
    "take": ("take", "takes", "taking", "took"),
    "have": ("have", "has", "having", "had"),
}


@dataclass(frozen=True)
class Mistake:
    """One possible mistake.

    Attributes:
        sort: The sort of ``learner_mix.tsv``.
        edits: What it does.
    """

    sort: str
    edits: tuple[Edit, ...]

    @property
    def start(self) -> int:
        """Return where its first edit begins."""
        return self.edits[0].start

    @property
    def end(self) -> int:
        """Return where its last edit ends."""
        return self.edits[-1].end


@cache
def mix() -> dict[str, float]:
    """Return the weight of each sort."""
    entries = (line.split("\t") for line in lexicon_lines("learner_mix.tsv"))
    return {sort: float(weight) for sort, weight in entries}


@cache
def _phrases() -> tuple[tuple[str, re.Pattern[str], str], ...]:
    rows = []
    for line in lexicon_lines("learner_prepositions.tsv"):
        source, _, target = line.partition("\t")
        rows.append(("preposition", re.compile(source, re.IGNORECASE), _spaced(target)))
    for line in lexicon_lines("learner_words.tsv"):
        sort, source, target = line.split("\t")
        rows.append((sort, re.compile(source, re.IGNORECASE), _spaced(target)))
    return tuple(rows)


def _spaced(target: str) -> str:
    return re.sub(r"^_|_$", " ", target)


def phrase_mistakes(text: Text) -> Iterator[Mistake]:
    """Yield confusions of prepositions, collocations and countable nouns out of the lexicons."""
    for sort, pattern, target in _phrases():
        for match in pattern.finditer(text.raw):
            start, end = match.span(1) if pattern.groups else (match.start(), match.end())
            new = _learned(match, target, match.group(1) if pattern.groups else match.group())
            if new is None or "\n" in match.group() or text.is_protected(start, end):
                continue
            yield Mistake(sort, (Edit(start=start, end=end, text=new),))


def _learned(match: re.Match[str], target: str, old: str) -> str | None:
    """Return the learner's words for what the pattern marks, or None where they would not fit."""
    if target == "{singular}":
        return _singular(old)
    if target == "{toinf}":
        base = _base(old, "VERB")
        return f"to {base}" if base else None
    if target.startswith("{"):
        verb, _, rest = old.partition(" ")
        forms = next((f for f in _VERBS.values() if verb.lower() in f), None)
        if forms is None:
            return None
        return match_case(verb, _VERBS[target[1:-1]][forms.index(verb.lower())]) + " " + rest
    return match_case(old, target) if old.strip() else target


_SPECIES = frozenset(
    [
        "series",
        "species",
        "means",
        "news",
        "always",
        "this",
        "was",
        "his",
        "across",
        "less",
        "class",
        "process",
    ]
)


def _singular(word: str) -> str | None:
    if word.lower() in _SPECIES or word.lower().endswith(("ss", "us", "is")):
        return None
    base = _base(word, "NOUN")
    return base if base and base != word.lower() else None


def _base(word: str, pos: str) -> str | None:
    from lemminflect import getLemma

    lemmas = getLemma(word.lower(), pos, lemmatize_oov=False)
    return str(lemmas[0]) if len(lemmas) == 1 and lemmas[0] != word.lower() else None
