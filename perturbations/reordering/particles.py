"""The particle of a verb on either side of a short object: "turn off the light" ↔ "turn the light off"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import end_of, word_set
from perturbations.reordering.moves import Move
from perturbations.reordering.pair_conditions import is_person

_DETERMINERS = frozenset((
    "the", "my", "your", "his", "her", "our", "their", "a", "an", "this", "these", "those", "some",
))  # fmt: skip
_OF_PERSONS = frozenset(
    {"help out", "wake up", "let down", "cheer up", "push away", "pick up", "drop off", "kick out"}
)
_LONGEST = 3  # words of the object
_HEAVY = frozenset({"way", "time", "thing", "things", "part", "one", "ones", "lot", "rest", "fact"})
_FOLLOWING = frozenset({"and", "or", "but", "so", "because", "when", "if", "before", "after"})


def particle_shifts(text: Text) -> Iterator[Move]:
    """Yield moves of a particle over the object: never over a pronoun, nor over a long object."""
    for particle in text.doc:
        verb = particle.head
        pairs = word_set("separable_verbs.txt")
        if particle.dep_ != "prt" or f"{verb.lemma_.lower()} {particle.lower_}" not in pairs:
            continue
        thing = next((c for c in verb.children if c.dep_ == "dobj"), None)
        if thing is None or not _is_short(thing):
            continue
        if is_person(thing) and f"{verb.lemma_.lower()} {particle.lower_}" not in _OF_PERSONS:
            continue  # "take the kids out" is not "take out the kids"
        words = list(thing.subtree)
        start, end = words[0].i, words[-1].i + 1
        doc = text.doc
        before, last = (particle, words[-1]) if particle.i < start else (words[-1], particle)
        closed = last.i + 1 >= len(doc) or _closes(doc[last.i + 1])
        adjacent = verb.i + 1 in (particle.i, start) and particle.i in (start - 1, end)
        if not (closed and adjacent) or "\n" in text.raw[verb.idx : end_of(last)]:
            continue
        place = particle.idx, end_of(particle)
        if text.is_protected(*place):
            continue
        if before is particle:
            gone = Edit(start=particle.idx, end=words[0].idx, text="")
            put = Edit(start=end_of(last), end=end_of(last), text=f" {particle.text}")
        else:
            gone = Edit(start=end_of(words[-1]), end=end_of(particle), text="")
            put = Edit(start=words[0].idx, end=words[0].idx, text=f"{particle.text} ")
        edits = tuple(sorted((gone, put), key=lambda e: e.start))
        yield Move(
            edits,
            ((min(particle.idx, words[0].idx), end_of(last)),),
            moved=frozenset({particle.lower_}),
        )


def _is_short(thing: Any) -> bool:
    """Return whether an object is a determined noun with at most one word more, and nothing behind."""
    words = list(thing.subtree)
    if len(words) == 1:
        return bool(thing.tag_ == "NNS" and thing.text.isalpha() and thing.lower_ not in _HEAVY)
    return (
        thing.pos_ == "NOUN"
        and thing.lower_ not in _HEAVY
        and 2 <= len(words) <= _LONGEST
        and words[-1].i == thing.i
        and words[0].lower_ in _DETERMINERS
        and words[-1].i - words[0].i == len(words) - 1
        and all(t.text.isalpha() for t in words)
    )


def _closes(after: Any) -> bool:
    """Return whether a word or sign ends the phrase before it."""
    return after.is_punct or after.is_space or after.lower_ in _FOLLOWING
