"""Adverbs of manner before a verb or behind its short object, and two such adverbs exchanged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, word_set
from perturbations.reordering.evidence import denied, readings
from perturbations.reordering.exchanges import coordinations, heads
from perturbations.reordering.moves import Move, Sentence, exchange, lowered, requests

_LONGEST = 5  # words of the object


def manner_shifts(text: Text) -> Iterator[Move]:
    """Yield moves like "Briefly explain the plot." ↔ "Explain the plot briefly.", in requests."""
    for sentence in requests(text):
        if sentence.closes_with(text) not in (".", "!") or denied(sentence.tokens):
            continue
        root = sentence.root
        thing = next((c for c in root.children if c.dep_ == "dobj"), None)
        if thing is None or root.tag_ != "VB" or not _is_short(thing):
            continue
        words = [t for t in sentence.tokens if not t.is_punct]
        end = thing.right_edge
        manner = word_set("manner_adverbs.txt")
        if words[0].lower_ in manner and words[1:2] == [root] and words[-1].i == end.i:
            yield _to_end(text, sentence, words[0], root)
        elif words[0].i == root.i and words[-1].lower_ in manner and words[-2].i == end.i:
            yield _to_front(text, sentence, root, words[-1])


def _is_short(thing: Any) -> bool:
    """Return whether an object is a short noun phrase of one piece behind its verb."""
    words = list(thing.subtree)
    return (
        thing.pos_ == "NOUN"
        and words[0].i == thing.head.i + 1
        and words[-1].i - words[0].i == len(words) - 1
        and len(words) <= _LONGEST
        and not any(t.pos_ in ("VERB", "CCONJ", "ADV") or t.is_punct for t in words)
    )


def _to_end(text: Text, sentence: Sentence, adverb: Any, verb: Any) -> Move:
    """Return the move of an opening adverb behind the object."""
    opening = capitalised(verb.text) if adverb.text[0].isupper() else verb.text
    moved = lowered(text, adverb, adverb.text)
    return sentence.move(
        Edit(start=adverb.idx, end=end_of(verb), text=opening),
        Edit(start=sentence.stop, end=sentence.stop, text=f" {moved}"),
        moved=(adverb,),
    )


def _to_front(text: Text, sentence: Sentence, verb: Any, adverb: Any) -> Move:
    """Return the move of a closing adverb before the verb."""
    moved = capitalised(adverb.text) if verb.text[0].isupper() else adverb.text
    return sentence.move(
        Edit(start=verb.idx, end=end_of(verb), text=f"{moved} {lowered(text, verb, verb.text)}"),
        Edit(start=adverb.idx - 1, end=end_of(adverb), text=""),
        moved=(adverb,),
    )


def manner_swaps(text: Text) -> Iterator[Move]:
    """Yield swaps of two adverbs: "clearly and concisely" → "concisely and clearly"."""
    for first, second, link in coordinations(text):
        spans = heads(first, second)
        if (
            link.lower_ in ("and", "or")
            and all(t.pos_ == "ADV" and t.lower_.endswith("ly") for t in (first, second))
            and all("ADV" in readings(t.lower_) for t in (first, second))
            and first.lower_ != second.lower_
            and second.i == link.i + 1 == first.i + 2
            and first.text.islower()
            and second.text.islower()
            and word_set("movable_adverbs.txt").isdisjoint((first.lower_, second.lower_))
            and word_set("focus.txt").isdisjoint((first.lower_, second.lower_))
            and f"{first.lower_} {second.lower_}" not in word_set("fixed_pairs.txt")
            and not any(list(second.children))
            and not any(text.is_protected(s, e) for s, e in spans)
            and text.raw[spans[0][1] : spans[1][0]].strip(" ").lower() == link.lower_
        ):
            yield Move(
                exchange(text, spans),
                ((spans[0][0], spans[1][1]),),
                exchanged=(first.lower_, second.lower_),
            )
