"""Shared parts of the reorderings: moves and the spans they touch, capitals, words that refer back."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from harness.records import Edit
from harness.text.roles import role_graph
from perturbations.common import word_set

if TYPE_CHECKING:
    from harness.text.parse import Text


@dataclass(frozen=True)
class Move:
    """One reordering.

    Attributes:
        edits: What it does.
        regions: Spans that no other move may touch.
    """

    edits: tuple[Edit, ...]
    regions: tuple[tuple[int, int], ...]

    def apart(self, other: Move) -> bool:
        """Return whether the two touch nothing in common."""
        return all(b <= c or d <= a for a, b in self.regions for c, d in other.regions)


_BRACKETS = re.compile(r"[()\[\]{}\"“”;:—–*/]|\.\.|\s-\s")


@dataclass(frozen=True)
class Sentence:
    """One parsed sentence without the white space around it.

    Attributes:
        start: First character.
        stop: Where its closing punctuation starts (or its end, without any).
        end: One past its last character.
        tokens: Its tokens but white space.
    """

    start: int
    stop: int
    end: int
    tokens: tuple[Any, ...]

    @property
    def root(self) -> Any:
        """Return the head of the parse."""
        return next(t for t in self.tokens if t.dep_ == "ROOT")

    def closes_with(self, text: Text) -> str:
        """Return the closing punctuation."""
        return text.raw[self.stop : self.end]


def parsed_sentences(text: Text) -> list[Sentence]:
    """Return the sentences of the parse."""
    sentences = []
    for span in text.doc.sents:
        tokens = tuple(t for t in span if not t.is_space)
        if not tokens or not any(t.dep_ == "ROOT" for t in tokens):
            continue
        stop = end = tokens[-1].idx + len(tokens[-1].text)
        for token in reversed(tokens):
            if not token.is_punct:
                break
            stop = token.idx
        sentences.append(Sentence(tokens[0].idx, stop, end, tokens))
    return sentences


def plain(text: Text, sentence: Sentence) -> bool:
    """Return whether this is one line of prose, closed as sentences are.

    Without brackets, quotations, colons or code.
    """
    raw = text.raw[sentence.start : sentence.end]
    return (
        sentence.closes_with(text) in (".", "!", "?")
        and not _BRACKETS.search(raw)
        and "\n" not in raw
        and "\r" not in raw
        and not any(
            p.kind in ("code", "url", "quote") and p.start < sentence.end and sentence.start < p.end
            for p in text.protected
        )
    )


def lowered(text: Text, token: Any, piece: str) -> str:
    """Write ``piece``, which starts with ``token``, as within a sentence."""
    end = token.idx + len(token.text)
    named = any(s < end and token.idx < e for s, e in text.names)
    if token.text == "I" or named or (len(token.text) > 1 and token.text.isupper()):
        return piece
    return piece[:1].lower() + piece[1:]


def refers_back(tokens: Iterable[Any], allowed: Container[str] = ()) -> bool:
    """Return whether one of ``tokens``, except those ``allowed``, may refer to something outside."""
    anaphors = word_set("anaphors.txt")
    tokens = list(tokens)
    for at, token in enumerate(tokens):
        if token.lower_ in allowed or _resolved(token, tokens[:at]):
            continue
        if token.lower_ == "it" and _expletive(token):
            continue
        if token.lower_ == "there" and token.dep_ == "expl":
            continue
        if token.lower_ == "that" and token.dep_ in ("mark", "nsubj", "dobj", "nsubjpass"):
            if token.tag_ in ("IN", "WDT"):
                continue
            return True
        if token.lower_ == "too" and token.head.pos_ in ("ADJ", "ADV") and token.i < token.head.i:
            continue
        if token.lower_ == "so" and token.head.pos_ in ("ADJ", "ADV") and token.i < token.head.i:
            continue
        if token.lower_ in anaphors:
            return True
    return False


def _resolved(token: Any, before: Sequence[Any]) -> bool:
    """Return whether a pronoun's person comes before it in the same sentence."""
    gender = {"he": "m", "him": "m", "his": "m", "she": "f", "her": "f"}.get(token.lower_)
    if gender:
        return any(_gender(t) in (gender, "n") for t in before)
    if token.lower_ in ("they", "them", "their"):
        return any(t.tag_ == "NNS" for t in before)
    return (
        bool(token.lower_ == "instead")
        and token.i + 1 < len(token.doc)
        and token.nbor().lower_ == "of"
    )


def _gender(token: Any) -> str | None:
    """Return the gender of a word for a person: m, f or n; None for another word."""
    role = role_graph().forms.get(token.lower_)
    if role:
        return role_graph().roles[role[0]].gender
    return {"man": "m", "guy": "m", "boy": "m", "woman": "f", "girl": "f", "lady": "f"}.get(
        token.lower_
    )


def _expletive(token: Any) -> bool:
    """Return whether this "it" refers to nothing, as in "it is hard to say"."""
    head = token.head
    return token.dep_ == "expl" or (
        token.dep_ == "nsubj"
        and head.lemma_ in ("be", "feel", "seem")
        and any(c.dep_ in ("xcomp", "ccomp") and c.i > head.i for c in head.subtree)
    )


def third_person(tokens: Iterable[Any]) -> bool:
    """Return whether a pronoun of the third person, or a demonstrative, is among ``tokens``."""
    return any(t.lower_ in word_set("third_person.txt") for t in tokens)


def has_noun(tokens: Iterable[Any]) -> bool:
    """Return whether a noun or name to which a pronoun might refer is among ``tokens``."""
    return any(t.pos_ in ("NOUN", "PROPN") for t in tokens)


def contiguous(tokens: Sequence[Any]) -> bool:
    """Return whether nothing but white space lies between ``tokens``."""
    span = tokens[0].doc[tokens[0].i : tokens[-1].i + 1]
    places = {t.i for t in tokens}
    return all(t.i in places or t.is_space for t in span)
