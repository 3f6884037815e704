"""The word "that" before a clause, left out or put in: "I know (that) he lies"."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import end_of, word_set
from perturbations.reordering.moves import SUBJECTS
from perturbations.wordiness.changes import WordingChange

_ASKS = frozenset({"what", "who", "which", "where", "when", "how", "why", "whom", "whose"})
_PERSONS = frozenset({"me", "him", "her", "us", "them", "you"})
_OPENERS = frozenset({"i", "he", "she", "we", "they", "my", "his", "our", "their", "the"})


def dropped_that(text: Text) -> Iterator[WordingChange]:
    """Yield changes that leave "that" out where its clause begins with a pronoun."""
    for token in text.doc:
        clause = token.head
        if token.lower_ != "that" or token.dep_ != "mark" or clause.dep_ != "ccomp":
            continue
        if not _takes_clause(clause.head, token) or token.i + 1 >= len(text.doc):
            continue
        if clause.head.lower_ == "afraid" or any(t.dep_ == "neg" for t in clause.head.children):
            continue  # "He did not say that I just feel alone": a pronoun, and two sentences
        following = text.doc[token.i + 1]
        if following.lower_ not in ("i", "he", "she", "we", "they") or following.head != clause:
            continue
        if following.dep_ not in SUBJECTS or text.is_protected(token.idx, following.idx):
            continue
        if any(
            t.dep_ == "conj" and any(c.lower_ == "that" for c in t.children)
            for t in clause.children
        ):
            continue  # "I know that he lies and that he steals" keeps both
        if text.raw[end_of(token) : following.idx] == " ":
            edit = Edit(start=token.idx, end=following.idx, text="")
            yield WordingChange(clause.head.idx, following.idx, (edit,))


def added_that(text: Text) -> Iterator[WordingChange]:
    """Yield changes that put "that" before a clause which follows its verb at once."""
    for clause in text.doc:
        if clause.dep_ != "ccomp" or not _finite_clause(clause):
            continue
        if any(t.dep_ == "mark" or t.lower_ in _ASKS for t in clause.children):
            continue
        subject = next((t for t in clause.children if t.dep_ in SUBJECTS), None)
        if subject is None:
            continue
        first = subject.left_edge
        if first.lower_ not in _OPENERS or first != clause.left_edge or first.i == 0:
            continue
        if not _takes_clause(clause.head, first) or text.is_protected(first.idx, end_of(first)):
            continue
        if any(t.lower_ in _ASKS or t.text == "?" for t in clause.sent):
            continue  # "who do you think he is" takes no "that"
        if not _spoken_at_large(clause.head) or _ends_in_doubt(clause):
            continue
        edit = Edit(start=first.idx, end=first.idx, text="that ")
        yield WordingChange(clause.head.idx, end_of(first), (edit,))


def _spoken_at_large(verb: Any) -> bool:
    """Return whether a verb is that of a finite clause of its own: not "by saying", "than I think"."""
    if not _finite_clause(verb) or verb.dep_ not in ("ROOT", "conj", "ccomp", "advcl"):
        return False
    return not any(t.lower_ in ("than", "as", "that", "like") for t in verb.children)


def _ends_in_doubt(clause: Any) -> bool:
    """Return whether what ends a clause could belong to the verb before it: "say I'm sorry too much"."""
    last = clause.right_edge
    following = last.doc[last.i + 1 : last.i + 2]
    if (
        following
        and not following[0].is_punct
        and following[0].lower_ not in ("and", "but", "because")
    ):
        return True
    return last.dep_ == "advmod" or (
        last.dep_ == "npadvmod" and clause.head.lemma_ in ("say", "tell")
    )


def _finite_clause(verb: Any) -> bool:
    """Return whether a clause has a finite verb: "I feel it getting worse" has none."""
    finite = ("VBZ", "VBP", "VBD", "MD")
    return verb.tag_ in finite or any(
        t.dep_ in ("aux", "auxpass") and t.tag_ in finite for t in verb.children
    )


def _takes_clause(verb: Any, opener: Any) -> bool:
    """Return whether ``opener`` follows a verb of saying or thinking, at most a person between."""
    if verb.lemma_.lower() not in word_set("that_verbs.txt") or verb.pos_ not in ("VERB", "ADJ"):
        return False
    gap = opener.doc[verb.i + 1 : opener.i]
    if any(t.text.lower() not in _PERSONS or t.dep_ not in ("dobj", "dative") for t in gap):
        return False
    if verb.lemma_ == "tell" and len(gap) != 1:
        return False
    return len(gap) <= 1 and bool(opener.i > verb.i) and not opener.doc[verb.i - 1].is_punct
