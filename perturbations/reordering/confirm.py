"""A second look at a move: the sentence that it gives is parsed, and must mean the same to the parser.

Moves rest on one parse of the sentence as it stood. Where that parse was wrong, the new order
rarely parses alike; so each word must keep its class and the word that it depends on.
"""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from typing import Any, NamedTuple, TypeAlias

from harness.records import Edit
from harness.text.edits import apply_edits
from harness.text.parse import Text, nlp
from perturbations.common import end_of
from perturbations.reordering.moves import Move

_MISSED = 1  # links elsewhere that may differ, for the parser wavers too
_LOOSE = frozenset({"punct", "cc", "mark", "dep"})


class Link(NamedTuple):
    """A word, its class, and what it depends on."""

    word: str
    pos: str
    head: str


Links: TypeAlias = Counter[Link]


def confirmed(text: Text, move: Move) -> bool:
    """Return whether the parse of each sentence after a move links its words as before."""
    if move.whole_sentences:
        return True
    start = min(s for s, _ in move.regions)
    end = max(e for _, e in move.regions)
    spans = [s for s in text.doc.sents if s.start_char < end and start < s.end_char]
    if len(spans) != 1:
        return False
    tokens = [t for t in spans[0] if not t.is_space]
    first, last = tokens[0].idx, end_of(tokens[-1])
    edits = [
        Edit(start=e.start - first, end=e.end - first, text=e.text)
        for e in sorted(move.edits, key=lambda e: (e.start, e.end))
    ]
    if edits[0].start < 0 or edits[-1].end > last - first:
        return False
    old = _links(tokens)
    new = parsed_links(apply_edits(text.raw[first:last], edits))
    if move.listed:
        return (_but(old, move.listed) - _but(new, move.listed)).total() <= _MISSED
    if move.exchanged:
        return _mirrored(old, new, move.exchanged)
    if not move.moved:
        return old == new
    return (_but(old, move.moved) - _but(new, move.moved)).total() <= _MISSED


def _but(links: Links, moved: frozenset[str]) -> Links:
    """Return the links without the heads that may change where a phrase is moved whole."""
    return Counter(
        k._replace(head="" if k.word in moved or k.pos in ("ADP", "VERB") else k.head)
        for k in links.elements()
    )


@lru_cache(maxsize=4096)
def parsed_links(raw: str) -> Links:
    """Parse a sentence by itself and return its links."""
    return _links(list(nlp()(raw)))


def _links(tokens: list[Any]) -> Links:
    return Counter(
        Link(_word(t), _class(t), "" if t.dep_ == "ROOT" else t.head.lower_)
        for t in tokens
        if not t.is_punct and not t.is_space and t.dep_ not in _LOOSE
    )


def _word(token: Any) -> str:
    """Return a word in small letters; the form of an article hangs on what comes to stand behind it."""
    return "a" if token.lower_ == "an" else str(token.lower_)


def _class(token: Any) -> str:
    """Return a word's class, without distinctions on which the tagger wavers."""
    return {"PROPN": "NOUN", "AUX": "VERB", "PART": "ADP", "SCONJ": "ADP"}.get(
        token.pos_, str(token.pos_)
    )


def _mirrored(old: Links, new: Links, exchanged: tuple[str, str]) -> bool:
    """Return whether the links are the same but that the two conjuncts have changed places."""
    one, two = exchanged
    swap = {one: two, two: one}

    def apart(links: Links) -> Links:
        return Counter(
            {k: n for k, n in links.items() if k.word not in swap and k.head not in swap}
        )

    lead = [k for k in old if k.word == one]
    follow = [k for k in new if k.word == one and k.head == two]
    heads = {k.head for k in lead}
    return (
        (apart(old) - apart(new)).total() <= _MISSED + 1
        and bool(follow)
        and any(k.word == two and k.head in heads and k.pos == lead[0].pos for k in new)
    )
