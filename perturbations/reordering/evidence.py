"""Evidence beyond the tagger's: what a word can be at all, what reaches over it, what a task is."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from harness.text.lexicon import word_set as shared_word_set
from harness.text.roles import role_graph
from perturbations.common import word_set

_NOUN_TAGS = frozenset({"NN", "NNS"})
_ADJECTIVE_TAGS = frozenset({"JJ", "JJR", "RB", "VBN"})
_DETERMINING = frozenset({"det", "poss", "nummod"})


@lru_cache(maxsize=8192)
def readings(word: str) -> frozenset[str]:
    """Return the word classes that the dictionary knows for a word: NOUN, VERB, ADJ, ..."""
    from lemminflect import getAllLemmas

    return frozenset(getAllLemmas(word.lower()))


_NOT_OF_NOUNS = ("ed", "ing", "ly", "ic", "al", "ous", "ive", "able", "ible", "ful", "less")
"""Endings by which a word that no dictionary has may be a verb, an adverb or an adjective."""


def surely_noun(token: Any) -> bool:
    """Return whether a common noun can be nothing else here, by dictionary and by what precedes."""
    if token.pos_ != "NOUN" or token.tag_ not in _NOUN_TAGS or not token.text.isalpha():
        return False
    known = readings(token.lower_)
    if not known:
        return len(token.text) > 4 and not token.lower_.endswith(_NOT_OF_NOUNS)
    if known <= {"NOUN", "PROPN"} or token.lower_ in word_set("plain_nouns.txt"):
        return "NOUN" in known
    if "NOUN" not in known:
        return False
    if any(c.dep_ in _DETERMINING for c in token.lefts):
        return True
    if token.tag_ == "NNS" and token.dep_ in ("conj", "dobj", "pobj"):
        return True
    return bool(token.dep_ == "pobj" and token.i > 0 and token.nbor(-1).i == token.head.i)


def surely_adjective(token: Any) -> bool:
    """Return whether an adjective is one by dictionary too, and no noun in disguise."""
    if not token.text.isalpha():
        return False
    if token.lower_ in word_set("plain_adjectives.txt"):
        return token.pos_ in ("ADJ", "ADV", "VERB") and token.tag_ in _ADJECTIVE_TAGS
    known = readings(token.lower_)
    if token.pos_ == "VERB":
        return token.tag_ == "VBN" and "ADJ" in known
    participle = token.lower_.endswith(("ed", "ing", "en")) and known == {"VERB"}
    said_of = token.dep_ == "acomp" or (token.dep_ == "conj" and token.head.dep_ == "acomp")
    return (
        token.pos_ == "ADJ"
        and token.tag_ in ("JJ", "JJR", "VBN", "VBG")
        and ("ADJ" in known or participle)
        and ("NOUN" not in known or said_of)
    )


def scoped(
    token: Any,
    negation: bool = True,
    allowed: frozenset[str] = frozenset(),
    far: frozenset[str] | None = None,
) -> bool:
    """Return whether "only", a quantifier or, unless told otherwise, a negation reaches over it.

    Args:
        token: The word.
        negation: Whether a negation counts: "no friends or family" says nothing about order.
        allowed: Words before the token itself that do not count.
        far: Which words count beyond those before the token itself; all by default.
    """
    scopes = word_set("scopes.txt")
    if negation:
        scopes = scopes | shared_word_set("negations.txt")
    else:
        scopes = scopes - shared_word_set("negations.txt") - {"without", "both", "either"}
    place = token
    for step in range(8 if negation else 2):
        reaching = scopes - allowed if step == 0 or far is None else scopes & far
        near = [c for c in place.children if c.i < token.i]
        if any((negation and c.dep_ == "neg") or c.lower_ in reaching for c in near):
            return True
        if place.lower_ in reaching or place.head.i == place.i:
            return place.lower_ in reaching
        if place.dep_ in ("relcl", "ccomp", "advcl", "acl") or (
            place.dep_ == "conj" and any(c.dep_ == "nsubj" for c in place.children)
        ):
            return False
        place = place.head
    return False


def denied(tokens: Iterable[Any]) -> bool:
    """Return whether a negation is among ``tokens``."""
    negations = shared_word_set("negations.txt")
    return any(t.dep_ == "neg" or t.lower_ in negations for t in tokens)


def may_follow(verb: Any) -> bool:
    """Return whether a state may follow from what is told before it: a feeling, wish, judgement."""
    lemma = verb.lemma_.lower()
    return lemma not in word_set("plain_states.txt") and not (
        lemma == "be"
        and any(c.dep_ == "attr" and c.lemma_.lower() in _persons() for c in verb.children)
    )


def _persons() -> frozenset[str]:
    """Return the words for what somebody is."""
    return word_set("people.txt") | frozenset(role_graph().forms)


_TASK = re.compile(
    r"\b(?:functions?|programs?|scripts?|query|queries|code|snippet|algorithm|regex|arrays?|loop|"
    r"integers?|arguments?|parameters?|variables?|columns?|api|sql|css|html|json|java(?:script)?|"
    r"python|php|c\+\+|ruby|bash|database|output|print|returns?|methods?|formula|calculates?|computes?)\b",
    re.IGNORECASE,
)  # fmt: skip


def technical(raw: str) -> bool:
    """Return whether a sentence speaks of programs or data, where order may be the order of output."""
    return bool(_TASK.search(raw))
