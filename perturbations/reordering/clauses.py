"""Adverbial clauses moved to the other end of their sentence."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, token_edit, word_set
from perturbations.reordering.moves import (
    SUBJECTS,
    Move,
    Sentence,
    contiguous,
    has_noun,
    lowered,
    prose,
    third_person,
)

_MARKS = frozenset((
    "because", "since", "although", "though", "when", "whenever", "if", "after", "before", "while",
    "once",
))  # fmt: skip
# Dependencies of clauses within a sentence, which may claim what is moved past them.
EMBEDDED = frozenset({"ccomp", "advcl", "relcl", "acl", "conj", "parataxis", "csubj"})


def clause_moves(text: Text) -> Iterator[Move]:
    """Yield moves like "Y because X." ↔ "Because X, Y."."""
    for sentence in prose(text):
        for clause in (t for t in sentence.tokens if t.dep_ == "advcl"):
            move = _clause_move(text, sentence, clause)
            if move is not None:
                yield move


def _clause_move(text: Text, sentence: Sentence, clause: Any) -> Move | None:
    """Return the move of one clause, within the sentence or within its last main clause."""
    tokens = [t for t in clause.subtree if not t.is_space]
    head = clause.head
    if not contiguous(tokens) or not _marked(tokens) or any(t.text == "," for t in tokens):
        return None
    main = main_clause(sentence, head)
    rest = [t for t in main if t not in tokens and not t.is_punct]
    if not rest or any(t.dep_ in EMBEDDED for t in rest if t is not clause and t.i != head.i):
        return None
    if tokens[0].i > rest[-1].i:
        return _to_front(text, sentence, tokens, rest, head)
    if tokens[-1].i < rest[0].i and tokens[0].i == sentence.tokens[0].i:
        return _to_end(text, sentence, tokens, rest)
    return None


def main_clause(sentence: Sentence, head: Any) -> list[Any]:
    """Return the tokens that ``head`` governs if it heads the sentence or its last main clause."""
    if head.pos_ not in ("VERB", "AUX") or SUBJECTS.isdisjoint(c.dep_ for c in head.children):
        return []
    if head.dep_ == "ROOT":
        return [] if coordinated(sentence) else list(sentence.tokens)
    joined = head.dep_ == "conj" and head.head.dep_ == "ROOT"
    if not joined or any(c.dep_ in ("conj", "cc") for c in head.children):
        return []
    clause = [t for t in head.subtree if not t.is_space]
    before = clause[0].nbor(-1) if clause[0].i else clause[0]
    ends = clause[-1].i >= max(t.i for t in sentence.tokens if not t.is_punct)
    return clause if ends and before.dep_ == "cc" and contiguous(clause) else []


def coordinated(sentence: Sentence) -> bool:
    """Return whether several main clauses, or a link to the text before, forbid moves."""
    root, opens = sentence.root, sentence.tokens[0]
    return (
        any(c.dep_ in ("conj", "cc") for c in root.children)
        or opens.pos_ == "CCONJ"
        or opens.lower_ in word_set("connectives.txt") - _MARKS
        or root.pos_ not in ("VERB", "AUX")
        or SUBJECTS.isdisjoint(c.dep_ for c in root.children)
    )


def _marked(tokens: list[Any]) -> bool:
    """Return whether a clause has a movable conjunction at its start, a subject and a verb."""
    opening = [t.lower_ for t in tokens[:2]]
    return (
        (opening[0] in _MARKS or opening in (["even", "though"], ["ever", "since"]))
        and len(tokens) >= 3
        and not SUBJECTS.isdisjoint(t.dep_ for t in tokens)
    )


def _to_front(
    text: Text, sentence: Sentence, clause: list[Any], rest: list[Any], head: Any
) -> Move | None:
    mark = clause[0].lower_
    causal = mark in ("because", "since")
    negated = any(t.dep_ == "neg" for t in rest)
    if (
        rest[-1].lower_ in word_set("focus.txt")
        or any(t.lower_ in ("only", "just") for t in rest)
        or head.lemma_.lower() in word_set("clause_takers.txt")
        or (causal and (negated or sentence.closes_with(text) == "?"))
        or (third_person(clause) and has_noun(rest))
        or (head.lemma_ == "be" and not any(c.dep_ in ("acomp", "attr") for c in head.children))
        or (rest[0].tag_ in ("WDT", "WP", "WRB") and (causal or mark in ("although", "though")))
        or clause[-1].tag_ == "TO"
        # "I hide if I am sad and never tell": the second verb may belong to the main clause.
        or any(_shares_subject(t) for t in clause)
    ):
        return None
    return front(text, sentence, clause[0].idx, rest[0])


def _shares_subject(token: Any) -> bool:
    return (
        token.dep_ == "conj"
        and token.pos_ in ("VERB", "AUX")
        and SUBJECTS.isdisjoint(c.dep_ for c in token.children)
    )


def _to_end(text: Text, sentence: Sentence, clause: list[Any], rest: list[Any]) -> Move | None:
    gap = text.raw[end_of(clause[-1]) : rest[0].idx]
    negated = any(t.dep_ == "neg" for t in rest)
    mark = clause[0].lower_
    unmarked = gap == " " and rest[0].tag_ in ("PRP", "PRP$", "WRB", "WP", "MD")
    if (
        (gap.strip() != "," and not unmarked)
        or (third_person(rest) and has_noun(clause))
        or rest[0].lower_ in ("then", "so")
        or (mark in ("because", "since") and negated)
        or (mark in ("although", "though", "even") and sentence.closes_with(text) == "?")
    ):
        return None
    return back(text, sentence, clause[0], clause[-1], rest[0])


def front(text: Text, sentence: Sentence, at: int, first: Any) -> Move:
    """Move the text from ``at`` to the closing punctuation before ``first``, with a comma."""
    raw = text.raw
    main_end = len(raw[:at].rstrip().rstrip(",").rstrip())
    moved, opening = raw[at : sentence.stop], first.text
    if first.idx == sentence.start:
        moved = capitalised(moved) if raw[first.idx].isupper() else moved
        opening = lowered(text, first, first.text)
    return sentence.move(
        token_edit(first, f"{moved}, {opening}"),
        Edit(start=main_end, end=sentence.stop, text=""),
    )


def back(text: Text, sentence: Sentence, first: Any, last: Any, main: Any) -> Move:
    """Move the text from ``first`` to ``last`` to the end, without the comma after it."""
    raw = text.raw
    moved = lowered(text, first, raw[first.idx : end_of(last)])
    opening = main.text if not raw[sentence.start].isupper() else capitalised(main.text)
    return sentence.move(
        Edit(start=sentence.start, end=end_of(main), text=opening),
        Edit(start=sentence.stop, end=sentence.stop, text=f" {moved}"),
    )
