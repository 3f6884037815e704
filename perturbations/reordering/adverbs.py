"""Adverbs moved between the head of a sentence and its verb."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, token_edit, word_set
from perturbations.reordering.evidence import denied
from perturbations.reordering.moves import (
    SUBJECTS,
    Move,
    Sentence,
    lowered,
    prose,
)

_OF_MANNER_TOO = frozenset(("honestly", "sadly", "hopefully", "thankfully", "surprisingly"))
"""Comments in front that beside the verb may say how it is done: "I sadly left"."""

_AGAINST = frozenset(("but", "while"))


def adverb_shifts(text: Text) -> Iterator[Move]:
    """Yield moves like "I recently found out ..." ↔ "Recently, I found out ..."."""
    for sentence in prose(text, ".!"):
        yield from _shift_to_front(text, sentence)
        yield from _shift_to_verb(text, sentence)


def _shift_to_front(text: Text, sentence: Sentence) -> Iterator[Move]:
    first = sentence.tokens[0]
    subject = _subject(sentence, first)
    if subject is None:
        return
    rest = [t for t in sentence.tokens if t.i > subject.i]
    if len(rest) < 4:
        return
    adverb = rest[0] if rest[0].pos_ == "ADV" else rest[1]
    before_verb = rest[0].i == adverb.i or rest[0].lemma_ in ("be", "have")
    if (
        adverb.lower_ not in word_set("movable_adverbs.txt")
        or not before_verb
        or (adverb.lower_ in ("now", "currently") and sentence.root.tag_ == "VBD")
        or adverb.head.i != sentence.root.i
        or any(c.i != adverb.i and not c.is_space for c in adverb.subtree)
        or _contrasts(sentence, adverb)
        or text.raw[adverb.idx - 1] != " "
        or text.raw[end_of(adverb)] != " "
    ):
        return
    moved = capitalised(adverb.text) if text.raw[first.idx].isupper() else adverb.text
    yield sentence.move(
        token_edit(first, f"{moved}, {lowered(text, first, first.text)}"),
        Edit(start=adverb.idx, end=end_of(adverb) + 1, text=""),
    )


def _shift_to_verb(text: Text, sentence: Sentence) -> Iterator[Move]:
    adverb, *rest = sentence.tokens
    if adverb.lower_ not in word_set("movable_adverbs.txt") or adverb.lower_ in _OF_MANNER_TOO:
        return
    if _contrasts(sentence, adverb):
        return
    if rest and rest[0].text == ",":
        rest = rest[1:]
    subject = _subject(sentence, rest[0]) if rest else None
    if subject is None or len(rest) < 4 + subject.i - rest[0].i:
        return
    verb, after = (t for t in rest if subject.i < t.i <= subject.i + 2)
    if verb.tag_ not in ("VBP", "VBZ", "VBD") or (verb.tag_ == "VBD" and adverb.lower_ == "now"):
        return
    if after.lower_ in ("not", "n't", "n’t", "to", "just"):
        return
    auxiliary = verb.lemma_ in ("be", "have") or verb.dep_ in ("aux", "auxpass")
    if not auxiliary and (verb.lemma_ == "do" or verb.i != sentence.root.i):
        return
    if after.pos_ in ("SCONJ", "CCONJ", "PUNCT") or after.lower_ in ("because", "and", "or"):
        return
    at = after.idx if auxiliary else verb.idx
    if text.raw[at - 1] != " " or (verb.lemma_ == "have" and verb.dep_ != "aux"):
        return
    opening = rest[0].text
    opening = capitalised(opening) if text.raw[adverb.idx].isupper() else opening
    yield sentence.move(
        Edit(start=adverb.idx, end=end_of(rest[0]), text=opening),
        Edit(start=at, end=at, text=adverb.text.lower() + " "),
    )


def _subject(sentence: Sentence, first: Any) -> Any | None:
    """Return the head of the subject that starts with a token: "I", "My best friend"."""
    subject = next(
        (c for c in sentence.root.children if c.dep_ in ("nsubj", "nsubjpass")),
        None,
    )
    if subject is None or subject.left_edge.i != first.i or subject.right_edge.i != subject.i:
        return None
    short = subject.tag_ == "PRP" or (first.tag_ in ("PRP$", "DT") and subject.i - first.i <= 2)
    return subject if short else None


def _contrasts(sentence: Sentence, adverb: Any) -> bool:
    """Return whether an adverb at the front may reach over, or stand against, a further clause."""
    joined = [c for c in sentence.root.children if c.dep_ in ("conj", "parataxis")]
    point = adverb.lower_ == "now" or adverb.lower_ in word_set("point_adverbs.txt")
    shared = all(SUBJECTS.isdisjoint(c.dep_ for c in verb.children) for verb in joined)
    apart = point or (shared and not any(verb.dep_ == "parataxis" for verb in joined))
    against = frozenset(("then", "other", "others", "just")) | (frozenset() if point else _AGAINST)
    against -= {adverb.lower_}
    return (
        (bool(joined) and not apart)
        or denied([t for t in sentence.tokens if not joined or t.i < joined[0].left_edge.i])
        or not against.isdisjoint(t.lower_ for t in sentence.tokens)
        or sum(t.lower_ in word_set("movable_adverbs.txt") for t in sentence.tokens) > 1
    )
