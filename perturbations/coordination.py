"""Pairs exchanged, "A and B" → "B and A", where neither carries more than the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from harness.records import Edit
from perturbations.common import word_set
from perturbations.moves import Move, third_person

if TYPE_CHECKING:
    from harness.text import Text

_OWN = ("det", "poss")
_SHARED_DETERMINERS = frozenset(
    ["the", "my", "your", "his", "her", "its", "our", "their", "some", "any", "no"]
)


def pair_swaps(text: Text) -> Iterator[Move]:
    """Pairs of nouns or of adjectives that may change places."""
    for first in text.doc:
        if first.pos_ not in ("NOUN", "ADJ") or first.dep_ in ("compound", "nmod"):
            continue
        conjuncts = [c for c in first.children if c.dep_ == "conj"]
        links = [c for c in first.children if c.dep_ == "cc"]
        if len(conjuncts) != 1 or len(links) != 1:
            continue
        second = conjuncts[0]
        if second.pos_ != first.pos_ or links[0].lower_ not in ("and", "or"):
            continue
        spans = _spans(first, second, links[0])
        if spans is None or _fixed(text, first, second, spans):
            continue
        yield _swap(text, *spans)


def _spans(first: Any, second: Any, link: Any) -> tuple[tuple[int, int], tuple[int, int]] | None:
    """The characters to exchange, or None where one of the two carries more than itself."""
    right = [c for c in first.rights if c.i not in (second.i, link.i) and not c.is_space]
    if right or any(not c.is_space for c in second.rights):
        return None
    left_of_first, left_of_second = list(first.lefts), list(second.lefts)
    if not left_of_first and not left_of_second:
        return _heads(first, second)
    if first.pos_ == "ADJ":
        if left_of_second or any(c.dep_ == "neg" for c in left_of_first):
            return None
        return _heads(first, second)
    kinds = {c.dep_ for c in left_of_first} | {c.dep_ for c in left_of_second}
    if left_of_first and left_of_second:
        own = all(any(c.dep_ in _OWN for c in left) for left in (left_of_first, left_of_second))
        if not own or not kinds <= {*_OWN, "amod"}:
            return None
        if third_person(second.subtree):  # "my sister and her husband"
            return None
        return _phrases(first, second)
    shared = {c.lower_ for c in left_of_first}
    if left_of_second or not shared <= _SHARED_DETERMINERS:
        return None
    return _heads(first, second)


def _heads(first: Any, second: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    return (
        (first.idx, first.idx + len(first.text)),
        (second.idx, second.idx + len(second.text)),
    )


def _phrases(first: Any, second: Any) -> tuple[tuple[int, int], tuple[int, int]]:
    return (
        (first.left_edge.idx, first.idx + len(first.text)),
        (second.left_edge.idx, second.idx + len(second.text)),
    )


def _fixed(
    text: Text, first: Any, second: Any, spans: tuple[tuple[int, int], tuple[int, int]]
) -> bool:
    """Pairs whose order is fixed or says something."""
    (a, b), (c, d) = spans
    raw = text.raw
    before = raw[:a].rstrip().rsplit(None, 1)[-1].lower() if raw[:a].strip() else ""
    sentence = first.sent
    return (
        f"{first.lemma_.lower()} {second.lemma_.lower()}" in word_set("fixed_pairs.txt")
        or first.lower_ in word_set("fixed_pairs.txt")
        or first.lower_ == second.lower_
        or before in ("a", "an", "between", "from", "every", "each", "either", "this", "that")
        or raw[d : d + 1] in ("-", "/", "'", "’")
        or raw[b : b + 1] in ("-", "/", "'", "’")
        or raw[max(0, a - 1) : a] in ("-", "/")
        or raw[max(0, c - 1) : c] in ("-", "/")
        or "\n" in raw[a:d]
        or any(text.is_protected(s, e) for s, e in spans)
        or any(t.lower_ in ("respectively", "then") for t in sentence)
        or (first.tag_ != second.tag_)
        or _followed_by_modifier(second)
    )


def _followed_by_modifier(second: Any) -> bool:
    """What follows belongs to the last: "stress and anxiety that ...", "sad and angry at him"."""
    doc = second.doc
    if second.i + 1 >= len(doc):
        return False
    after = doc[second.i + 1]
    if second.pos_ == "NOUN":
        return after.lower_ in ("of", "that", "which", "who", "whose") or after.pos_ in (
            "NOUN",
            "PROPN",
        )
    return after.pos_ in ("ADP", "SCONJ", "PART") or after.lower_ in ("that",)


def _swap(text: Text, one: tuple[int, int], other: tuple[int, int]) -> Move:
    (a, b), (c, d) = one, other
    first, second = text.raw[a:b], text.raw[c:d]
    starts = a == 0 or text.raw[:a].rstrip()[-1:] in (".", "!", "?", "")
    if starts and first[:1].isupper() and second[:1].islower():
        first = first if first.split()[0] == "I" else first[:1].lower() + first[1:]
        second = second[:1].upper() + second[1:]
    edits = (Edit(start=a, end=b, text=second), Edit(start=c, end=d, text=first))
    return Move(edits, ((a, d),))
