"""The adverb "also" at the head of a sentence or before its verb: "I also sleep badly."."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, token_edit
from perturbations.reordering.evidence import denied
from perturbations.reordering.moves import Move, Sentence, lowered, parsed_sentences, plain

_VERBS = frozenset({"VBP", "VBZ", "VBD"})
_POINTS = frozenset(
    {"just", "only", "even", "too", "then", "now", "however", "but", "yet", "still"}
)


def also_shifts(text: Text) -> Iterator[Move]:
    """Yield moves like "I also sleep badly." ↔ "Also, I sleep badly.".

    The sentence before must have the same subject, so that "also" adds what is said of it, wherever
    it stands; behind another subject it would add the subject.
    """
    for before, sentence in pairwise(parsed_sentences(text)):
        subject = _pronoun(sentence)
        gap = text.raw[before.end : sentence.start]
        if (
            subject is None
            or not plain(text, sentence, ".!")
            or "\n" in gap
            or not _is_said_of(before, subject)
            or denied(sentence.tokens)
            or any(t.lower_ in _POINTS for t in sentence.tokens)
            or sum(t.lower_ == "also" for t in sentence.tokens) != 1
            or any(t.dep_ == "parataxis" for t in sentence.root.children)
        ):
            continue
        move = _to_front(text, sentence, subject) or _to_verb(text, sentence, subject)
        if move is not None:
            yield move


def _pronoun(sentence: Sentence) -> Any | None:
    """Return the subject of a sentence, if it is a personal pronoun."""
    return next(
        (c for c in sentence.root.children if c.dep_ == "nsubj" and c.tag_ == "PRP"),
        None,
    )


def _is_said_of(before: Sentence, subject: Any) -> bool:
    """Return whether a sentence says something of the same person, and nothing of another."""
    subjects = [
        t for t in before.tokens if t.dep_ in ("nsubj", "nsubjpass") and t.head.i == before.root.i
    ]
    return [t.lower_ for t in subjects] == [subject.lower_]


def _to_front(text: Text, sentence: Sentence, subject: Any) -> Move | None:
    """Return the move of an "also" beside the verb to the front."""
    first, *rest = sentence.tokens
    if first.i != subject.i or len(rest) < 4:
        return None
    also = rest[0] if rest[0].lower_ == "also" else rest[1]
    if also.lower_ != "also" or also.head.i != sentence.root.i:
        return None
    verb = rest[1] if also.i == rest[0].i else rest[0]
    if verb.tag_ not in _VERBS or text.raw[end_of(also)] != " ":
        return None
    word = "Also" if text.raw[first.idx].isupper() else "also"
    return sentence.move(
        token_edit(first, f"{word}, {lowered(text, first, first.text)}"),
        Edit(start=also.idx, end=end_of(also) + 1, text=""),
        moved=(also,),
    )


def _to_verb(text: Text, sentence: Sentence, subject: Any) -> Move | None:
    """Return the move of an opening "also" to its place beside the verb."""
    also, comma, *rest = sentence.tokens
    if also.lower_ != "also" or comma.text != "," or len(rest) < 4 or rest[0].i != subject.i:
        return None
    verb = rest[1]
    if verb.tag_ not in _VERBS or verb.head.i not in (verb.i, sentence.root.i):
        return None
    auxiliary = verb.lemma_ == "be" or verb.dep_ in ("aux", "auxpass")
    if verb.lemma_ == "do" or (verb.i != sentence.root.i and not auxiliary):
        return None
    place = end_of(verb) if auxiliary else verb.idx
    opening = rest[0].text if not also.text[0].isupper() else capitalised(rest[0].text)
    return sentence.move(
        Edit(start=also.idx, end=end_of(rest[0]), text=opening),
        Edit(start=place, end=place, text=" also" if auxiliary else "also "),
        moved=(also,),
    )
