"""Neighbouring constraints that change places, where neither says anything about the other.

Sentences of a story stay where they are: what looks like two states is often a contrast or a result.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from harness.text.parse import Text
from harness.text.roles import role_graph
from perturbations.common import word_set
from perturbations.reordering.evidence import denied
from perturbations.reordering.moves import (
    Move,
    Sentence,
    exchange,
    parsed_sentences,
    plain,
    refers_back,
)

_ORDERING = frozenset((
    "then", "first", "finally", "next", "also", "after", "before", "otherwise", "instead", "if",
    "however", "last", "begin", "start", "end", "step",
))  # fmt: skip


def sentence_swaps(text: Text) -> Iterator[Move]:
    """Swap two neighbouring constraints: "Use simple words. Keep it short."."""
    sentences = parsed_sentences(text)
    for i, (one, two) in enumerate(pairwise(sentences)):
        gap = text.raw[one.end : two.start]
        after = sentences[i + 2 : i + 3]
        if (
            gap
            and not gap.strip(" ")
            and all(_constrains(text, s) for s in (one, two))
            and not _share_words(one, two)
            and not _leads(one, two)
            and not any(_depends(s) for s in after)
        ):
            edits = exchange(text, ((one.start, one.end), (two.start, two.end)))
            yield Move(edits, ((one.start, two.end),), whole_sentences=True)


def _constrains(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence sets a condition for the result: "Avoid jargon.", "Be concise."."""
    words = [t for t in sentence.tokens if not t.is_punct]
    opening = " ".join(t.lower_ for t in words[:2])
    constraints = word_set("constraints.txt")
    return (
        plain(text, sentence)
        and sentence.closes_with(text) == "."
        and text.raw[sentence.start].isupper()
        and 2 <= len(words) <= 20
        and (words[0].lower_ in constraints or opening in constraints)
        and not refers_back(words, ("it", "its"))
        and words[0].lower_ not in ("it", "its")
        and not any(t.lower_ in _ORDERING for t in words)
    )


def _share_words(one: Sentence, two: Sentence) -> bool:
    """Return whether two sentences name one thing, so that the second goes on from the first."""
    named = [
        {t.lemma_.lower() for t in s.tokens if t.pos_ in ("NOUN", "PROPN", "ADJ")}
        for s in (one, two)
    ]
    return not named[0].isdisjoint(named[1])


def _leads(one: Sentence, two: Sentence) -> bool:
    """Return whether the second fills in what the first names: "I have many issues. ...", "... a wife".

    A denial behind what it sets off, and people named after one another, count too.
    """
    general = word_set("summing_up.txt")
    persons = word_set("people.txt") | frozenset(role_graph().forms)
    named = [any(t.lower_ in persons for t in s.tokens) for s in (one, two)]
    return (
        any(
            t.lower_ in general or t.lemma_.lower() in general for s in (one, two) for t in s.tokens
        )
        or all(named)
        or denied(one.tokens) < denied(two.tokens)
    )


def _depends(following: Sentence) -> bool:
    """Return whether the sentence after a pair may refer to the second of the two."""
    words = [t for t in following.tokens if not t.is_punct]
    return (
        not any(t.pos_ in ("VERB", "AUX") for t in words)
        or refers_back(words)
        or any(t.lower_ in word_set("ties.txt") for t in words[:2])
        or words[0].lower_ in word_set("connectives.txt")
    )
