"""How two members of a pair or list are taken with what belongs to them, and put in each other's place."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

from harness.text.parse import Text
from perturbations.common import article_edit, capitalised, end_of
from perturbations.reordering.moves import Move, Spans, exchange

MODIFIERS = frozenset({"det", "poss", "amod", "compound"})
NOUN_PLACES = frozenset({"nsubj", "nsubjpass", "dobj", "pobj", "attr"})
ADJECTIVE_PLACES = frozenset({"acomp", "amod", "ccomp", "oprd"})


def determination(token: Any) -> str:
    """Return how a word before a noun determines it, or nothing."""
    if token.dep_ == "poss":
        return "poss" if token.tag_ == "PRP$" else "name"
    if token.dep_ != "det":
        return ""
    return str({"the": "the", "a": "a", "an": "a"}.get(token.lower_, token.lower_))


def heads(first: Any, second: Any) -> Spans:
    """Return the spans of two words by themselves."""
    return (first.idx, end_of(first)), (second.idx, end_of(second))


def phrases(first: Any, second: Any) -> Spans:
    """Return the spans of two words with what stands before each."""
    return (
        (first.left_edge.idx, end_of(first)),
        (second.left_edge.idx, end_of(second)),
    )


def swap(text: Text, one: Any, two: Any, spans: Spans) -> Move:
    """Return the move that exchanges two spans, with capitals and an article before them repaired.

    Args:
        text: The prompt.
        one: The word that heads the first span.
        two: The word that heads the second.
        spans: The two spans.
    """
    (a, b), (c, d) = spans
    first, second = text.raw[a:b], text.raw[c:d]
    starts = a == 0 or text.raw[:a].rstrip()[-1:] in (".", "!", "?", "")
    if starts and first[:1].isupper() and second[:1].islower():
        first = first if first.split()[0] == "I" else first[:1].lower() + first[1:]
        second = capitalised(second)
    article = article_edit(text.raw, a, second)
    edits = exchange(text, spans, first, second)
    if article is None:
        return Move(edits, ((a, d),), exchanged=(one.lower_, two.lower_))
    return Move((article, *edits), ((article.start, d),), exchanged=(one.lower_, two.lower_))


@lru_cache(maxsize=2)
def coordinations(text: Text, several: bool = False) -> Sequence[tuple[Any, Any, Any]]:
    """Return the coordinated pairs of a text: the first, its one conjunct, and the conjunction.

    Args:
        text: The prompt.
        several: Also lists, in which the first has no conjunction of its own; the third is then the
            first once more.
    """
    coordinated: list[tuple[Any, Any, Any]] = []
    for second in text.doc:
        if second.dep_ != "conj":
            continue
        first = second.head
        other, link = pair(first)
        if other is not None:
            coordinated.append((first, other, link))
        elif several:
            coordinated.append((first, second, first))
    return tuple(coordinated)


def pair(first: Any) -> tuple[Any, Any]:
    """Return the one conjunct of a token and the conjunction, or None twice if not just one."""
    conjuncts = [c for c in first.children if c.dep_ == "conj"]
    links = [c for c in first.children if c.dep_ == "cc"]
    return (conjuncts[0], links[0]) if len(conjuncts) == len(links) == 1 else (None, None)
