"""Purposes moved to the front: "Write a query to find X." → "To find X, write a query."."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from harness.text.parse import Text
from perturbations.common import word_set
from perturbations.reordering.clauses import front
from perturbations.reordering.evidence import denied
from perturbations.reordering.moves import Move, Sentence, lowered, requests, third_person

_LONGEST = 18


def purpose_moves(text: Text) -> Iterator[Move]:
    """Yield the purpose of what is to be made or used, moved before the request."""
    for sentence in requests(text):
        first = sentence.tokens[0]
        if not _makes(first, sentence) or lowered(text, first, first.text)[0].isupper():
            continue
        to = _purpose(sentence)
        if to is not None:
            move = front(text, sentence, to.idx, first)
            yield replace(move, moved=frozenset({to.lower_, to.head.lower_}))


def _makes(first: Any, sentence: Sentence) -> bool:
    """Return whether a sentence asks for one thing to be made, changed or used."""
    root = sentence.root
    return (
        first.i == root.i
        and first.lower_ in word_set("making_verbs.txt")
        and not any(c.dep_ in ("conj", "cc", "neg", "ccomp") for c in root.children)
        and not any(t.text == "," for t in sentence.tokens)
    )


def _purpose(sentence: Sentence) -> Any | None:
    """Return the "to" with which the purpose starts, if all that follows belongs to it."""
    things = [c for c in sentence.root.children if c.dep_ == "dobj"]
    if len(things) != 1 or things[0].i < sentence.root.i:
        return None
    (thing,) = things
    used = sentence.root.lower_ == "use"
    if not used and thing.lemma_.lower() not in word_set("artefacts.txt"):
        return None
    to = next((t for t in sentence.tokens if t.tag_ == "TO" and t.i > thing.i), None)
    if to is None or to.head.tag_ != "VB" or to.head.head.i not in (thing.i, sentence.root.i):
        return None
    verb = to.head
    rest = [t for t in sentence.tokens if t.i >= to.i and not t.is_punct]
    before = [t for t in sentence.tokens if t.i < to.i]
    if (
        not 3 <= len(rest) <= _LONGEST
        or any(c.dep_ in ("conj", "cc") for c in verb.children)
        or verb.lemma_.lower() in ("be", "have", "use")
        or not {t.i for t in rest} <= {t.i for t in verb.subtree}
        or third_person(rest)
        or denied(before)
        or any(
            t.pos_ in ("VERB", "AUX")
            and t.i != sentence.root.i
            and t.lower_ != "following"
            and t.lower_ != "given"
            for t in before
        )
    ):
        return None
    return to


def purpose_questions(text: Text) -> Iterator[Move]:
    """Yield moves like "What should I do to lose weight?" → "To lose weight, what should I do?"."""
    for sentence in requests(text):
        first, root = sentence.tokens[0], sentence.root
        words = [t for t in sentence.tokens if not t.is_punct]
        if first.tag_ not in ("WP", "WRB", "WDT") or len(words) > _LONGEST:
            continue
        to = next((t for t in words if t.tag_ == "TO"), None)
        if (
            to is None
            or root.lemma_.lower() not in ("do", "use", "take", "eat", "buy")
            or to.head.tag_ != "VB"
            or to.head.head.i != root.i
            or to.i != root.i + 1
            or words[-1].i - to.i < 2
            or not {t.i for t in words if t.i >= to.i} <= {t.i for t in to.head.subtree}
            or third_person(words)
            or denied(words)
            or any(t.text == "," for t in sentence.tokens)
            or lowered(text, first, first.text)[0].isupper()
        ):
            continue
        move = front(text, sentence, to.idx, first)
        yield replace(move, moved=frozenset({to.lower_, to.head.lower_}))
