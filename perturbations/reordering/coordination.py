"""Pairs exchanged, "A and B" → "B and A", where neither carries more than the other."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.text.parse import Text
from perturbations.common import capitalised, end_of, takes_an, word_set
from perturbations.reordering.moves import Move, Spans, exchange, pair, third_person

_DETERMINED = frozenset({"det", "poss"})
_MODIFIERS = _DETERMINED | {"amod"}
_SHARED_DETERMINERS = frozenset(
    ["the", "my", "your", "his", "her", "its", "our", "their", "some", "any", "no"]
)


def pair_swaps(text: Text) -> Iterator[Move]:
    """Yield swaps of pairs of nouns or of adjectives."""
    for first in text.doc:
        if first.pos_ not in ("NOUN", "ADJ", "VERB") or first.dep_ in ("compound", "nmod"):
            continue
        second, link = pair(first)
        if second is None or second.pos_ != first.pos_ or link.lower_ not in ("and", "or"):
            continue
        if first.dep_ == "conj" and any(
            c.dep_ == "cc" and c.i < first.i for c in first.head.children
        ):
            continue  # "work and health and talks": two conjunctions are often parsed wrongly.
        spans = _spans(first, second, link)
        if spans is not None and not _fixed(text, first, second, spans):
            yield _swap(text, spans)


def list_swaps(text: Text) -> Iterator[Move]:
    """Swap the first two of a list: "sad, tired, and alone" → "tired, sad, and alone"."""
    for first in text.doc:
        members = _members(first)
        if len(members) < 3 or any(m.pos_ != first.pos_ for m in members):
            continue
        if first.pos_ not in ("NOUN", "ADJ") or first.dep_ in ("compound", "nmod"):
            continue
        bare = all(not list(m.lefts) for m in members[:2]) and not [
            c for m in members[:2] for c in m.rights if c.dep_ not in ("conj", "cc", "punct")
        ]
        spans = _heads(members[0], members[1])
        if bare and not _fixed(text, members[0], members[1], spans):
            yield _swap(text, spans)


def _members(first: Any) -> list[Any]:
    if first.dep_ == "conj":
        return []
    members = [first]
    while True:
        following = [c for c in members[-1].children if c.dep_ == "conj"]
        if len(following) != 1:
            return members
        members.append(following[0])


def action_swaps(text: Text) -> Iterator[Move]:
    """Swap two infinitives: "to work hard and to be kind" → "to be kind and to work hard"."""
    for first in text.doc:
        second, link = pair(first)
        if second is None or first.tag_ not in ("VB", "VBG") or first.tag_ != second.tag_:
            continue
        spans = _actions(first, second, link)
        if spans is None or any(text.is_protected(*span) for span in spans):
            continue
        if "\n" not in text.raw[spans[0][0] : spans[1][1]]:
            yield _swap(text, spans)


def _actions(first: Any, second: Any, link: Any) -> Spans | None:
    """Return the two verb phrases, each from its verb to its end, or None where order matters."""
    doc = first.doc
    one = [t for t in doc[first.i : link.i] if not t.is_space]
    two = [t for t in doc[link.i + 1 : second.right_edge.i + 1] if not t.is_space]
    after = doc[second.right_edge.i + 1] if second.right_edge.i + 1 < len(doc) else None
    if (
        link.lower_ not in ("and", "or")
        or not all(2 <= len(phrase) <= 8 for phrase in (one, two))
        or two[0].i != second.i
        or any(
            t.is_punct or t.pos_ == "CCONJ" or t.dep_ in ("relcl", "acl", "advcl", "ccomp", "neg")
            for t in (*one, *two)
        )
        or {first.lemma_, second.lemma_} & word_set("sequential_verbs.txt")
        or third_person(two)
        or any(c.dep_ == "conj" for c in second.children)
        or (after is not None and not after.is_punct)
        or any(t.head.i < first.i and t.i != first.i for t in one)
    ):
        return None
    return (one[0].idx, end_of(one[-1])), (two[0].idx, end_of(two[-1]))


def _spans(first: Any, second: Any, link: Any) -> Spans | None:
    """Return the spans to exchange, or None where one of the two governs further words."""
    right = [c for c in first.rights if c.i not in (second.i, link.i) and not c.is_space]
    if right or any(not c.is_space for c in second.rights):
        return None
    left_of_first, left_of_second = list(first.lefts), list(second.lefts)
    lefts = (left_of_first, left_of_second)
    if first.pos_ == "VERB":
        bare = not left_of_second and second.i - first.i == 2 and first.tag_ in ("VB", "VBG", "VBP")
        return _heads(first, second) if bare else None
    if not left_of_first and not left_of_second:
        return _heads(first, second)
    if first.pos_ == "ADJ":
        if left_of_second or any(c.dep_ == "neg" for c in left_of_first):
            return None
        return _heads(first, second)
    if all(lefts):
        determined = all(any(c.dep_ in _DETERMINED for c in left) for left in lefts)
        if not determined or not {c.dep_ for left in lefts for c in left} <= _MODIFIERS:
            return None
        if third_person(second.subtree):  # "my sister and her husband"
            return None
        return (
            (first.left_edge.idx, end_of(first)),
            (second.left_edge.idx, end_of(second)),
        )
    shared = {c.lower_ for c in left_of_first}
    return None if left_of_second or not shared <= _SHARED_DETERMINERS else _heads(first, second)


def _heads(first: Any, second: Any) -> Spans:
    return (first.idx, end_of(first)), (second.idx, end_of(second))


def _fixed(text: Text, first: Any, second: Any, spans: Spans) -> bool:
    """Return whether the order of a pair is fixed or carries meaning."""
    (a, b), (c, d) = spans
    raw = text.raw
    before = raw[:a].rstrip().rsplit(None, 1)[-1].lower() if raw[:a].strip() else ""
    return (
        f"{first.lemma_.lower()} {second.lemma_.lower()}" in word_set("fixed_pairs.txt")
        or first.lower_ in word_set("fixed_pairs.txt")
        or first.lower_ == second.lower_
        or (before in ("a", "an") and takes_an(first.text) != takes_an(second.text))
        or before in ("between", "from", "every", "each", "either", "that")
        or any(raw[at : at + 1] in ("-", "/", "'", "’") for at in (b, d))
        or any(raw[max(0, at - 1) : at] in ("-", "/") for at in (a, c))
        or "\n" in raw[a:d]
        or any(text.is_protected(s, e) for s, e in spans)
        or any(t.lower_ in ("respectively", "then") for t in first.sent)
        or (first.tag_ != second.tag_ and (first.pos_ == "VERB" or _joined_by_or(first)))
        or _followed_by_modifier(second)
    )


def _joined_by_or(first: Any) -> bool:
    return next((c.lower_ == "or" for c in first.children if c.dep_ == "cc"), False)


def _followed_by_modifier(second: Any) -> bool:
    """Return whether the next word depends on the second: "sad and angry at him"."""
    doc = second.doc
    if second.i + 1 >= len(doc):
        return False
    after = doc[second.i + 1]
    if second.pos_ == "NOUN":
        relative = after.lower_ in ("of", "that", "which", "who", "whose")
        return relative or after.pos_ in ("NOUN", "PROPN", "PRON")
    if after.pos_ == "SCONJ":
        adverbial = ("because", "when", "if", "since", "although", "while", "whenever")
        return after.lower_ not in adverbial
    return after.pos_ in ("ADP", "PART") or after.lower_ in ("that", "enough")


def _swap(text: Text, spans: Spans) -> Move:
    (a, b), (c, d) = spans
    first, second = text.raw[a:b], text.raw[c:d]
    starts = a == 0 or text.raw[:a].rstrip()[-1:] in (".", "!", "?", "")
    if starts and first[:1].isupper() and second[:1].islower():
        first = first if first.split()[0] == "I" else first[:1].lower() + first[1:]
        second = capitalised(second)
    return Move(exchange(text, spans, first, second), ((a, d),))
