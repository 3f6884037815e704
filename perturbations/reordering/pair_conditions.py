"""What forbids that two members of a pair or list change places: scope, custom, what stands around."""

from __future__ import annotations

import re
from typing import Any

from harness.text.lexicon import english_words
from harness.text.parse import Text
from harness.text.roles import role_graph
from perturbations.common import word_set
from perturbations.reordering.company import misread, of_open_scope
from perturbations.reordering.evidence import denied, readings, scoped, technical
from perturbations.reordering.moves import Spans

DEGREES = frozenset(("very", "so", "really", "extremely", "quite", "pretty", "incredibly"))
_THINGS = frozenset(("it", "its", "itself", "former", "latter", "respectively"))
_AFTER_ADJECTIVES = frozenset((
    "because", "when", "whenever", "if", "since", "although", "though", "even", "and", "but", "or",
    "while", "lately", "now", "today", "most", "all",
))  # fmt: skip
_JOINED = re.compile(r"(\w{3,})(?:up|out|off|down)s?")
_PERSONS = _THINGS | {"he", "him", "his", "she", "her", "hers", "who"}
SHARED_DETERMINERS = frozenset(["the", "my", "your", "his", "her", "its", "our", "their", "some"])
_SHARED_BY_EITHER = frozenset({"any", "no"})  # "any cats or dogs"; not "no cats and dogs"
_BEHIND = frozenset({"of", "between", "that", "which", "who"})
_FAR_SCOPES = frozenset(
    {"only", "just", "even", "not", "never", "neither", "nor", "without", "except"}
)
"""Words that bear on the order of two nouns even where a verb or preposition stands between."""


def free(text: Text, first: Any, second: Any, spans: Spans) -> bool:
    """Return whether nothing reaches over a pair, fixes its order or takes up one of its parts."""
    (a, b), (c, d) = spans
    raw = text.raw
    sentence = first.sent
    return not (
        ordered(first, second)
        or not all(map(known, (first, second)))
        or _reached(first)
        or denied((*first.lefts, *second.subtree))
        or mixed(first, second)
        or misread(first, second)
        or of_open_scope(first, second)
        or (first.dep_ == "pobj" and first.head.lower_ in ("between", "as"))
        or any(raw[at : at + 1] in ("-", "/", "'", "’", "(") for at in (b, d))
        or any(raw[max(0, at - 1) : at] in ("-", "/", "(", "'", "’") for at in (a, c))
        or "\n" in raw[a:d]
        or any(text.is_protected(s, e) for s, e in spans)
        or technical(sentence.text)
        or technical(raw[: raw.rfind("\n", 0, a) + 1])  # data on a line below the task
        or followed_by_modifier(second)
        or taken_up(second)
        or (first.pos_ == "ADJ" and first.dep_ == "amod" and first.head.i < first.i)
    )


def _reached(first: Any) -> bool:
    """Return whether a word before a pair may belong to the first of the two alone.

    What stands before a pair of nouns and belongs to both in either order was let through by kind.
    """
    if first.pos_ != "NOUN":
        return scoped(first, allowed=DEGREES if first.dep_ == "acomp" else frozenset())
    before = frozenset(c.lower_ for c in first.lefts if c.dep_ in ("det", "amod"))
    return scoped(first, negation=not by_or(first), allowed=before, far=_FAR_SCOPES)


def known(token: Any) -> bool:
    """Return whether a word is in the dictionary, or a name, and no verb with its particle: "catchup"."""
    named = token.pos_ == "PROPN" and not token.text.islower()
    joined = _JOINED.fullmatch(token.lower_)
    return named or (
        not english_words().isdisjoint((token.lower_, token.lemma_.lower()))
        and not (joined and "VERB" in readings(joined[1]))
    )


def by_or(first: Any) -> bool:
    """Return whether "or" joins a pair, so that a negation reaches over both: "no cats or dogs"."""
    return any(c.lower_ == "or" for c in first.children)


def ordered(first: Any, second: Any) -> bool:
    """Return whether custom, time, size or logic fixes the order of two words."""
    one, two = first.lemma_.lower(), second.lemma_.lower()
    fixed, ordered = word_set("fixed_pairs.txt"), word_set("ordered_words.txt")
    forms = {one, two, first.lower_, second.lower_}
    return (
        one == two
        or f"{one} {two}" in fixed
        or f"{first.lower_} {second.lower_}" in fixed
        or first.lower_ in fixed
        or not ordered.isdisjoint(forms)
    )


def mixed(first: Any, second: Any) -> bool:
    """Return whether number shows that two nouns, or their verb, do not go together.

    "Teachers and work" after "to be" is no pair, and with "or" the verb agrees with the second.
    """
    either = by_or(first)
    subject = first.dep_ in ("nsubj", "nsubjpass")
    unlike = first.pos_ == "NOUN" and first.tag_ != second.tag_
    return unlike and (first.dep_ == "attr" or (either and subject))


