"""Whole sentences in another place: the closing question first, neighbours swapped."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.records import Edit
from perturbations.common import word_set
from perturbations.moves import Move, Sentence, parsed_sentences, plain, refers_back

if TYPE_CHECKING:
    from harness.text import Text

_LONGEST_QUESTION = 30
_HANGING = re.compile(
    r"\b(?:stop|quit|start|handle|cope|continue|do so|am|is|are|do|does|did|can|should|would|have)\?$",
    re.IGNORECASE,
)
_GREETING = re.compile(r"(?:hi|hello|hey|dear|good (?:morning|evening))\b", re.IGNORECASE)


def question_first(text: Text) -> Iterator[Move]:
    """The closing question to the front, where it can be understood there."""
    sentences = parsed_sentences(text)
    if len(sentences) < 2 or _GREETING.match(text.raw.lstrip()):
        return
    last, before = sentences[-1], sentences[-2]
    raw = text.raw
    first = sentences[0]
    if (
        not plain(text, last)
        or last.closes_with(text) != "?"
        or not 3 <= sum(t.is_alpha for t in last.tokens) <= _LONGEST_QUESTION
        or refers_back(last.tokens)
        or last.tokens[0].lower_ in word_set("connectives.txt")
        or _HANGING.search(raw[last.start : last.end])
        or raw[last.end :].strip()
        or not raw[last.start].isupper()
        or before.closes_with(text)[-1:] not in (".", "!", "?")
        or any(p.start <= first.start < p.end and p.kind == "code" for p in text.protected)
    ):
        return
    gap = raw[before.end : last.start]
    if not gap:
        return
    moved = raw[last.start : last.end]
    edits = (
        Edit(start=first.start, end=first.start, text=moved + gap),
        Edit(start=before.end, end=last.end, text=""),
    )
    yield Move(edits, ((first.start, first.start + 1), (before.end - 1, last.end)))


def sentence_swaps(text: Text) -> Iterator[Move]:
    """Neighbours that do not lean on each other or carry what follows."""
    sentences = parsed_sentences(text)
    for i in range(len(sentences) - 1):
        one, two = sentences[i], sentences[i + 1]
        following = sentences[i + 2] if i + 2 < len(sentences) else None
        gap = text.raw[one.end : two.start]
        if not gap or gap.strip(" ") or not all(_free(text, s) for s in (one, two)):
            continue
        if _narrates(one) and _narrates(two):
            continue
        if following is not None and _leans(text, two, following):
            continue
        first, second = text.raw[one.start : one.end], text.raw[two.start : two.end]
        edits = (
            Edit(start=one.start, end=one.end, text=second),
            Edit(start=two.start, end=two.end, text=first),
        )
        yield Move(edits, ((one.start, two.end),))


def _free(text: Text, sentence: Sentence) -> bool:
    """A statement that stands by itself."""
    return (
        plain(text, sentence)
        and sentence.closes_with(text) == "."
        and text.raw[sentence.start].isupper()
        and sum(t.is_alpha for t in sentence.tokens) >= 4
        and sentence.tokens[0].lower_ not in word_set("connectives.txt")
        and any(t.dep_ in ("nsubj", "nsubjpass", "expl") for t in sentence.root.children)
        and not refers_back(sentence.tokens)
    )


def _narrates(sentence: Sentence) -> bool:
    """Tells an event of the past, whose place in the order says when."""
    return any(t.tag_ == "VBD" for t in sentence.tokens)


def _leans(text: Text, second: Sentence, following: Sentence) -> bool:
    """Whether the sentence after the pair may point to the second of the two."""
    apart = "\n" in text.raw[second.end : following.start]
    return refers_back(following.tokens) or (
        not apart and following.tokens[0].lower_ in word_set("connectives.txt")
    )
