"""Shared parts of the reorderings: moves and the spans they touch, capitals, words that refer back."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, TypeAlias

from harness.records import Edit
from harness.text.parse import Text
from harness.text.roles import role_graph
from perturbations.common import end_of, word_set

Spans: TypeAlias = tuple[tuple[int, int], tuple[int, int]]


@dataclass(frozen=True)
class Move:
    """One reordering.

    Attributes:
        edits: What it does.
        regions: Spans that no other move may touch.
        exchanged: The two words, in small letters, that head what a swap exchanges.
        listed: The words that head the members of the list in which two change places.
        moved: Words, in small letters, that may depend on another word after the move.
        whole_sentences: Whether sentences change places, whole.
    """

    edits: tuple[Edit, ...]
    regions: tuple[tuple[int, int], ...]
    exchanged: tuple[str, str] | None = None
    listed: frozenset[str] = frozenset()
    moved: frozenset[str] = frozenset()
    whole_sentences: bool = False

    def apart(self, other: Move) -> bool:
        """Return whether the two touch nothing in common."""
        return all(b <= c or d <= a for a, b in self.regions for c, d in other.regions)


_BRACKETS = re.compile(r"[()\[\]{}\"“”;:—–*/]|\.\.|\s-\s")

_CLOSED = re.compile(r"[.!?…:][\"”’')\]]*\s*$|\n\s*$")

SUBJECTS = frozenset({"nsubj", "nsubjpass", "expl"})


@dataclass(frozen=True)
class Sentence:
    """One parsed sentence without the white space around it.

    Attributes:
        stop: Where its closing punctuation starts (or its end, without any).
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

    def move(self, *edits: Edit, moved: Iterable[Any] = ()) -> Move:
        """Return the move of these edits; no other may touch this sentence.

        Args:
            edits: What it does.
            moved: The tokens that may depend on another word after it.
        """
        words = frozenset(t.lower_ for t in moved)
        return Move(edits, ((self.start, self.end),), moved=words)


@lru_cache(maxsize=2)  # each of the finders asks for those of the same text
def parsed_sentences(text: Text) -> Sequence[Sentence]:
    """Return the sentences of the parse."""
    sentences = []
    for span in text.doc.sents:
        tokens = tuple(t for t in span if not t.is_space)
        if not tokens or not any(t.dep_ == "ROOT" for t in tokens):
            continue
        stop = end = end_of(tokens[-1])
        for token in reversed(tokens):
            if not token.is_punct:
                break
            stop = token.idx
        sentences.append(Sentence(tokens[0].idx, stop, end, tokens))
    return tuple(sentences)


def prose(text: Text, closing: str = ".!?") -> Iterator[Sentence]:
    """Yield the plain sentences that close with one of these signs."""
    for sentence in parsed_sentences(text):
        if plain(text, sentence, closing):
            yield sentence


def requests(text: Text) -> Iterator[Sentence]:
    """Yield one-line sentences that end with a full stop, question mark, or the line itself.

    Unlike ``prose`` these may hold code and quotations: what is moved takes them along whole.
    """
    raw = text.raw
    for sentence in parsed_sentences(text):
        inside = raw[sentence.start : sentence.end]
        closing = sentence.closes_with(text)
        if (
            (closing in (".", "!", "?") or _line_ends(text, sentence))
            and len(sentence.tokens) > 3
            and raw[sentence.start].isalpha()
            and not any(c in inside for c in "\n\r:;()[]{}<>|")
            and not any(
                p.kind == "code" and p.start < sentence.end and sentence.start < p.end
                for p in text.protected
            )
        ):
            yield sentence


