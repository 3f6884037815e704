"""What the words around a pair do to it once its two members have changed places.

An article before the first comes to stand before the second, a verb comes to stand beside another
object, and a noun that is also a verb comes to stand where a verb may.
"""

from __future__ import annotations

import re
from typing import Any

from perturbations.common import word_set
from perturbations.reordering.evidence import readings

_ARTICLES = frozenset({"the", "some"})
_LOOKING_BACK = frozenset(
    [
        "other",
        "another",
        "further",
        "additional",
        "more",
        "such",
        "similar",
        "related",
        "remaining",
        "same",
        "different",
        "own",
    ]
)
"""Words that set the second of a pair beside the first: "old radios and other devices"."""

_ABSTRACT = re.compile(
    r"(?:[^aeiou]ity|ness|ism|ship|hood|ance|ence|ment|tion|sion|ics|logy|graphy|dom|ture|ware|ing)$"
)
_SHORTEST_ABSTRACT = 6


_AMOUNTS = frozenset((
    "lot", "kind", "sort", "type", "bit", "amount", "number", "plenty", "feeling", "sense", "mix",
    "mixture", "combination", "lack",
))  # fmt: skip


def of_open_scope(first: Any, second: Any) -> bool:
    """Return whether the second of a pair behind "of" may go with the noun before it.

    "A synopsis of themes and analysis" may hold both; "a lot of stress and anxiety" cannot.
    """
    if first.dep_ != "pobj" or first.head.lower_ != "of":
        return False
    whole = first.head.head
    return first.tag_ != second.tag_ or (
        whole.tag_ == second.tag_ and whole.lemma_.lower() not in _AMOUNTS
    )


def shares_article(first: Any, second: Any) -> bool:
    """Return whether one article before a pair of nouns may stand before either.

    "The trees and birds" may change places, and "the origin and history of jazz"; "the environment
    and society" may not, for "society" stands there without an article.

    Args:
        first: The noun behind the article.
        second: The other, which has nothing before it.
    """
    if not any(c.lower_ in _ARTICLES for c in first.lefts):
        return True
    if first.tag_ != second.tag_ or second.pos_ != "NOUN":
        return False
    explained = any(
        c.lower_ == "of" and c.i > second.i for t in (first, second) for c in t.children
    )
    return second.tag_ == "NNS" or explained or not (_stands_bare(first) or _stands_bare(second))


def _stands_bare(noun: Any) -> bool:
    """Return whether a singular noun mostly has no article: "society", "happiness"."""
    lemma = noun.lemma_.lower()
    return lemma in word_set("bare_nouns.txt") or (
        len(lemma) >= _SHORTEST_ABSTRACT and bool(_ABSTRACT.search(lemma))
    )


def _may_go_on(first: Any, second: Any) -> bool:
    """Return whether the second of two objects may be the next verb: "spins the drum and fires"."""
    if list(second.lefts) or "VERB" not in readings(second.lower_):
        return False
    return bool(list(first.lefts)) or (second.tag_ == "NNS" and first.head.tag_ == "VBZ")


def misread(first: Any, second: Any) -> bool:
    """Return whether one of a pair, or what stands beside it, may be read otherwise after the swap.

    "I make music and exercise" would have somebody "make exercise"; and "I like music and dance"
    has, in one order or the other, "dance" as what somebody does.
    """
    if any(t.lower_ in _LOOKING_BACK for t in second.lefts):
        return True
    if first.pos_ != "NOUN":
        return False
    alone = [not any(c.dep_ in ("det", "poss", "nummod") for c in t.lefts) for t in (first, second)]
    if not any(alone):
        return False
    if first.dep_ == "dobj" and first.head.lemma_.lower() in word_set("light_verbs.txt"):
        return True
    verbs = word_set("noun_or_verb.txt")
    active = [not list(t.lefts) and t.lemma_.lower() in verbs for t in (first, second)]
    if first.dep_ == "dobj":
        return any(active) or _may_go_on(first, second)
    return first.dep_ in ("nsubj", "nsubjpass") and active[1] and first.i == first.sent[0].i