def taken_up(second: Any) -> bool:
    """Return whether a later word, up to the end of the next sentence, may point at one of a pair."""
    if second.pos_ == "ADJ":
        return False
    doc, sentence = second.doc, second.sent
    end = len(doc)
    if sentence.end < end:
        end = doc[sentence.end].sent.end
    person = is_person(second)
    pointers = _PERSONS if person else _THINGS
    if second.tag_ == second.head.tag_ == "NNS":
        pointers = pointers - {"it", "its", "itself"}
    return any(t.lower_ in pointers for t in doc[second.i + 1 : end])


def is_person(token: Any) -> bool:
    """Return whether a noun is a word for a person."""
    return token.lower_ in role_graph().forms or token.lemma_.lower() in word_set("people.txt")


def followed_by_modifier(second: Any) -> bool:
    """Return whether the next word may belong to the second alone: "sad and angry at him"."""
    doc = second.doc
    if second.i + 1 >= len(doc):
        return False
    after = doc[second.i + 1]
    if after.is_punct:
        return False
    if second.pos_ == "NOUN":
        first = second.head
        if first.dep_ == "pobj" and after.lower_ == first.head.lower_:
            return True  # "pounds to kilograms and inches to centimeters": two of a kind, no pair
        owner = after if after.dep_ == "prep" else after.head
        if after.lower_ in _BEHIND and any(c.i == owner.i for c in second.children):
            return not hangs_loose(second.head, second, owner)
        return (
            after.lower_ in ("of", "that", "which", "who", "whose", "as", "with")
            or after.pos_ in ("NOUN", "PROPN", "PRON", "ADJ", "NUM")
            or (after.pos_ == "ADP" and after.head.i == second.i)
            or after.tag_ in ("VBN", "VBG", "TO")
        )
    if second.dep_ == "amod":  # "a quiet, peaceful place"
        return bool(after.i != second.head.i)
    if second.dep_ == "conj" and second.head.dep_ == "amod":
        named = second.head.head
        return bool(
            after.i != named.i and not (after.dep_ == "compound" and after.head.i == named.i)
        )
    return after.lower_ not in _AFTER_ADJECTIVES and not _both_take(second.head, second, after)


def hangs_loose(first: Any, second: Any, child: Any) -> bool:
    """Return whether what follows a pair belongs to both, or to the whole clause."""
    if child.i < second.i or child.dep_ == "conj":
        return False
    if first.pos_ != "NOUN":
        advcl = child.dep_ == "advcl" and child.left_edge.lower_ in _AFTER_ADJECTIVES
        return advcl or _both_take(first, second, child)
    if child.dep_ == "relcl":
        return _both_described(first, second, child)
    # "the origins and history of jazz"; not "the police and members of my family"
    return (
        child.dep_ == "prep"
        and child.lower_ in ("of", "between")
        and ([c.lower_ for c in first.lefts] == ["the"] or _relational(first, second))
        and not list(second.lefts)
        and not (is_person(first) or is_person(second))
    )


def _both_take(first: Any, second: Any, after: Any) -> bool:
    """Return whether an "about" behind a pair of feelings belongs to both: "sad and upset about it"."""
    feelings = word_set("feelings_about.txt")
    return (
        after.lower_ == "about"
        and after.dep_ == "prep"
        and first.dep_ == "acomp"
        and {first.lower_, second.lower_} <= feelings
    )


def _relational(first: Any, second: Any) -> bool:
    """Return whether both nouns are of something: "benefits and risks of flossing"."""
    nouns = word_set("relational_nouns.txt")
    return {first.lemma_.lower(), second.lemma_.lower()} <= nouns and first.tag_ == second.tag_


def reaches(word: Any, first: Any, second: Any) -> bool:
    """Return whether a word before a pair of nouns belongs to both, whichever comes first."""
    lower = word.lower_
    if lower in SHARED_DETERMINERS:
        return True
    if lower in _SHARED_BY_EITHER or lower in ("a", "an"):
        # "a guy or girl": persons are counted, so that the article suits either.
        persons = is_person(first) and is_person(second) and first.tag_ == second.tag_ == "NN"
        return by_or(first) and (lower in _SHARED_BY_EITHER or persons)
    if first.tag_ != second.tag_ or not {c.lower_ for c in word.children} <= DEGREES:
        return False
    listed = "wide_modifiers.txt" if first.tag_ == "NNS" else "wide_modifiers_singular.txt"
    return lower in word_set(listed)


def _both_described(first: Any, second: Any, clause: Any) -> bool:
    """Return whether a clause behind a pair tells of both: "some books or films that make you cry"."""
    before = [c for c in first.lefts if c.dep_ in ("det", "amod")]
    return (
        by_or(first)
        and first.tag_ == second.tag_ == "NNS"
        and bool(before)
        and not list(second.lefts)
        and clause.left_edge.lower_ in ("that", "which", "who")
        and clause.left_edge.i == second.i + 1
    )
