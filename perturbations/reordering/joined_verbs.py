"""Clauses and bare verbs joined by "and", exchanged where both tell of what lasts or goes together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.text.parse import Text
from perturbations.common import capitalised, end_of, word_set
from perturbations.reordering.evidence import denied, may_follow, scoped, technical
from perturbations.reordering.exchanges import coordinations, heads, pair, swap
from perturbations.reordering.moves import (
    Move,
    Sentence,
    Spans,
    exchange,
    lowered,
    parsed_sentences,
    plain,
    refers_back,
)
from perturbations.reordering.pair_conditions import ordered

_PARALLEL = frozenset({"VB VB", "VBP VB", "VBP VBP", "VBZ VBZ", "VBG VBG"})


def verb_swaps(text: Text) -> Iterator[Move]:
    """Yield swaps of two bare verbs for what goes on together: "cry and scream"."""
    for first, second, link in coordinations(text):
        if (
            link.lower_ not in ("and", "or")
            or f"{first.tag_} {second.tag_}" not in _PARALLEL
            or not {first.lemma_.lower(), second.lemma_.lower()} <= word_set("parallel_verbs.txt")
            or second.i - first.i != 2
            or link.i != first.i + 1
            or any(
                c.dep_ in ("dobj", "advmod", "conj", "prt") and c.i > second.i
                for c in second.children
            )
            or not _ends(second)
        ):
            continue
        spans = heads(first, second)
        if not (
            scoped(first)
            or ordered(first, second)
            or technical(first.sent.text)
            or any(text.is_protected(s, e) for s, e in spans)
        ):
            yield swap(text, first, second, spans)


def _ends(token: Any) -> bool:
    """Return whether nothing follows a word in its clause."""
    after = token.doc[token.i + 1] if token.i + 1 < len(token.doc) else None
    return after is None or after.is_punct or after.is_space


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
        if not technical(text.raw[sentence.start : sentence.end]):
            verbs = sentence.root, *(c for c in sentence.root.children if c.dep_ == "conj")
            yield sentence.move(*exchange(text, spans, first, second), moved=verbs)


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
        or any(may_follow(v) for v in (root, second))
        or not one[0].lower_ == two[0].lower_ == "i"
        or denied(t for t in (*one, *two) if t.lower_ != "no")
        or any(t.lower_ in word_set("ties.txt") for t in (*one, *two))
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
