"""Hesitations and politeness around what is said."""

from __future__ import annotations

import random
import re
from collections.abc import Mapping, Sequence
from functools import cache

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Span, Text
from perturbations.common import Level, check_level, lexicon_lines

COUNTS: Mapping[Level, int] = {"light": 1, "medium": 2, "heavy": 4}

_PRONOUN_START = re.compile(r"(?:I(?:['’]\w+)?|My|We|He|She|They|It|There)\b")
_QUESTION_START = re.compile(
    r"(?:How|What|Why|Should|Could|Would|Can|Is|Am|Are|Do|Does|Who|Where|When)\b"
)
_STAYS_CAPITAL = re.compile(r"I(?:['’]\w+)?\b")


class Filler:
    """Hesitations before a statement or question, a greeting, thanks at the end.

    Args:
        severity: One, two or up to four of them.
    """

    traits = PerturbationTraits(
        description="greetings, hesitations, thanks",
        version="1",
        limits=Limits(
            floor=0.6,
            words={"light": 1.0, "medium": 1.5, "heavy": 3.0},
            exempt=frozenset({"pronouns"}),
        ),
    )

    def __init__(self, severity: Level = "medium") -> None:
        check_level(severity)
        self.count = COUNTS[severity]

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where the prompt has no sentence of words."""
        sentences = [s for s in text.sentences if re.match(r"[A-Za-z]", text.raw[s.start : s.end])]
        if not sentences:
            return None
        opening = _greeting(text, sentences[0], rng)
        hesitations = [_hesitation(text, s, rng) for s in sentences[1 if opening else 0 :]]
        proposed = (opening, *hesitations, _thanks(text, rng))
        places = [edit for edit in proposed if edit is not None]
        chosen = rng.sample(places, min(self.count, len(places)))
        return sorted(chosen, key=lambda e: e.start) or None


@cache
def _phrases(part: str) -> tuple[str, ...]:
    """Return the entries of one part: greeting, statement, question, thanks."""
    entries = (line.split("\t") for line in lexicon_lines("fillers.tsv"))
    return tuple(phrase for name, phrase in entries if name == part)


def _greeting(text: Text, first: Span, rng: random.Random) -> Edit | None:
    greeted = re.match(r"(?:Hi|Hello|Hey|Dear|Please)\b", text.raw[first.start :], re.IGNORECASE)
    if (
        greeted
        or text.raw[first.start].islower()
        or text.is_protected(first.start, first.start + 1)
    ):
        return None
    return Edit(start=first.start, end=first.start, text=rng.choice(_phrases("greeting")) + " ")


def _hesitation(text: Text, sentence: Span, rng: random.Random) -> Edit | None:
    opening = text.raw[sentence.start : sentence.end]
    if text.is_protected(sentence.start, sentence.start + 1):
        return None
    if _PRONOUN_START.match(opening):
        phrase = rng.choice(_phrases("statement"))
    elif _QUESTION_START.match(opening) and opening.endswith("?"):
        phrase = rng.choice(_phrases("question"))
    else:
        return None
    first = opening[0] if _STAYS_CAPITAL.match(opening) else opening[0].lower()
    return Edit(start=sentence.start, end=sentence.start + 1, text=f"{phrase} {first}")


def _thanks(text: Text, rng: random.Random) -> Edit | None:
    end = len(text.raw.rstrip())
    if not end or text.raw[end - 1] not in ".?!" or text.is_protected(end - 1, end):
        return None
    if "\n" in text.raw and not text.raw[:end].rsplit("\n", 1)[-1].count(" ") > 2:
        return None
    return Edit(start=end, end=end, text=" " + rng.choice(_phrases("thanks")))
