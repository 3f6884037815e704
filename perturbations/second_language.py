"""The same prompt as somebody might write it who is learning English."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import Level, check_level
from perturbations.layout import is_english
from perturbations.learner.grammar_mistakes import (
    changed_articles,
    dropped_articles,
    dropped_endings,
    kept_order,
    present_for_perfect,
)
from perturbations.learner.mistakes import Mistake, mix, phrase_mistakes
from perturbations.requests.request_sentences import own_words
from perturbations.requests.writing import outside_pasted

# Words for one mistake, and how many there are at least. NUCLE has one in about 26 words, beginners
# of the Write & Improve corpus one in five or so: a mistake in ten words is read without trouble.
RATES: Mapping[Level, tuple[int, int]] = {"light": (40, 1), "medium": (20, 2), "heavy": (10, 4)}

_APART = 12
"""Characters between two mistakes, so that no phrase is hit twice."""

_FINDERS: tuple[Callable[[Text], Iterator[Mistake]], ...] = (
    phrase_mistakes,
    dropped_articles,
    changed_articles,
    dropped_endings,
    present_for_perfect,
    kept_order,
)


class SecondLanguage:
    """Articles, prepositions, endings, tenses and word order as learners of English write them.

    The mix of mistakes follows a learner corpus. Negations, numbers and contrasts of tense that carry
    meaning stay as they are.

    Args:
        severity: A mistake in 40, 20 or 10 words, one, two or four at least where there are places.
    """

    traits = PerturbationTraits(
        description="mistakes of learners of English",
        version="1",
        limits=Limits(floor=0.7),
        packages=("lemminflect",),
    )

    def __init__(self, severity: Level = "medium") -> None:
        check_level(severity)
        self.words, self.least = RATES[severity]

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where no mistake is to be expected."""
        if not is_english(text.raw):
            return None
        end = own_words(text)
        outside = outside_pasted(text)
        mistakes = [
            m
            for finder in _FINDERS
            for m in finder(text)
            if m.end <= end and outside(m.start, m.end)
        ]
        written = sum(word.end <= end for word in text.words)  # data have no writer who learns
        wanted = max(self.least, round(written / self.words))
        chosen: list[Mistake] = []
        for mistake in _by_weight(mistakes, rng):
            if len(chosen) == wanted:
                break
            if all(_apart(mistake, other) for other in chosen):
                chosen.append(mistake)
        edits = chain.from_iterable(mistake.edits for mistake in chosen)
        return sorted(edits, key=lambda e: e.start) or None


def _by_weight(mistakes: Sequence[Mistake], rng: random.Random) -> list[Mistake]:
    """Draw an order in which the sorts come up as often as learners make them."""
    counts: dict[str, int] = {}
    for mistake in mistakes:
        counts[mistake.sort] = counts.get(mistake.sort, 0) + 1
    # Exponential clocks: the rate of a place is its sort's weight shared among the sort's places.
    clocks = [rng.expovariate(mix()[m.sort] / counts[m.sort]) for m in mistakes]
    order = sorted(range(len(mistakes)), key=clocks.__getitem__)
    return [mistakes[i] for i in order]


def _apart(one: Mistake, other: Mistake) -> bool:
    return one.end + _APART <= other.start or other.end + _APART <= one.start
