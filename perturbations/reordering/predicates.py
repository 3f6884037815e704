"""What somebody is, has and does, exchanged: "I feel sad and have no energy.", "being late and failing"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.text.parse import Text
from perturbations.common import end_of, word_set
from perturbations.reordering.evidence import denied, may_follow, technical
from perturbations.reordering.exchanges import coordinations
from perturbations.reordering.moves import (
    SUBJECTS,
    Move,
    Spans,
    exchange,
    refers_back,
    third_person,
)

_LONGEST = 9  # words of a phrase
_GERUND_PLACES = frozenset({"pcomp", "xcomp", "dobj"})


def predicate_swaps(text: Text) -> Iterator[Move]:
    """Yield swaps of two predicates, or gerunds, whose order says nothing."""
    for first, second, link in coordinations(text):
        if link.lower_ not in ("and", "or") or second.i < first.i:
            continue
        if not (_both_last(first, second) or _both_name(first, second)):
            continue
        spans = _phrases(first, second, link)
        if spans is None or any(text.is_protected(s, e) for s, e in spans):
            continue
        region = text.raw[spans[0][0] : spans[1][1]]
        if "\n" not in region and not technical(first.sent.text):
            moved = frozenset((first.lower_, second.lower_))
            yield Move(exchange(text, spans), ((spans[0][0], spans[1][1]),), moved=moved)


def _both_last(first: Any, second: Any) -> bool:
    """Return whether two verbs of one subject both tell of what lasts: "feel ... and have ..."."""
    states = word_set("stative_verbs.txt")
    before = [c for c in first.lefts if not c.is_space]
    return (
        f"{first.tag_} {second.tag_}" in ("VBP VBP", "VBP VB", "VBZ VBZ")
        and {first.lemma_.lower(), second.lemma_.lower()} <= states
        and first.lemma_ != second.lemma_
        and len(before) == 1
        and before[0].dep_ == "nsubj"
        and not list(second.lefts)
        and not may_follow(second)
    )


def _both_name(first: Any, second: Any) -> bool:
    """Return whether two gerunds name what somebody fears, likes or struggles with."""
    ruled_out = word_set("sequential_verbs.txt")
    return (
        first.tag_ == second.tag_ == "VBG"
        and first.dep_ in _GERUND_PLACES
        and {first.lemma_.lower(), second.lemma_.lower()}.isdisjoint(ruled_out)
        and first.lemma_ != second.lemma_
        and not list(first.lefts)
        and not list(second.lefts)
    )


def _phrases(first: Any, second: Any, link: Any) -> Spans | None:
    """Return both phrases, each from its verb to its end, or None where more may hang on one."""
    doc = first.doc
    one = [t for t in doc[first.i : link.i] if not t.is_space]
    two = [t for t in doc[link.i + 1 : second.right_edge.i + 1] if not t.is_space]
    after = doc[second.right_edge.i + 1] if second.right_edge.i + 1 < len(doc) else None
    if (
        not one
        or not two
        or two[0].i != second.i
        or max(len(one), len(two)) > _LONGEST
        or any(c.dep_ == "conj" for c in second.children)
        or any(
            t.is_punct
            or t.pos_ == "CCONJ"
            or t.dep_ in ("relcl", "advcl", "ccomp", "neg", "npadvmod", "agent")
            or t.dep_ in SUBJECTS
            for t in (*one, *two)
        )
        or any(t.head.i < first.i for t in one[1:])
        or any(t.lower_ in word_set("ties.txt") for t in (*one, *two))
        or third_person(two)
        or refers_back(two)
        or denied([t for t in (*one, *two) if t.lower_ != "no"])
        or (after is not None and not after.is_punct)
        or one[-1].pos_ in ("ADP", "PART")
        or two[-1].pos_ in ("ADP", "PART", "ADV")
    ):
        return None
    return (one[0].idx, end_of(one[-1])), (two[0].idx, end_of(two[-1]))
