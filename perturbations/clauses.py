"""Adverbial clauses and adverbials moved to the other end of their sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.records import Edit
from perturbations.common import capitalised, lexicon_lines, word_set
from perturbations.moves import (
    Move,
    Sentence,
    contiguous,
    has_noun,
    lowered,
    parsed_sentences,
    plain,
    third_person,
)

if TYPE_CHECKING:
    from harness.text import Text

_MARKS = frozenset(
    {
        "because",
        "since",
        "although",
        "though",
        "when",
        "whenever",
        "if",
        "after",
        "before",
        "while",
        "once",
    }
)
_EMBEDDED = frozenset({"ccomp", "advcl", "relcl", "acl", "conj", "parataxis", "csubj"})


def clause_moves(text: Text) -> Iterator[Move]:
    """Moves like "Y because X." ↔ "Because X, Y."."""
    for sentence in parsed_sentences(text):
        if not plain(text, sentence):
            continue
        clauses = [c for c in sentence.root.children if c.dep_ == "advcl"]
        if len(clauses) != 1 or _coordinated(sentence):
            continue
        tokens = [t for t in clauses[0].subtree if not t.is_space]
        if not contiguous(tokens) or not _marked(tokens):
            continue
        rest = [t for t in sentence.tokens if t not in tokens and not t.is_punct]
        if not rest or any(t.dep_ in _EMBEDDED for t in rest if t is not clauses[0]):
            continue
        if tokens[0].i > rest[-1].i:
            move = _to_front(text, sentence, tokens, rest)
        elif tokens[-1].i < rest[0].i:
            move = _to_end(text, sentence, tokens, rest)
        else:
            move = None
        if move is not None:
            yield move


def _coordinated(sentence: Sentence) -> bool:
    root = sentence.root
    opens = sentence.tokens[0]
    return (
        any(c.dep_ in ("conj", "cc") for c in root.children)
        or opens.pos_ == "CCONJ"
        or opens.lower_ in word_set("connectives.txt")
        or root.pos_ not in ("VERB", "AUX")
        or not any(c.dep_ in ("nsubj", "nsubjpass", "expl") for c in root.children)
    )


def _marked(tokens: list[Any]) -> bool:
    """Starts with a conjunction that may stand at either end, and has its own subject and verb."""
    first = tokens[0]
    if first.lower_ == "even":
        first = tokens[1] if len(tokens) > 1 and tokens[1].lower_ == "though" else first
    elif first.lower_ == "ever":
        first = tokens[1] if len(tokens) > 1 and tokens[1].lower_ == "since" else first
    return (
        first.lower_ in _MARKS
        and len(tokens) >= 3
        and any(t.dep_ in ("nsubj", "nsubjpass", "expl") for t in tokens)
    )


def _to_front(text: Text, sentence: Sentence, clause: list[Any], rest: list[Any]) -> Move | None:
    root = sentence.root
    mark = clause[0].lower_
    negated = any(t.dep_ == "neg" for t in rest)
    if (
        rest[-1].lower_ in word_set("focus.txt")
        or root.lemma_.lower() in word_set("clause_takers.txt")
        or (mark in ("because", "since") and (negated or sentence.closes_with(text) == "?"))
        or (third_person(clause) and has_noun(rest))
        or (root.lemma_ == "be" and not any(c.dep_ in ("acomp", "attr") for c in root.children))
        or (
            rest[0].tag_ in ("WDT", "WP", "WRB")
            and mark in ("because", "since", "although", "though")
        )
    ):
        return None
    return _front(text, sentence, clause[0].idx)


def _to_end(text: Text, sentence: Sentence, clause: list[Any], rest: list[Any]) -> Move | None:
    gap = text.raw[clause[-1].idx + len(clause[-1].text) : rest[0].idx]
    negated = any(t.dep_ == "neg" for t in rest)
    mark = clause[0].lower_
    if (
        gap.strip() != ","
        or (third_person(rest) and has_noun(clause))
        or rest[0].lower_ in ("then", "so")
        or (mark in ("because", "since") and negated)
        or (mark in ("although", "though", "even") and sentence.closes_with(text) == "?")
    ):
        return None
    return _back(text, sentence, clause[0], clause[-1], rest[0])


def _front(text: Text, sentence: Sentence, at: int) -> Move:
    """What runs from ``at`` to the closing punctuation goes to the front, with a comma."""
    raw = text.raw
    main_end = len(raw[:at].rstrip().rstrip(",").rstrip())
    first = sentence.tokens[0]
    moved = raw[at : sentence.stop]
    if raw[sentence.start].isupper():
        moved = capitalised(moved)
    opening = lowered(text, first, first.text)
    edits = (
        Edit(start=first.idx, end=first.idx + len(first.text), text=f"{moved}, {opening}"),
        Edit(start=main_end, end=sentence.stop, text=""),
    )
    return Move(edits, ((sentence.start, sentence.end),))


def _back(text: Text, sentence: Sentence, first: Any, last: Any, main: Any) -> Move:
    """What runs from ``first`` to ``last`` goes to the end, without the comma after it."""
    raw = text.raw
    moved = lowered(text, first, raw[first.idx : last.idx + len(last.text)])
    opening = main.text if not raw[sentence.start].isupper() else capitalised(main.text)
    edits = (
        Edit(start=sentence.start, end=main.idx + len(main.text), text=opening),
        Edit(start=sentence.stop, end=sentence.stop, text=f" {moved}"),
    )
    return Move(edits, ((sentence.start, sentence.end),))


@lru_cache(maxsize=1)
def _adverbial() -> re.Pattern[str]:
    """Adverbials of time that may stand at either end, one pattern a line of the lexicon."""
    return re.compile("|".join(f"(?:{p})" for p in lexicon_lines("adverbials.txt")), re.IGNORECASE)


def adverbials(text: Text) -> Iterator[Move]:
    """Moves like "I lost my job last month." ↔ "Last month, I lost my job."."""
    for sentence in parsed_sentences(text):
        if not plain(text, sentence) or sentence.closes_with(text) == "?":
            continue
        if _coordinated(sentence):
            continue
        if any(t.dep_ in _EMBEDDED or t.dep_ == "xcomp" for t in sentence.tokens):
            continue
        move = _final_adverbial(text, sentence) or _initial_adverbial(text, sentence)
        if move is not None:
            yield move


def _final_adverbial(text: Text, sentence: Sentence) -> Move | None:
    raw = text.raw[sentence.start : sentence.stop]
    for found in _adverbial().finditer(raw):
        if found.end() != len(raw) or not raw[: found.start()].endswith(" "):
            continue
        at = sentence.start + found.start()
        inside = [t for t in sentence.tokens if at <= t.idx < sentence.stop]
        before = [t for t in sentence.tokens if t.idx < at]
        if len(before) < 3 or before[-1].lower_ in word_set("focus.txt") or before[-1].is_punct:
            return None
        top = [t for t in inside if t.head not in inside]
        if all(t.head is sentence.root or t.head.i == sentence.root.i for t in top):
            return _front(text, sentence, at)
        return None
    return None


def _initial_adverbial(text: Text, sentence: Sentence) -> Move | None:
    raw = text.raw[sentence.start : sentence.stop]
    found = _adverbial().match(raw)
    if not found or raw[found.end() : found.end() + 2] != ", ":
        return None
    inside = [t for t in sentence.tokens if t.idx < sentence.start + found.end()]
    rest = [t for t in sentence.tokens if t.idx > sentence.start + found.end() and not t.is_punct]
    if len(rest) < 3 or rest[0].pos_ == "CCONJ" or len(raw) > 160:
        return None
    return _back(text, sentence, inside[0], inside[-1], rest[0])
