"""Adverbial clauses moved to the other end of their sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, lexicon_lines, token_edit, word_set
from perturbations.reordering.evidence import denied
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
    "because", "although", "though", "when", "whenever", "if", "after", "before", "while",
    "once",
))  # fmt: skip
# Dependencies of clauses within a sentence, which may claim what is moved past them.
_LIGHT = frozenset({"start", "begin", "tend", "have", "get", "seem", "feel", "become"})
_LONGEST = 14  # words of a clause that is moved
_LONGEST_REASON = 12
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
    linked = _link(sentence, tokens[0], head)
    if head.i == sentence.root.i and (linked is not None or _free_main(sentence)):
        main = [t for t in sentence.tokens if t is not linked]
    else:
        main = last_main(sentence, head)
    rest = [t for t in main if t not in tokens and not t.is_punct]
    if tokens[0].lower_ == "because" and _goes_on(sentence):
        return None
    if len(rest) < 2 or len(tokens) > _LONGEST or _embeds(rest, clause, head):
        return None
    if tokens[0].i > rest[-1].i:
        return _to_front(text, sentence, tokens, rest, head)
    if tokens[-1].i < rest[0].i and (linked or tokens[0].i == sentence.tokens[0].i):
        return _to_end(text, sentence, tokens, rest)
    return None


def _link(sentence: Sentence, mark: Any, head: Any) -> Any | None:
    """Return the "but" or "and" right before a clause, if it opens a sentence of one main clause."""
    link = sentence.tokens[0]
    if (
        link.lower_ not in ("but", "and")
        or mark.i != link.i + 1
        or SUBJECTS.isdisjoint(c.dep_ for c in head.children)
        or head.pos_ not in ("VERB", "AUX")
        or any(c.dep_ in ("conj", "cc") and c.i != link.i for c in head.children)
    ):
        return None
    return link


def last_main(sentence: Sentence, head: Any) -> list[Any]:
    """Return the tokens of the last of two main clauses, ", and I smoke when ...", if it is whole."""
    clause = [t for t in head.subtree if not t.is_space]
    if (
        head.dep_ != "conj"
        or head.head.i != sentence.root.i
        or SUBJECTS.isdisjoint(c.dep_ for c in head.children)
        or any(c.dep_ in ("conj", "cc") for c in head.children)
        or not contiguous(clause)
        or clause[0].i < 3
        or clause[-1].i < max(t.i for t in sentence.tokens if not t.is_punct)
    ):
        return []
    link = clause[0].nbor(-1)
    comma = link.lower_ in ("and", "but") and link.nbor(-1).text == ","
    return [t for t in clause if not t.is_punct] if comma else []


def _embeds(rest: list[Any], clause: Any, head: Any) -> bool:
    """Return whether the main clause holds a further one that may claim what is moved."""
    return any(t.dep_ in EMBEDDED for t in rest if t.i not in (clause.i, head.i)) or any(
        t.pos_ in ("SCONJ", "CCONJ") and t.dep_ in ("mark", "cc") and t.head.pos_ == "VERB"
        for t in rest
    )


def _free_main(sentence: Sentence) -> bool:
    """Return whether the sentence has one main clause, with a subject or as a request."""
    if not coordinated(sentence):
        return True
    root, opens = sentence.root, sentence.tokens[0]
    return (
        opens.i == root.i
        and root.tag_ == "VB"
        and not any(c.dep_ in ("conj", "cc") for c in root.children)
    )


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
        (opening[0] in _MARKS or opening in (["even", "though"],))
        and len(tokens) >= 3
        and not SUBJECTS.isdisjoint(t.dep_ for t in tokens)
    )


def _to_front(
    text: Text, sentence: Sentence, clause: list[Any], rest: list[Any], head: Any
) -> Move | None:
    mark = clause[0].lower_
    causal = mark == "because"
    asks = sentence.closes_with(text) == "?"
    sentential = {c.lemma_.lower() for c in head.subtree if c.i < clause[0].i}
    if (
        rest[-1].lower_ in word_set("focus.txt")
        or not sentential.isdisjoint(("only", "just", "even", "always", "never", "still"))
        or (mark in ("if", "when") and _takes_clause(head, sentential))
        or (mark == "if" and not _simple_condition(sentence, clause, head))
        or (denied(rest) and (causal or mark in ("before", "after", "once", "while")))
        or (causal and (asks or _heavy(clause) or head.i != sentence.root.i))
        or (causal and any(t.lower_ in _POINTING and t.dep_ in SUBJECTS for t in clause))
        or (
            mark in ("when", "while", "after", "before", "once")
            and _set_against(clause, rest, head)
        )
        or rest[0].lower_ in ("then", "so", "and", "but", "or")
        or (
            rest[-1].pos_ in ("ADP", "PRON", "AUX")
            and rest[-1].lower_ not in _OBJECTS
            and rest[-1].dep_ != "prt"
        )
        or (third_person(clause) and has_noun(rest))
        or (third_person(t for t in clause if t.dep_ not in SUBJECTS) and third_person(rest))
        or (head.lemma_ == "be" and not any(c.dep_ in ("acomp", "attr") for c in head.children))
        or (rest[0].tag_ in ("WDT", "WP", "WRB") and (causal or mark in ("although", "though")))
        or clause[-1].tag_ == "TO"
        # "even though he says he is": what it leaves out is named by the main clause before it.
        or clause[-1].pos_ == "AUX"
        or (mark in _TIMES and _timed(text, rest))
        or any(t.lower_ in ("though", "anyway", "too") for t in rest)
        or _repeats(clause)
        or (rest[0].tag_ in ("WDT", "WP", "WRB") and head.lemma_ == "be" and mark in _TIMES)
        # "I hide if I am sad and never tell": the second verb may belong to the main clause.
        or any(_shares_subject(t) for t in clause)
    ):
        return None
    return front(text, sentence, clause[0].idx, rest[0])


_TAKING_UP = frozenset({"which", "and", "but", "so", "that", "this", "it"})


def _goes_on(sentence: Sentence) -> bool:
    """Return whether the next sentence goes on from the end of this: "Which is sad.", "and so"."""
    end = sentence.tokens[-1].i + 1
    after = next((t for t in sentence.root.doc[end:] if not t.is_space and not t.is_punct), None)
    return after is not None and (after.lower_ in _TAKING_UP or after.text[0].islower())


def _simple_condition(sentence: Sentence, clause: list[Any], head: Any) -> bool:
    """Return whether an "if" closes the sentence, hangs on its verb and holds no further clause."""
    return (
        head.i == sentence.root.i
        and clause[-1].i == max(t.i for t in sentence.tokens if not t.is_punct)
        and not any(t.dep_ == "ccomp" for t in clause)
    )


_TIMES = frozenset({"when", "whenever", "while", "after", "before", "once", "ever"})
_OBJECTS = frozenset({"me", "you", "him", "her", "us", "them", "myself", "yourself"})


def _heavy(clause: list[Any]) -> bool:
    """Return whether a reason is hard to follow in front: "Because after a nap I do it as I ..."."""
    return (
        len(clause) > _LONGEST_REASON
        or clause[1].pos_ in ("ADP", "SCONJ")
        or clause[1].lower_ in _MARKS
        or sum(t.dep_ == "advcl" for t in clause) > 1
    )


def _repeats(clause: list[Any]) -> bool:
    """Return whether one preposition comes twice, so that the second may belong to the main clause."""
    heads = [t.lower_ for t in clause if t.dep_ == "prep" and t.lower_ != "of"]
    return len(heads) != len(set(heads))


def _timed(text: Text, rest: list[Any]) -> bool:
    """Return whether a main clause says by itself when it is: "I bought it a year ago when ..."."""
    raw = text.raw[rest[0].idx : end_of(rest[-1])]
    return any(
        re.search(rf"\b(?:{p})$", raw, re.IGNORECASE) for p in lexicon_lines("adverbials.txt")
    )


def _set_against(clause: list[Any], rest: list[Any], head: Any) -> bool:
    """Return whether a "when" or "while" may set against, or report what broke in on the scene."""
    progressive = any(c.dep_ == "aux" and c.lower_ in ("was", "were", "had") for c in head.children)
    should = any(t.lower_ in ("should", "could", "would", "supposed", "actually") for t in clause)
    return denied(clause) or should or progressive or head.lower_ in ("was", "were", "had")


def _takes_clause(head: Any, lemmas: set[str]) -> bool:
    """Return whether an "if" or "when" may be what a verb or adjective asks for: "know if ..."."""
    filled = any(c.dep_ in ("dobj", "prep") for c in head.children)
    takers = lemmas & word_set("clause_takers.txt")
    return bool(takers) and not (
        filled and head.lemma_.lower() in ("think", "love", "miss", "like")
    )


def _shares_subject(token: Any) -> bool:
    return (
        token.dep_ == "conj"
        and token.pos_ in ("VERB", "AUX")
        and SUBJECTS.isdisjoint(c.dep_ for c in token.children)
    )


_POINTING = frozenset({"it", "this", "that", "they", "these", "those"})
_COUNTING = frozenset(
    {
        "none",
        "some",
        "all",
        "one",
        "ones",
        "each",
        "both",
        "neither",
        "either",
        "most",
        "few",
        "many",
        "any",
        "others",
    }
)
"""Pronouns of number, which count what the clause in front names: "If lines remain, none is cut"."""


def _to_end(text: Text, sentence: Sentence, clause: list[Any], rest: list[Any]) -> Move | None:
    gap = text.raw[end_of(clause[-1]) : rest[0].idx]
    negated = denied(rest)
    mark = clause[0].lower_
    if (
        # Without a comma the main clause may be what somebody says: "If I tell her I am sad."
        gap.strip() != ","
        or any(t.dep_ in SUBJECTS and t.lower_ in _POINTING | _COUNTING for t in rest)
        or (third_person(rest) and has_noun(clause))
        or rest[0].lower_ in ("then", "than", "so", "what", "please", "maybe", "perhaps")
        or any(
            t.lower_ in ("then", "so", "just", "only", "still", "even", "too", "also") for t in rest
        )
        or any(t.dep_ == "xcomp" and t.head.lemma_ not in _LIGHT for t in rest)
        or (negated and mark != "if")
        or any(t.text == "," for t in sentence.tokens if t.i > rest[0].i)
        or rest[-1].pos_ in ("ADP", "AUX")
        or _takes_up(clause, rest)
        or (mark in ("although", "though", "even") and sentence.closes_with(text) == "?")
    ):
        return None
    if clause[0].i != sentence.tokens[0].i:  # "But when we meet, I smile."
        moved = text.raw[clause[0].idx : end_of(clause[-1])]
        return sentence.move(
            Edit(start=clause[0].idx, end=rest[0].idx, text=""),
            Edit(start=sentence.stop, end=sentence.stop, text=f" {moved}"),
        )
    return back(text, sentence, clause[0], clause[-1], rest[0])


def _takes_up(clause: list[Any], rest: list[Any]) -> bool:
    """Return whether the main clause names again, with "the", what the clause names."""
    named = {t.lemma_.lower() for t in clause if t.pos_ == "NOUN"}
    return any(t.lower_ in ("the", "that") and t.head.lemma_.lower() in named for t in rest)


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
