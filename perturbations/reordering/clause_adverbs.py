"""Adverbs of time between the head of a joined clause and its verb: "but now I sleep" ↔ "but I now sleep"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import end_of, word_set
from perturbations.reordering.evidence import denied
from perturbations.reordering.moves import Move

_POINTS = frozenset((
    "now", "then", "recently", "eventually", "suddenly", "currently", "finally", "later", "soon",
))  # fmt: skip
_HABITS = frozenset({"sometimes", "usually", "occasionally"})
_LINKS = frozenset({"and", "but", "so", "because", "yet"})
_STATES = frozenset({"VBP", "VBZ"})
_SEQUENCE = frozenset({"if", "when", "first", "once", "after", "until", "unless"})
"""Words that a "then" in the same sentence answers."""


def clause_adverb_shifts(text: Text) -> Iterator[Move]:
    """Yield moves of an adverb over the pronoun that is its clause's subject, and a helping verb."""
    for adverb in text.doc:
        if adverb.lower_ not in _POINTS | _HABITS or adverb.dep_ != "advmod":
            continue
        verb = adverb.head
        subject = next((c for c in verb.children if c.dep_ in ("nsubj", "nsubjpass")), None)
        if subject is None or subject.tag_ != "PRP" or list(subject.children):
            continue
        if list(adverb.children) or not _may_move(adverb, verb):
            continue
        move = _to_verb(text, adverb, subject, verb) or _to_front(text, adverb, subject, verb)
        if move is not None:
            yield move


def _may_move(adverb: Any, verb: Any) -> bool:
    """Return whether an adverb says of one clause when it is, with nothing set against it."""
    sentence = verb.sent
    direct = [t for t in verb.subtree if t.head.i == verb.i or t.i == verb.i]
    words = [t.lower_ for t in sentence]
    joined = any(c.dep_ == "conj" for c in verb.children)
    return not (
        denied(direct)
        or words.count(adverb.lower_) > 1
        or (adverb.lower_ == "then" and not _SEQUENCE.isdisjoint(words))
        or (adverb.lower_ in _HABITS and (joined or any(c.dep_ == "ccomp" for c in verb.children)))
        or any(c.dep_ == "advmod" and abs(c.i - adverb.i) <= 2 and c.i != adverb.i for c in direct)
    )


def _opens(first: Any) -> bool:
    """Return whether a word comes right behind the link of a joined clause."""
    return first.i > 0 and first.nbor(-1).lower_ in _LINKS and first.nbor(-1).sent == first.sent


def _place(verb: Any, subject: Any) -> Any | None:
    """Return the helping verb behind which an adverb stands, the verb before which it does, or None."""
    after = subject.nbor() if subject.i + 1 < len(subject.doc) else None
    if after is None:
        return None
    if after.dep_ in ("aux", "auxpass") and after.head.i == verb.i:
        return after if after.lemma_ in ("be", "have") or after.tag_ == "MD" else None
    return after if after.i == verb.i else None


def _to_verb(text: Text, adverb: Any, subject: Any, verb: Any) -> Move | None:
    """Return the move of an adverb at the head of its clause to the verb."""
    place = _place(verb, subject)
    if place is None or adverb.i + 1 != subject.i or not _opens(adverb):
        return None
    helping = place.dep_ in ("aux", "auxpass") or place.lemma_ == "be"
    past = place.tag_ == "VBD" and not helping
    if adverb.lower_ == "now" and place.tag_ == "VBD":
        return None
    if adverb.lower_ in _HABITS and past:
        return None
    following = place.nbor() if place.i + 1 < len(place.doc) else place
    if adverb.lower_ == "then" and adverb.nbor(-1).lower_ != "and":
        return None  # "but then" sets against
    if (
        following.lower_ in word_set("focus.txt")
        or following.is_punct
        or following.is_space
        or following.lower_ in ("to", "like")
    ):
        return None
    at, moved = (end_of(place), f" {adverb.text}") if helping else (place.idx, f"{adverb.text} ")
    edits = (
        Edit(start=adverb.idx, end=subject.idx, text=""),
        Edit(start=at, end=at, text=moved),
    )
    return _local(text, edits, adverb, place)


def _to_front(text: Text, adverb: Any, subject: Any, verb: Any) -> Move | None:
    """Return the move of an adverb beside the verb to the head of its clause."""
    place = _place(verb, subject)
    if place is None or not _opens(subject):
        return None
    helping = place.dep_ in ("aux", "auxpass") or place.lemma_ == "be"
    if helping and adverb.i == place.i + 1:
        gone = Edit(start=end_of(place), end=end_of(adverb), text="")
    else:
        return None
    put = Edit(start=subject.idx, end=subject.idx, text=f"{adverb.text} ")
    return _local(text, (put, gone), subject, adverb)


def _local(text: Text, edits: tuple[Edit, Edit], first: Any, last: Any) -> Move | None:
    """Return the move of these edits, if its stretch is one line of plain words."""
    region = first.idx, end_of(last)
    if text.is_protected(*region) or any(c in text.raw[slice(*region)] for c in "\n\r,"):
        return None
    adverb = frozenset((*_POINTS, *_HABITS))
    return Move(edits, (region,), moved=adverb)
