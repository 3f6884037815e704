"""Whole sentences moved: the closing question to the front, neighbours swapped."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from harness.text.roles import role_graph
from perturbations.common import capitalised, end_of, word_set
from perturbations.reordering.moves import (
    SUBJECTS,
    Move,
    Sentence,
    Spans,
    exchange,
    lowered,
    pair,
    parsed_sentences,
    plain,
    refers_back,
)

_LONGEST_QUESTION = 30
_HANGING = re.compile(
    r"\b(?:stop|quit|start|handle|cope|continue|do so|am|is|are|do|does|did|can|should|would|have)\?$",
    re.IGNORECASE,
)
_PRONOUNS = (
    frozenset(("he", "him", "his", "himself")),
    frozenset(("we", "us", "our", "ours", "ourselves")),
    frozenset(("she", "her", "hers", "herself")),
)
_GREETING = re.compile(r"(?:hi|hello|hey|dear|good (?:morning|evening))\b", re.IGNORECASE)


def question_first(text: Text) -> Iterator[Move]:
    """Move the last question to the front, where it can be understood there."""
    sentences = parsed_sentences(text)
    if len(sentences) < 2 or _GREETING.match(text.raw.lstrip()):
        return
    at = max((i for i, s in enumerate(sentences) if s.closes_with(text) == "?"), default=0)
    first, question, before = sentences[0], sentences[at], sentences[at - 1]
    raw = text.raw
    gap = raw[before.end : question.start]
    if (
        at == 0
        or not gap
        or not _stands_alone(text, question)
        or any(refers_back(s.tokens) for s in sentences[at + 1 :])
        or before.closes_with(text)[-1:] not in (".", "!", "?")
        or any(p.start <= first.start < p.end and p.kind == "code" for p in text.protected)
    ):
        return
    edits = (
        Edit(start=first.start, end=first.start, text=raw[question.start : question.end] + gap),
        Edit(start=before.end, end=question.end, text=""),
    )
    yield Move(edits, ((first.start, first.start + 1), (before.end - 1, question.end)))


def _stands_alone(text: Text, question: Sentence) -> bool:
    raw = text.raw[question.start : question.end]
    return (
        plain(text, question)
        and 3 <= sum(t.is_alpha for t in question.tokens) <= _LONGEST_QUESTION
        and not refers_back([t for t in question.tokens if not _points_ahead(t)])
        and question.tokens[0].lower_ not in word_set("connectives.txt")
        and _asks(question)
        and (raw.startswith("What") or not _HANGING.search(raw))
        and raw[0].isupper()
    )


def _asks(sentence: Sentence) -> bool:
    """Return whether a sentence is worded as a question: "How ...", "Is it ...", "Any ..."."""
    first = sentence.tokens[0]
    return (
        first.tag_ in ("WRB", "WP", "WDT", "MD")
        or first.lower_ == "any"
        or first.lemma_.lower() in ("be", "do", "have")
        or (first.pos_ == "ADP" and sentence.tokens[1].tag_ in ("WP", "WDT"))
    )


def _points_ahead(token: Any) -> bool:
    """Return whether this is "this" for the whole story, as in "Is this normal?"."""
    return token.lower_ == "this" and token.dep_ in ("nsubj", "dobj", "pobj")


def sentence_swaps(text: Text) -> Iterator[Move]:
    """Swap neighbours that do not refer to each other, and to which the next does not refer."""
    sentences = parsed_sentences(text)
    for i, (one, two) in enumerate(pairwise(sentences)):
        gap = text.raw[one.end : two.start]
        if not gap or gap.strip(" ") or one.closes_with(text) < two.closes_with(text):
            continue  # a statement goes before a question, not behind it
        known = _known_persons(sentences[:i], (one, two))
        if (
            not all(_free(text, s, known) for s in (one, two))
            or (_narrates(one) and _narrates(two))
            or _introduces(sentences[:i], one, two)
            or _new_we(known, one, two)
            or _answers(one, two)
            or any(_depends(text, two, after, known) for after in sentences[i + 2 : i + 3])
        ):
            continue
        edits = exchange(text, ((one.start, one.end), (two.start, two.end)))
        yield Move(edits, ((one.start, two.end),))


def _known_persons(before: Sequence[Sentence], pair: Sequence[Sentence]) -> frozenset[str]:
    """Return pronouns with one possible person, mentioned before the pair."""
    if any(t.lower_ in _persons() or t.pos_ == "PROPN" for s in pair for t in s.tokens):
        return frozenset()
    mentioned = {t.lower_ for s in (*before, pair[0]) for t in s.tokens}
    return frozenset(p for group in _PRONOUNS if group & mentioned for p in group)


@lru_cache(maxsize=1)
def _persons() -> frozenset[str]:
    """Return the nouns to which a pronoun for a person may refer."""
    return word_set("people.txt") | frozenset(role_graph().forms)


def _introduces(before: Sequence[Sentence], one: Sentence, two: Sentence) -> bool:
    """Return whether either sentence has a "the" that the text before does not explain."""
    known = {t.lemma_.lower() for s in before for t in s.tokens} | word_set("general_nouns.txt")
    return any(
        token.lower_ == "the" and token.head.lemma_.lower() not in known
        for token in (*one.tokens, *two.tokens)
    )


def _new_we(known: frozenset[str], one: Sentence, two: Sentence) -> bool:
    """Return whether the second sentence has a "we" that only the first explains."""
    ours = _PRONOUNS[1]
    mentioned = {t.lower_ for t in one.tokens} | known
    return not ours & mentioned and any(t.lower_ in ours for t in two.tokens)


def _free(text: Text, sentence: Sentence, known: frozenset[str]) -> bool:
    """Return whether a statement or question needs no other sentence to be understood."""
    return (
        plain(text, sentence)
        and sentence.closes_with(text) in (".", "?")
        and text.raw[sentence.start].isupper()
        and sum(t.is_alpha for t in sentence.tokens) >= 3
        and sentence.tokens[0].lower_ not in word_set("connectives.txt")
        and not SUBJECTS.isdisjoint(t.dep_ for t in sentence.root.children)
        and not refers_back(sentence.tokens, known)
    )


def _narrates(sentence: Sentence) -> bool:
    """Return whether a sentence narrates: the order of past events says when they happened."""
    return any(t.tag_ == "VBD" for t in sentence.tokens)


def _answers(one: Sentence, two: Sentence) -> bool:
    """Return whether the second sentence depends on a condition in the first."""
    case = any(t.lower_ in ("if", "when", "whenever") for t in one.tokens)
    return case and any(t.lower_ in ("just", "usually", "then", "always") for t in two.tokens)


def _depends(text: Text, second: Sentence, following: Sentence, known: frozenset[str]) -> bool:
    """Return whether the sentence after the pair may refer to the second of the two."""
    apart = "\n" in text.raw[second.end : following.start]
    persons = set(known)
    if not any(t.lower_ in _persons() or t.pos_ == "PROPN" for t in second.tokens):
        persons |= {p for group in _PRONOUNS for p in group}
    if not any(t.tag_ == "NNS" or t.lower_ in _persons() for t in second.tokens):
        persons |= {"they", "them", "their"}
    fragment = not any(t.pos_ in ("VERB", "AUX") for t in following.tokens)  # "Over and over."
    return (
        fragment
        or refers_back(following.tokens, persons)
        or (not apart and following.tokens[0].lower_ in word_set("connectives.txt"))
    )


def clause_swaps(text: Text) -> Iterator[Move]:
    """Swap two states joined by "and": "I am shy and I have no friends."."""
    sentences = parsed_sentences(text)
    for i, sentence in enumerate(sentences):
        if not plain(text, sentence) or sentence.closes_with(text) != ".":
            continue
        spans = _joined_states(sentence)
        if spans is None or any(refers_back(s.tokens) for s in sentences[i : i + 2]):
            continue
        (a, b), (c, d) = spans
        first, second = lowered(text, sentence.tokens[0], text.raw[a:b]), text.raw[c:d]
        if text.raw[a].isupper():
            second = capitalised(second)
        yield sentence.move(*exchange(text, spans, first, second))


def _joined_states(sentence: Sentence) -> Spans | None:
    """Return the spans of two main clauses in the present tense that both describe a state."""
    root = sentence.root
    second, link = pair(root)
    if second is None or link.lower_ != "and":
        return None
    two = [t for t in second.subtree if not t.is_space]
    one = [t for t in sentence.tokens if t.i < link.i and not t.is_punct]
    if (
        not one
        or not two
        or two[0].i != link.i + 1
        or two[-1].i < max(t.i for t in sentence.tokens if not t.is_punct)
        or sentence.tokens[0].lower_ in word_set("connectives.txt")
        or not all(_is_state(v) for v in (root, second))
        or any(t.text == "," or t.dep_ in ("advcl", "relcl") for t in (*one, *two))
        or max(len(one), len(two)) > 16
    ):
        return None
    return (sentence.start, end_of(one[-1])), (two[0].idx, sentence.stop)


def _is_state(verb: Any) -> bool:
    tensed = [verb, *(c for c in verb.children if c.dep_ in ("aux", "auxpass"))]
    return (
        verb.lemma_.lower() in word_set("stative_verbs.txt")
        and any(c.dep_ == "nsubj" for c in verb.children)
        and any(t.tag_ in ("VBP", "VBZ") for t in tensed)
    )
