"""Neighbours in a list exchanged, "sad, tired, and alone" → "tired, sad, and alone"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

from harness.text.parse import Text
from perturbations.common import word_set
from perturbations.reordering.company import shares_article
from perturbations.reordering.evidence import readings, surely_adjective
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
from perturbations.reordering.moves import Move
from perturbations.reordering.pair_conditions import free, known, ordered, reaches

_SEQUENCED = re.compile(
    r"\b(?:orders?|ordered|sequences?|steps?|stages?|phases?|structure|structured|format|headings?|headers?|fields?|"
    r"rows?|cells?|sections?|outline|rank(?:ed|ing)?|respectively|consists? of|following|chorus|verse)\b",
    re.IGNORECASE,
)  # fmt: skip
"""Words that make the order of a list the order of what is asked for."""


def list_swaps(text: Text) -> Iterator[Move]:
    """Swap two neighbours in a list: "sad, tired, and alone" → "tired, sad, and alone"."""
    for first in dict.fromkeys(one for one, _, _ in coordinations(text, several=True)):
        members = _members(first)
        if (
            len(members) < 3
            or _joined_early(members)
            or first.dep_ not in NOUN_PLACES | ADJECTIVE_PLACES
        ):
            continue
        if _is_ordered(members):
            continue
        if _SEQUENCED.search(first.sent.text):
            continue
        for one, two in pairwise(members[:-1]):
            names = one.pos_ == two.pos_ == "PROPN" and one.text.isalpha() and two.text.isalpha()
            nouns = one.pos_ == two.pos_ == "NOUN" and not any(map(_may_be_verb, (one, two)))
            alike = names or nouns or all(map(surely_adjective, (one, two)))
            shared = nouns and _shares(members, one, two)
            spans = heads(one, two) if shared else phrases(one, two)
            inner = one.i != first.i and all(_bare(t) or _determined(t) for t in (one, two))
            same = all(map(_bare, (one, two))) or all(map(_determined, (one, two)))
            if (
                alike
                and (shared or same or inner)
                and (shared or _determined_alike(one, two))
                and text.raw[heads(one, two)[0][1] : spans[1][0]] == ", "
                and free(text, one, two, spans)
            ):
                move = swap(text, one, two, spans)
                yield replace(move, listed=frozenset(m.lower_ for m in members))
                break


def comma_swaps(text: Text) -> Iterator[Move]:
    """Swap two adjectives of equal rank: "a short, funny poem" → "a funny, short poem"."""
    for one in text.doc:
        if one.i + 2 >= len(one.doc) or one.dep_ != "amod" or one.nbor().text != ",":
            continue
        two = one.nbor(2)
        spans = heads(one, two)
        if (
            two.dep_ == "amod"
            and two.head.i == one.head.i == two.i + 1
            and all(t.tag_ == "JJ" and "ADJ" in readings(t.lower_) for t in (one, two))
            and one.text.islower()
            and any(c.dep_ in ("det", "poss") and c.i == one.i - 1 for c in one.head.lefts)
            and not any(list(t.children) for t in (one, two))
            and text.raw[spans[0][1] : spans[1][0]] == ", "
            and free(text, one, two, spans)
        ):
            move = swap(text, one, two, spans)
            yield replace(move, exchanged=None, moved=frozenset((one.lower_, two.lower_)))


def _joined_early(members: Sequence[Any]) -> bool:
    """Return whether an "and" comes before the last but one, so that two lists may have run together."""
    return any(c.dep_ == "cc" for m in members[:-2] for c in m.children)


def _is_ordered(members: Sequence[Any]) -> bool:
    """Return whether two members of a list are steps of one scale, or any two an idiom."""
    steps = word_set("ordered_words.txt")
    scale = [m for m in members if not steps.isdisjoint((m.lower_, m.lemma_.lower()))]
    pairs = [
        (a, b) for a in members for b in members if a.i < b.i and a not in scale and b not in scale
    ]
    return len(scale) > 1 or any(ordered(a, b) for a, b in pairs)


def _may_be_verb(member: Any) -> bool:
    """Return whether a bare singular noun may open a further clause instead: "..., slice and enjoy"."""
    return member.tag_ not in ("NN", "NNS") or (
        not list(member.lefts) and member.lemma_.lower() in word_set("noun_or_verb.txt")
    )


def _shares(members: Sequence[Any], one: Any, two: Any) -> bool:
    """Return whether what stands before the first of a list belongs to all: "my career, looks and age"."""
    before = list(one.lefts)
    return (
        one.i == members[0].i
        and bool(before)
        and all(_bare(m) and not list(m.lefts) for m in members[1:])
        and all(c.dep_ in ("conj", "cc", "punct") for c in one.rights)
        and one.tag_ == two.tag_
        and all(reaches(c, one, two) for c in before)
        and shares_article(one, two)
    )


def _determined_alike(one: Any, two: Any) -> bool:
    """Return whether two members of a list have the same determiners."""
    return len({tuple(filter(None, map(determination, t.lefts))) for t in (one, two)}) == 1


def _determined(member: Any) -> bool:
    """Return whether a member of a list has words of its own before it and none behind."""
    before = [c for c in member.children if c.i < member.i and c.dep_ != "cc"]
    behind = [c for c in member.children if c.i > member.i]
    return (
        bool(before)
        and all(c.dep_ in MODIFIERS for c in before)
        and all(c.dep_ in ("conj", "cc", "punct") for c in behind)
    )


def _bare(member: Any) -> bool:
    """Return whether a member of a list has no words of its own but a compound's."""
    return all(
        c.dep_ in ("conj", "cc", "punct") or (c.dep_ == "compound" and c.i < member.i and known(c))
        for c in member.children
    )


def _members(first: Any) -> list[Any]:
    """Return a word and the conjuncts that hang on it one behind the other."""
    if first.dep_ == "conj":
        return []
    members = [first]
    while True:
        following = [c for c in members[-1].children if c.dep_ == "conj"]
        if len(following) != 1:
            return members
        members.append(following[0])
