"""Neighbouring sentences that change places, where neither says anything about the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

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

_PRONOUNS = (
    frozenset(("he", "him", "his", "himself")),
    frozenset(("she", "her", "hers", "herself")),
)
# Words of ties.txt that bind nothing between two states.
_ALONE = frozenset(("really", "actually", "not", "n't", "n’t", "never", "all", "when", "if"))
_ORDERING = frozenset((
    "then", "first", "finally", "next", "also", "after", "before", "otherwise", "instead", "if",
    "however", "last", "begin", "start", "end", "step",
))  # fmt: skip


def sentence_swaps(text: Text) -> Iterator[Move]:
    """Swap two neighbours that say nothing about each other: "I am shy. I live alone."."""
    sentences = parsed_sentences(text)
    for i, (one, two) in enumerate(pairwise(sentences)):
        gap = text.raw[one.end : two.start]
        after = sentences[i + 2 : i + 3]
        if (
            gap
            and not gap.strip(" ")
            and (
                all(_states(text, s, _known(sentences[:i], (one, two))) for s in (one, two))
                or all(_constrains(text, s) for s in (one, two))
            )
            and not _share_words(one, two)
            and not _leads(one, two)
            and not any(_depends(text, s) for s in after)
        ):
            edits = exchange(text, ((one.start, one.end), (two.start, two.end)))
            yield Move(edits, ((one.start, two.end),), whole_sentences=True)


def _known(before: Sequence[Sentence], two: Sequence[Sentence]) -> frozenset[str]:
    """Return the pronouns whose one person the text before a pair has named and taken up."""
    persons = word_set("people.txt") | frozenset(role_graph().forms)
    if any(t.lower_ in persons or t.pos_ == "PROPN" for s in two for t in s.tokens):
        return frozenset()
    mentioned = {t.lower_ for s in before for t in s.tokens}
    return frozenset(p for group in _PRONOUNS if group & mentioned for p in group)


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


def _states(text: Text, sentence: Sentence, known: frozenset[str]) -> bool:
    """Return whether a sentence is a plain statement "I ..." about a lasting state."""
    first, words = sentence.tokens[0], [t for t in sentence.tokens if not t.is_punct]
    return (
        plain(text, sentence)
        and sentence.closes_with(text) == "."
        and text.raw[sentence.start].isupper()
        and 3 <= len(words) <= 24
        and (first.lower_ in ("i", "my") or (first.lower_ in known and first.dep_ == "nsubj"))
        and _lasts(sentence.root)
        and not refers_back(words, known)
        and not any(t.lower_ in word_set("ties.txt") - _ALONE for t in words)
        and not any(t.lower_ == "the" for t in words)
        and not any(t.dep_ in ("advcl", "parataxis") or t.tag_ == "VBD" for t in words)
    )


def _lasts(verb: Any) -> bool:
    """Return whether a verb tells of what is so now: present, progressive, perfect, "can't"."""
    tensed = [verb, *(c for c in verb.children if c.dep_ in ("aux", "auxpass"))]
    return (
        any(c.dep_ in ("nsubj", "nsubjpass") for c in verb.children)
        and any(
            t.tag_ in ("VBP", "VBZ") or t.lower_ in ("can", "ca", "cannot", "could") for t in tensed
        )
        and not any(t.lower_ in ("will", "would", "should", "might", "may", "must") for t in tensed)
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


def _depends(text: Text, following: Sentence) -> bool:
    """Return whether the sentence after a pair may refer to the second of the two."""
    words = [t for t in following.tokens if not t.is_punct]
    return (
        not any(t.pos_ in ("VERB", "AUX") for t in words)
        or refers_back(words)
        or any(t.lower_ in word_set("ties.txt") for t in words[:2])
        or words[0].lower_ in word_set("connectives.txt")
    )