def _line_ends(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence without closing punctuation ends where its line does."""
    after = text.raw[sentence.end :].lstrip(" \t")
    return sentence.stop == sentence.end and after[:1] in ("", "\n", "\r")


def plain(text: Text, sentence: Sentence, closing: str = ".!?") -> bool:
    """Return whether this is one whole line without brackets, quotations, colons or code."""
    raw = text.raw[sentence.start : sentence.end]
    sign = sentence.closes_with(text)
    return (
        ((len(sign) == 1 and sign in closing) or _line_ends(text, sentence))
        and not _BRACKETS.search(raw)
        and "\n" not in raw
        and not text.raw[max(0, sentence.start - 1) : sentence.start].strip()
        and "\r" not in raw
        and not any(
            p.kind in ("code", "url", "quote") and p.start < sentence.end and sentence.start < p.end
            for p in text.protected
        )
    )


def lowered(text: Text, token: Any, piece: str) -> str:
    """Write ``piece``, which starts with ``token``, as within a sentence."""
    named = any(s < end_of(token) and token.idx < e for s, e in text.names)
    if token.text == "I" or named or (len(token.text) > 1 and token.text.isupper()):
        return piece
    return piece[:1].lower() + piece[1:]


def refers_back(tokens: Iterable[Any], allowed: Container[str] = ()) -> bool:
    """Return whether one of ``tokens``, except those ``allowed``, may refer to something outside."""
    anaphors = word_set("anaphors.txt")
    tokens = list(tokens)
    for at, token in enumerate(tokens):
        if token.lower_ in allowed or _resolved(token, tokens[:at]) or refers_to_nothing(token):
            continue
        if token.lower_ == "that" and token.dep_ in ("mark", "nsubj", "dobj", "nsubjpass"):
            if token.tag_ not in ("IN", "WDT"):
                return True
        elif token.lower_ in anaphors:
            return True
    return False


def refers_to_nothing(token: Any) -> bool:
    """Return whether this is an expletive, or a "too" or "so" of degree before its word."""
    match token.lower_:
        case "it":
            return _expletive(token)
        case "there":
            return bool(token.dep_ == "expl")
        case "too" | "so":
            return token.head.pos_ in ("ADJ", "ADV") and bool(token.i < token.head.i)
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


_GENDERS = {"man": "m", "guy": "m", "boy": "m", "woman": "f", "girl": "f", "lady": "f"}


def _gender(token: Any) -> str | None:
    """Return the gender of a word for a person: m, f or n; None for another word."""
    role = role_graph().forms.get(token.lower_)
    if role:
        return role_graph().roles[role[0]].gender
    return _GENDERS.get(token.lower_)


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


def exchange(text: Text, spans: Spans, first: str = "", second: str = "") -> tuple[Edit, Edit]:
    """Return the edits that put each of two spans in the other's place.

    Args:
        text: The prompt.
        spans: The two.
        first: How the first is written in its new place; as it is by default.
        second: Likewise.
    """
    (a, b), (c, d) = spans
    return (
        Edit(start=a, end=b, text=second or text.raw[c:d]),
        Edit(start=c, end=d, text=first or text.raw[a:b]),
    )


def independent(text: Text, one: Move, two: Move) -> bool:
    """Return whether neither of two moves bears on the other.

    Two in one sentence may, and so may a pair exchanged before a sentence that takes it up.
    """
    if not one.apart(two):
        return False
    sentences = list(text.doc.sents)
    at, after = (
        {
            i
            for i, s in enumerate(sentences)
            if any(a < s.end_char and s.start_char < b for a, b in move.regions)
        }
        for move in (one, two)
    )
    if not {_line(sentences, i) for i in at}.isdisjoint(_line(sentences, i) for i in after):
        return False
    later = {max(i, j) for i in at for j in after if abs(i - j) == 1}
    return not any(third_person(sentences[i]) for i in later)


def _line(sentences: Sequence[Any], at: int) -> int:
    """Return where the run-on starts of which a parsed sentence is a part."""
    while at and not _CLOSED.search(sentences[at - 1].text_with_ws):
        at -= 1
    return at


def has_noun(tokens: Iterable[Any]) -> bool:
    """Return whether a noun or name to which a pronoun might refer is among ``tokens``."""
    return any(t.pos_ in ("NOUN", "PROPN") for t in tokens)


def contiguous(tokens: Sequence[Any]) -> bool:
    """Return whether nothing but white space lies between ``tokens``."""
    span = tokens[0].doc[tokens[0].i : tokens[-1].i + 1]
    places = {t.i for t in tokens}
    return all(t.i in places or t.is_space for t in span)
