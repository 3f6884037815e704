"""American and British spelling and vocabulary, in whichever direction applies."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from itertools import chain

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.lexicon import Substitution, Substitutions, by_first_word, substitutions
from harness.text.parse import Text
from perturbations.common import Level, check_level, match_case, word_set
from perturbations.dialect_marks import mark_edits
from perturbations.dialect_spelling import Direction, other_spelling
from perturbations.dialect_topics import (
    english_at,
    foreign,
    institutions_of,
    is_talk,
    stays_behind,
    technical,
    technical_word,
    tied,
)
from perturbations.substitution import Site, replace, sites

# A computer has programs on either side of the Atlantic.
_OUTSIDE_CODE: Mapping[Direction, frozenset[str]] = {
    "us-uk": frozenset({"program", "programs"}),
    "uk-us": frozenset({"programme", "programmes"}),
}
_DEPTH: Mapping[Level, int] = {"light": 0, "medium": 1, "heavy": 1}


class Dialect:
    """US ↔ UK spelling and vocabulary: "my mom's behavior" ↔ "my mum's behaviour".

    The direction is the one in which more of the prompt's words have a counterpart. A prompt stays as
    it is if any word that marks its dialect would stay beside the changed ones, or if it asks about
    words themselves; everyday words stay where it speaks of institutions of the one country, and the
    words of code where there is code. Practice and license go by part of speech. Dates and titles
    change with the spelling: "April 7, 2020" ↔ "7 April 2020", "Mr." ↔ "Mr".

    Args:
        severity: Spelling only (light), or everyday words and usage too (medium; heavy is no more).
        direction: ``us-uk`` or ``uk-us``; whichever applies if None.
    """

    traits = PerturbationTraits(
        description="US or UK spelling, dates and vocabulary",
        version="3",
        limits=Limits(floor=0.75, words={"light": 0.3, "medium": 0.3}),
        severities=("light", "medium"),
        packages=("breame", "lemminflect"),
    )

    def __init__(self, severity: Level = "medium", direction: Direction | None = None) -> None:
        check_level(severity)
        if direction not in (None, "us-uk", "uk-us"):
            raise ValueError(f"direction {direction!r} is neither us-uk nor uk-us")
        self.depth = _DEPTH[severity]
        self.direction = direction

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where no word has a counterpart. Without randomness."""
        to_uk = self._edits(text, "us-uk") if self.direction != "uk-us" else []
        to_us = self._edits(text, "uk-us") if self.direction != "us-uk" else []
        direction: Direction = "us-uk" if len(to_uk) >= len(to_us) else "uk-us"
        edits = to_uk if direction == "us-uk" else to_us
        if not edits or tied(text.raw):
            return None
        marks = word_set("american_marks.txt" if direction == "us-uk" else "british_marks.txt")
        if not technical(text):
            marks |= _OUTSIDE_CODE[direction]
        if foreign(text, edits, direction) or stays_behind(text, edits, direction, marks):
            return None
        if not all(english_at(text, e) for e in edits):
            return None
        return edits

    def _edits(self, text: Text, direction: Direction) -> list[Edit]:
        depth = 0 if institutions_of(text.raw, direction[:2]) else self.depth
        in_code = technical(text)
        places = [s for s in sites(text, vocabulary(direction, depth)) if not _doubled(s)]
        edits = [
            _case_of_i(text, edit)
            for site in places
            for edit in replace(text, site, site.options[0])
        ]
        edits += (
            edit
            for edit in _spelling_edits(text, direction)
            if not any(site.start < edit.end and edit.start < site.end for site in places)
        )
        if not in_code:
            edits += mark_edits(text, direction)
        words = [text.raw[e.start : e.end] if direction == "us-uk" else e.text for e in edits]
        if in_code and any(technical_word(text, word) for word in words):
            return []
        return sorted(filter(is_talk(text), edits), key=lambda e: e.start)


def _case_of_i(text: Text, edit: Edit) -> Edit:
    """Keep the small "i" of whoever writes it so."""
    small = text.raw[edit.start : edit.start + 2] == "i " and re.match(r"I\b", edit.text)
    return edit.model_copy(update={"text": "i" + edit.text[1:]}) if small else edit


def _doubled(site: Site) -> bool:
    """Return whether the sentence has the other word already: "mad and angry", "films and movies"."""
    first = site.tokens[0]
    others = {t.lemma_.lower() for t in first.sent if t.i not in {x.i for x in site.tokens}}
    return site.entry.pos != "PHRASE" and site.options[0].words[-1].lower() in others


def _spelling_edits(text: Text, direction: Direction) -> Iterator[Edit]:
    for start, end in text.words:
        stem = re.sub(r"['’]s?$", "", text.raw[start:end])
        other = other_spelling(stem.lower(), direction)
        if other and not text.is_protected(start, start + len(stem)):
            yield Edit(start=start, end=start + len(stem), text=match_case(stem, other))


@lru_cache(maxsize=8)
def vocabulary(direction: Direction, depth: int) -> Substitutions:
    """Return the entries of one direction: those of spelling alone, or words and usage too."""

    def entries(name: str) -> Iterator[Substitution]:
        return chain.from_iterable(substitutions(name).values())

    chosen = list(entries("us_uk_spelling.lexicon"))
    if depth >= 1:
        chosen += entries("us_uk.lexicon")
    if direction == "uk-us":
        chosen = [e.reversed() for e in chosen]
    if depth >= 1:
        chosen += entries("us_to_uk.lexicon" if direction == "us-uk" else "uk_to_us.lexicon")
    return by_first_word(chosen)
