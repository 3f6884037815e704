"""American and British spelling and vocabulary, in whichever direction applies."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.lexicon import Substitutions, by_first_word, substitutions
from perturbations.common import Level, check_level, match_case, word_set
from perturbations.substitution import replace, sites

if TYPE_CHECKING:
    from harness.text.parse import Text

Direction = Literal["us-uk", "uk-us"]

_DEPTH: Mapping[Level, int] = {"light": 0, "medium": 1, "heavy": 2}


class Dialect:
    """US ↔ UK spelling and vocabulary: "my mom's behavior" ↔ "my mum's behaviour".

    The direction is the one in which more of the prompt's words have a counterpart, so that a
    variant never mixes the two. False friends are left alone (connection, filter, a program in
    code); practice and license go by part of speech.

    Args:
        severity: Spelling only; vocabulary too; or usage as well.
        direction: ``us-uk`` or ``uk-us``; whichever applies if None.
    """

    traits = PerturbationTraits(
        description="US or UK spelling and vocabulary",
        version="1",
        limits=Limits(floor=0.75, words={"light": 0.3, "medium": 0.3, "heavy": 0.4}),
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
        return (to_uk if len(to_uk) >= len(to_us) else to_us) or None

    def _edits(self, text: Text, direction: Direction) -> list[Edit]:
        edits = []
        taken: list[tuple[int, int]] = []
        for site in sites(text, vocabulary(direction, self.depth)):
            edits += replace(text, site, site.options[0])
            taken.append((site.start, site.tokens[-1].idx + len(site.tokens[-1].text)))
        for edit in _spelling_edits(text, direction):
            if not any(s < edit.end and edit.start < e for s, e in taken):
                edits.append(edit)
        return sorted(edits, key=lambda e: e.start)


def _spelling_edits(text: Text, direction: Direction) -> list[Edit]:
    table = spelling(direction)
    edits = []
    for start, end in text.words:
        word = text.raw[start:end]
        stem = re.sub(r"['’]s?$", "", word)
        other = table.get(stem.lower())
        if other and not text.is_protected(start, start + len(stem)):
            edits.append(Edit(start=start, end=start + len(stem), text=match_case(stem, other)))
    return edits


@lru_cache(maxsize=2)
def spelling(direction: Direction) -> Mapping[str, str]:
    """Return Breame's spellings, without the denied ones and those that do not lead back."""
    from breame.data.spelling_constants import (
        AMERICAN_ENGLISH_SPELLINGS,
        BRITISH_ENGLISH_SPELLINGS,
    )

    denied = word_set("dialect_denied.txt") | {"practice", "license"}
    denied |= {f"{word}{end}" for word in ("practice", "license") for end in ("d", "s")}
    pairs = {
        us: uk
        for us, uk in AMERICAN_ENGLISH_SPELLINGS.items()
        if BRITISH_ENGLISH_SPELLINGS.get(uk) == us and us not in denied
    }
    return pairs if direction == "us-uk" else {uk: us for us, uk in pairs.items()}


@lru_cache(maxsize=8)
def vocabulary(direction: Direction, depth: int) -> Substitutions:
    """Return the entries of one direction: parts of speech alone, words, or usage too."""
    both = substitutions("us_uk.lexicon")
    entries = [e for group in both.values() for e in group]
    if depth == 0:
        entries = [e for e in entries if e.words[0] in ("practice", "license")]
    if direction == "uk-us":
        entries = [e.reversed() for e in entries]
    if depth >= 1:
        name = "us_to_uk.lexicon" if direction == "us-uk" else "uk_to_us.lexicon"
        entries += [e for group in substitutions(name).values() for e in group]
    if depth >= 2 and direction == "us-uk":
        entries += [e for group in substitutions("us_uk_usage.lexicon").values() for e in group]
    return by_first_word(entries)
