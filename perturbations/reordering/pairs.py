"""Pairs exchanged, "A and B" → "B and A", where both are surely of one class and order says nothing.

So too the two between which a relation is named: "the difference between a list and a tuple".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.text.parse import Text
from perturbations.common import end_of, word_set
from perturbations.reordering.company import shares_article
from perturbations.reordering.evidence import readings, surely_adjective, surely_noun
from perturbations.reordering.exchanges import (
    ADJECTIVE_PLACES,
    MODIFIERS,
    NOUN_PLACES,
    coordinations,
    determination,
    heads,
    phrases,
    swap,
)
from perturbations.reordering.moves import SUBJECTS, Move, Spans, exchange, third_person
from perturbations.reordering.pair_conditions import (
    DEGREES,
    by_or,
    free,
    hangs_loose,
    ordered,
    reaches,
    taken_up,
)


def pair_swaps(text: Text) -> Iterator[Move]:
    """Yield swaps of pairs of nouns or of adjectives."""
    for first, second, link in coordinations(text):
        if link.lower_ not in ("and", "or"):
            continue
        nouns = _noun_place(first) and surely_noun(first) and _is_noun_beside(first, second)
        adjectives = first.dep_ in ADJECTIVE_PLACES and all(map(surely_adjective, (first, second)))
        if not (nouns or adjectives) or any(c.dep_ == "conj" for c in second.children):
            continue
        spans = _spans(first, second, link)
        if spans is not None and free(text, first, second, spans):
            yield swap(text, first, second, spans)


def _is_noun_beside(first: Any, second: Any) -> bool:
    """Return whether the second of a pair is a noun, as in "the given sentence or phrase"."""
    determined = any(c.dep_ in ("det", "poss") for c in first.lefts)
    alike = second.tag_ == first.tag_ == "NN" and "NOUN" in readings(second.lower_)
    return surely_noun(second) or (determined and by_or(first) and alike)


def _noun_place(first: Any) -> bool:
    """Return whether a noun stands where a pair may: in a clause, or alone as in "Any ideas?"."""
    return first.dep_ in NOUN_PLACES or (
        first.dep_ == "ROOT" and any(c.lower_ == "any" for c in first.lefts)
    )


def _spans(first: Any, second: Any, link: Any) -> Spans | None:
    """Return the spans to exchange, or None where one of the two governs further words."""
    right = [c for t in (first, second) for c in t.rights if c.i not in (second.i, link.i)]
    if any(not (c.is_space or c.is_punct or hangs_loose(first, second, c)) for c in right):
        return None
    lefts = [c for c in first.lefts if c.dep_ not in SUBJECTS], list(second.lefts)
    if not any(lefts) and second.i - first.i == 2:
        return heads(first, second)
    if not surely_noun(first):
        degree = [c for c in lefts[0] if c.lower_ not in DEGREES]
        alone = first.dep_ == "acomp" and not degree and not lefts[1] and len(lefts[0]) == 1
        return heads(first, second) if alone else None
    compounds = lefts[1] and all(c.dep_ == "compound" for left in lefts for c in left)
    if compounds and (lefts[0] or first.tag_ != second.tag_):  # "depression and panic attacks"
        return phrases(first, second)
    if all(lefts):
        kinds = [{determination(c) for c in left} for left in lefts]
        alike = {k for k in kinds[0] if k} == {k for k in kinds[1] if k}
        if not alike or not {c.dep_ for left in lefts for c in left} <= MODIFIERS:
            return None
        if third_person(second.subtree):  # "my sister and her husband"
            return None
        described = [any(c.dep_ == "amod" for c in left) for left in lefts]
        if described[1] and not (
            described[0] or all(k - {""} for k in kinds)
        ):  # "anger issues and deep fears"
            return None
        return phrases(first, second)
    if lefts[1] or link.i != first.i + 1 or second.i != link.i + 1:
        return None
    if not all(reaches(c, first, second) for c in lefts[0]) or not shares_article(first, second):
        return None
    return heads(first, second)


def between_swaps(text: Text) -> Iterator[Move]:
    """Yield moves like "the difference between a list and a tuple" → "a tuple and a list"."""
    for first, second, link in coordinations(text):
        relation = first.head if first.dep_ == "dobj" else first.head.head
        if (
            not (_is_between(first) or relation.lower_ in ("compare", "combine", "contrast"))
            or link.lower_ != "and"
            or link.i + 1 > second.left_edge.i
            or not (_names(first) and _names(second))
            or any(t.pos_ in ("VERB", "CCONJ") for t in second.subtree)
            or any(t.is_punct or t.pos_ in ("VERB", "PRON") for t in second.subtree)
        ):
            continue
        doc = first.doc
        one = list(doc[first.left_edge.i : link.i])
        two = list(doc[link.i + 1 : second.right_edge.i + 1])
        determined = [p[0].lower_ in ("a", "an", "the") for p in (one, two)]
        alike = determined[0] == determined[1] and (determined[0] or len(one) == len(two))
        if not alike or any(t.pos_ in ("VERB", "PRON", "ADP") or t.is_punct for t in (*one, *two)):
            continue
        after = doc[two[-1].i + 1] if two[-1].i + 1 < len(doc) else None
        if after is not None and not (after.is_punct or after.is_space or after.pos_ == "ADP"):
            continue
        spans = (one[0].idx, end_of(one[-1])), (two[0].idx, end_of(two[-1]))
        inside = any(p.start < spans[1][1] and spans[0][0] < p.end and p.kind in ("code", "url")
                     for p in text.protected)  # fmt: skip
        if not inside and not ordered(first, second) and not taken_up(second):
            yield Move(
                exchange(text, spans),
                ((spans[0][0], spans[1][1]),),
                (first.lower_, second.lower_),
            )


def _names(token: Any) -> bool:
    """Return whether a word is a noun by itself: "a simple and a hard task" shares its noun."""
    named = token.pos_ == "PROPN" and not token.text.islower()
    return named or (token.pos_ in ("NOUN", "PROPN") and surely_noun(token))


def _is_between(first: Any) -> bool:
    """Return whether a word is the first of two between which a relation is named."""
    return (
        first.dep_ == "pobj"
        and first.head.lower_ == "between"
        and first.head.head.lemma_.lower() in word_set("relations.txt")
    )
