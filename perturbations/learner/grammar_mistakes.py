"""Mistakes of grammar found in the parse: articles, agreement, tense, word order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, takes_an, token_edit, word_set
from perturbations.learner.mistakes import Mistake
from perturbations.reordering.moves import SUBJECTS

_WH = frozenset({"what", "how", "why", "where", "when"})
_SAME_PAST = frozenset(
    {"put", "cut", "hit", "let", "set", "read", "hurt", "cost", "shut", "quit", "spread", "beat",
     "be", "do", "have", "need", "split", "bet", "fit", "cast", "burst"}
)  # fmt: skip
_ABSTRACT = frozenset({"life", "society", "nature", "happiness", "music", "humanity"})


# After these an article is part of a set phrase, or its loss would leave another determiner.
_BEFORE_ARTICLE = frozenset(
    {
        "not",
        "half",
        "such",
        "what",
        "quite",
        "rather",
        "as",
        "of",
        "that",
        "all",
        "both",
        "which",
        "many",
    }
)


def dropped_articles(text: Text) -> Iterator[Mistake]:
    """Yield articles left out before a noun whose number shows without them."""
    kept = word_set("learner_articles_kept.txt")
    for token in text.doc:
        if token.lower_ not in ("a", "an", "the") or token.dep_ != "det":
            continue
        noun = token.head
        if noun.tag_ not in ("NN", "NNS") or not 0 < noun.i - token.i <= 3 or noun.text.isupper():
            continue
        between = text.doc[token.i + 1 : noun.i + 1]
        if any(
            t.lower_ in kept or t.tag_ in ("JJS", "RBS", "CD", "PDT", "POS", "RBR", "JJR")
            for t in between
        ):
            continue
        if any(not t.is_alpha for t in between) or noun.lemma_.lower() in kept:
            continue
        if noun.dep_ in ("npadvmod", "compound", "appos") or _measures(token, noun):
            continue
        before = text.doc[token.i - 1] if token.i else None
        if before is not None and (before.lower_ in _BEFORE_ARTICLE or _joins(before)):
            continue
        following = between[0]
        start, end = token.idx, following.idx
        if text.raw[end_of(token) : end] != " " or text.is_protected(start, end_of(token)):
            continue
        if token.text[0].isupper():
            if text.is_protected(following.idx, following.idx + 1):
                continue
            edit = Edit(start=start, end=end + 1, text=capitalised(following.text[0]))
        else:
            edit = Edit(start=start, end=end, text="")
        yield Mistake("article", (edit,))


def _joins(before: Any) -> bool:
    """Return whether a word would run into the noun without its article: "gave her (a) ring"."""
    given = before.dep_ in ("dative", "dobj", "iobj", "pobj", "nsubj")
    return (
        before.lower_ == "her"
        or before.tag_ == "PRP$"
        or (given and before.pos_ in ("NOUN", "PROPN"))
    )


def _measures(token: Any, noun: Any) -> bool:
    """Return whether an article counts: "twice a day", "a day later"."""
    before = token.doc[token.i - 1] if token.i else None
    return (noun.dep_ == "pobj" and noun.head.lower_ == "per") or (
        before is not None and (before.tag_ == "CD" or before.lower_ in ("once", "twice", "times"))
    )


def changed_articles(text: Text) -> Iterator[Mistake]:
    """Yield "the" before an abstract noun, and "a" before a vowel."""
    for token in text.doc:
        if (
            token.lower_ == "an"
            and token.dep_ == "det"
            and takes_an(text.doc[token.i + 1].text)  # else it stands for "and"
            and not text.is_protected(token.idx, end_of(token))
        ):
            yield Mistake("article", (token_edit(token, token.text[0]),))
        bare = token.left_edge == token and token.i and token.dep_ in ("nsubj", "dobj", "pobj")
        if not bare or token.lower_ not in _ABSTRACT or token.tag_ != "NN":
            continue
        if any(True for _ in token.children) or text.is_protected(token.idx, end_of(token)):
            continue
        if token.doc[token.i - 1].is_alpha and token.i + 1 < len(text.doc):
            yield Mistake("article", (Edit(start=token.idx, end=token.idx, text="the "),))


def dropped_endings(text: Text) -> Iterator[Mistake]:
    """Yield third persons without -s, where the verb is no other tense without it."""
    for token in text.doc:
        if (
            token.tag_ != "VBZ"
            or token.lemma_.lower() in _SAME_PAST - {"do", "have"}
            or not token.is_alpha
        ):
            continue
        if token.lower_ == "is" or text.is_protected(token.idx, end_of(token)):
            continue
        verb = token.head if token.dep_ in ("aux", "auxpass") else token
        subject = next((t for t in verb.children if t.dep_ == "nsubj"), None)
        if subject is None or subject.i > token.i or token.i - subject.i > 3:
            continue
        if subject.tag_ not in ("NN", "PRP", "WDT") or subject.lower_ in ("i", "you", "we", "they"):
            continue
        base = {"has": "have", "does": "do"}.get(token.lower_, token.lemma_.lower())
        if (token.lower_ == "does" and verb == token) or base == token.lower_ or not base.isalpha():
            continue
        if not _inflects(base, token.lower_):
            continue
        yield Mistake("agreement", (token_edit(token, base),))


def _inflects(base: str, third: str) -> bool:
    """Return whether the third person of ``base`` is ``third``: "hates" is not one of "hat"."""
    from lemminflect import getInflection

    return third in getInflection(base, "VBZ")


def present_for_perfect(text: Text) -> Iterator[Mistake]:
    """Yield the present where the perfect says since when or for how long something has lasted."""
    for token in text.doc:
        if token.lower_ not in ("have", "has", "'ve", "’ve") or token.dep_ != "aux":
            continue
        been = text.doc[token.i + 1 : token.i + 2]
        if not been or been[0].lower_ != "been" or token.i == 0:
            continue
        subject = text.doc[token.i - 1]
        be = {"i": "am", "he": "is", "she": "is", "it": "is"}.get(subject.lower_)
        be = be or ("are" if subject.lower_ in ("we", "they", "you") else None)
        verb = token.head
        if be is None or subject.dep_ not in SUBJECTS or not _lasts(verb):
            continue
        if verb.i != been[0].i and (verb.tag_ != "VBG" or verb.i != been[0].i + 1):
            continue
        if text.is_protected(token.idx, end_of(been[0])):
            continue
        space = " " if token.lower_ in ("'ve", "’ve") else ""
        edits = [Edit(start=token.idx, end=end_of(been[0]), text=space + be)]
        yield Mistake("tense", tuple(edits))


def _lasts(verb: Any) -> bool:
    """Return whether "for" or "since" with a time belongs to this verb."""
    spans = ("year", "month", "week", "day", "hour", "time", "while", "decade")
    for token in verb.subtree:
        near = token.lower_ == "for" and token.head in (verb, *verb.children)
        if near and any(t.lemma_.lower() in spans for t in token.subtree):
            return True
    return False


def kept_order(text: Text) -> Iterator[Mistake]:
    """Yield questions without inversion: "What I should do?"."""
    for sentence in text.doc.sents:
        tokens = [t for t in sentence if not t.is_space]
        if len(tokens) < 4 or tokens[0].lower_ not in _WH or tokens[-1].text != "?":
            continue
        verb, subject = tokens[1], tokens[2]
        if subject.lower_ not in ("i", "he", "she", "we", "they", "you") or subject.dep_ != "nsubj":
            continue
        start, end = verb.idx, end_of(subject)
        if text.raw[end_of(verb) : subject.idx] != " " or text.is_protected(start, end):
            continue
        inverted = verb.lower_ in ("can", "should", "could", "would", "am", "are", "is")
        if inverted and tokens[3].pos_ in ("VERB", "AUX", "ADJ", "ADV"):
            kept = f"{subject.text} {verb.text}"
            yield Mistake("order", (Edit(start=start, end=end, text=kept),))
