"""Pairs exchanged, "A and B" → "B and A", where both are surely of one class and order says nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from typing import Any

from harness.text.lexicon import english_words
from harness.text.parse import Text
from harness.text.roles import role_graph
from perturbations.common import capitalised, end_of, takes_an, word_set
from perturbations.reordering.company import misread, of_open_scope, shares_article
from perturbations.reordering.evidence import (
    readings,
    scoped,
    surely_adjective,
    surely_noun,
    technical,
)
from perturbations.reordering.moves import SUBJECTS, Move, Spans, exchange, pair, third_person

_MODIFIERS = frozenset({"det", "poss", "amod", "compound"})
_SHARED_DETERMINERS = frozenset(["the", "my", "your", "his", "her", "its", "our", "their", "some"])
_NOUN_PLACES = frozenset({"nsubj", "nsubjpass", "dobj", "pobj", "attr"})
_ADJECTIVE_PLACES = frozenset({"acomp", "amod", "ccomp", "oprd"})
_PARALLEL = frozenset({"VB VB", "VBP VB", "VBP VBP", "VBZ VBZ", "VBG VBG"})
_DEGREES = frozenset(("very", "so", "really", "extremely", "quite", "pretty", "incredibly"))
_THINGS = frozenset(("it", "its", "itself", "former", "latter", "respectively"))
_AFTER_ADJECTIVES = frozenset((
    "because", "when", "whenever", "if", "since", "although", "though", "even", "and", "but", "or",
    "while", "lately", "now", "today", "most", "all",
))  # fmt: skip
_JOINED = re.compile(r"(\w{3,})(?:up|out|off|down)s?")
_PERSONS = _THINGS | {"he", "him", "his", "she", "her", "hers", "who"}


def pair_swaps(text: Text) -> Iterator[Move]:
    """Yield swaps of pairs of nouns or of adjectives."""
    for first in text.doc:
        second, link = pair(first)
        if second is None or link.lower_ not in ("and", "or"):
            continue
        nouns = first.dep_ in _NOUN_PLACES and all(map(surely_noun, (first, second)))
        adjectives = first.dep_ in _ADJECTIVE_PLACES and all(map(surely_adjective, (first, second)))
        if not (nouns or adjectives) or any(c.dep_ == "conj" for c in second.children):
            continue
        spans = _spans(first, second, link)
        if spans is not None and _free(text, first, second, spans):
            yield _swap(text, first, second, spans)


def verb_swaps(text: Text) -> Iterator[Move]:
    """Yield swaps of two bare verbs for what goes on together: "cry and scream"."""
    for first in text.doc:
        second, link = pair(first)
        if (
            second is None
            or link.lower_ not in ("and", "or")
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
        spans = _heads(first, second)
        if not (
            scoped(first)
            or _ordered(first, second)
            or technical(first.sent.text)
            or any(text.is_protected(s, e) for s, e in spans)
        ):
            yield _swap(text, first, second, spans)


def _ends(token: Any) -> bool:
    """Return whether nothing follows a word in its clause."""
    after = token.doc[token.i + 1] if token.i + 1 < len(token.doc) else None
    return after is None or after.is_punct or after.is_space


def between_swaps(text: Text) -> Iterator[Move]:
    """Yield moves like "the difference between a list and a tuple" → "a tuple and a list"."""
    for first in text.doc:
        relation = first.head if first.dep_ == "dobj" else first.head.head
        second, link = pair(first)
        if (
            second is None
            or not (_is_between(first) or relation.lower_ in ("compare", "combine", "contrast"))
            or link.lower_ != "and"
            or link.i + 1 > second.left_edge.i
            or first.pos_ not in ("NOUN", "PROPN")
            or second.pos_ not in ("NOUN", "PROPN")
            or any(t.pos_ in ("VERB", "CCONJ") for t in second.subtree)
            or any(t.is_punct or t.pos_ in ("VERB", "PRON") for t in second.subtree)
        ):
            continue
        doc = first.doc
        one = list(doc[first.left_edge.i : link.i])
        two = list(doc[link.i + 1 : second.right_edge.i + 1])
        determined = [p[0].lower_ in ("a", "an", "the") for p in (one, two)]
        alike = determined[0] == determined[1] and len({len(one), len(two)}) == 1
        if not alike or any(t.pos_ in ("VERB", "PRON", "ADP") or t.is_punct for t in (*one, *two)):
            continue
        after = doc[two[-1].i + 1] if two[-1].i + 1 < len(doc) else None
        if after is not None and not (after.is_punct or after.is_space or after.pos_ == "ADP"):
            continue
        spans = (one[0].idx, end_of(one[-1])), (two[0].idx, end_of(two[-1]))
        inside = any(p.start < spans[1][1] and spans[0][0] < p.end and p.kind in ("code", "url")
                     for p in text.protected)  # fmt: skip
        if not inside and not _ordered(first, second) and not _taken_up(second):
            yield Move(
                exchange(text, spans),
                ((spans[0][0], spans[1][1]),),
                (first.lower_, second.lower_),
            )


def _is_between(first: Any) -> bool:
    """Return whether a word is the first of two between which a relation is named."""
    return (
        first.dep_ == "pobj"
        and first.head.lower_ == "between"
        and first.head.head.lemma_.lower() in word_set("relations.txt")
    )


def list_swaps(text: Text) -> Iterator[Move]:
    """Swap two neighbours in a list: "sad, tired, and alone" → "tired, sad, and alone"."""
    for first in text.doc:
        members = _members(first)
        if len(members) < 3 or first.dep_ not in _NOUN_PLACES | _ADJECTIVE_PLACES:
            continue
        if any(_ordered(a, b) for a in members for b in members if a.i < b.i):
            continue
        for one, two in pairwise(members[:-1]):
            names = one.pos_ == two.pos_ == "PROPN" and one.text.isalpha() and two.text.isalpha()
            nouns = one.pos_ == two.pos_ == "NOUN" and one.tag_ == two.tag_
            alike = names or nouns or all(map(surely_adjective, (one, two)))
            spans = _phrases(one, two)
            if (
                alike
                and (all(map(_bare, (one, two))) or all(map(_determined, (one, two))))
                and len({tuple(filter(None, map(_determination, t.lefts))) for t in (one, two)})
                == 1
                and text.raw[_heads(one, two)[0][1] : spans[1][0]] == ", "
                and _free(text, one, two, spans)
            ):
                swap = _swap(text, one, two, spans)
                yield replace(swap, listed=frozenset(m.lower_ for m in members))
                break


def comma_swaps(text: Text) -> Iterator[Move]:
    """Swap two adjectives of equal rank: "a short, funny poem" → "a funny, short poem"."""
    for one in text.doc:
        if one.i + 2 >= len(one.doc) or one.dep_ != "amod" or one.nbor().text != ",":
            continue
        two = one.nbor(2)
        spans = _heads(one, two)
        if (
            two.dep_ == "amod"
            and two.head.i == one.head.i == two.i + 1
            and all(t.tag_ == "JJ" and "ADJ" in readings(t.lower_) for t in (one, two))
            and one.text.islower()
            and not any(list(t.children) for t in (one, two))
            and text.raw[spans[0][1] : spans[1][0]] == ", "
            and _free(text, one, two, spans)
        ):
            yield Move(
                exchange(text, spans),
                ((spans[0][0], spans[1][1]),),
                moved=frozenset((one.lower_, two.lower_)),
            )


def _determined(member: Any) -> bool:
    """Return whether a member of a list has words of its own before it and none behind."""
    before = [c for c in member.children if c.i < member.i and c.dep_ != "cc"]
    behind = [c for c in member.children if c.i > member.i]
    return (
        bool(before)
        and all(c.dep_ in _MODIFIERS for c in before)
        and all(c.dep_ in ("conj", "cc", "punct") for c in behind)
    )


def _bare(member: Any) -> bool:
    """Return whether a member of a list has no words of its own but a compound's."""
    return all(
        c.dep_ in ("conj", "cc", "punct") or (c.dep_ == "compound" and c.i < member.i)
        for c in member.children
    )


def _members(first: Any) -> list[Any]:
    if first.dep_ == "conj":
        return []
    members = [first]
    while True:
        following = [c for c in members[-1].children if c.dep_ == "conj"]
        if len(following) != 1:
            return members
        members.append(following[0])


def _spans(first: Any, second: Any, link: Any) -> Spans | None:
    """Return the spans to exchange, or None where one of the two governs further words."""
    right = [c for t in (first, second) for c in t.rights if c.i not in (second.i, link.i)]
    if any(not (c.is_space or _hangs_loose(first, second, c)) for c in right):
        return None
    lefts = [c for c in first.lefts if c.dep_ not in SUBJECTS], list(second.lefts)
    if not any(lefts) and second.i - first.i == 2:
        return _heads(first, second)
    if not surely_noun(first):
        degree = [c for c in lefts[0] if c.lower_ not in _DEGREES]
        alone = first.dep_ == "acomp" and not degree and not lefts[1] and len(lefts[0]) == 1
        return _heads(first, second) if alone else None
    compounds = lefts[1] and all(c.dep_ == "compound" for left in lefts for c in left)
    if compounds and (lefts[0] or first.tag_ != second.tag_):  # "depression and panic attacks"
        return _phrases(first, second)
    if all(lefts):
        kinds = [{_determination(c) for c in left} for left in lefts]
        alike = {k for k in kinds[0] if k} == {k for k in kinds[1] if k}
        if not alike or not {c.dep_ for left in lefts for c in left} <= _MODIFIERS:
            return None
        if third_person(second.subtree):  # "my sister and her husband"
            return None
        return _phrases(first, second)
    shared = {c.lower_ for c in lefts[0]}
    if lefts[1] or not shared <= _SHARED_DETERMINERS or not shares_article(first, second):
        return None
    return _heads(first, second)


def _hangs_loose(first: Any, second: Any, child: Any) -> bool:
    """Return whether what follows a pair belongs to both, or to the whole clause."""
    if child.i < second.i or child.dep_ == "conj":
        return False
    if first.pos_ != "NOUN":
        return child.dep_ == "advcl" and child.left_edge.lower_ in _AFTER_ADJECTIVES
    # "the origins and history of jazz"; not "the police and members of my family"
    return (
        child.dep_ == "prep"
        and child.lower_ == "of"
        and [c.lower_ for c in first.lefts] == ["the"]
        and not list(second.lefts)
        and not (_is_person(first) or _is_person(second))
    )


def _determination(token: Any) -> str:
    """Return how a word before a noun determines it, or nothing."""
    if token.dep_ == "poss":
        return "poss" if token.tag_ == "PRP$" else "name"
    if token.dep_ != "det":
        return ""
    return str({"the": "the", "a": "a", "an": "a"}.get(token.lower_, token.lower_))


def _heads(first: Any, second: Any) -> Spans:
    return (first.idx, end_of(first)), (second.idx, end_of(second))


def _phrases(first: Any, second: Any) -> Spans:
    return (
        (first.left_edge.idx, end_of(first)),
        (second.left_edge.idx, end_of(second)),
    )


def _free(text: Text, first: Any, second: Any, spans: Spans) -> bool:
    """Return whether nothing reaches over a pair, fixes its order or takes up one of its parts."""
    (a, b), (c, d) = spans
    raw = text.raw
    sentence = first.sent
    return not (
        _ordered(first, second)
        or not all(map(_known, (first, second)))
        or scoped(first, negation=first.pos_ != "NOUN" or not _by_or(first))
        or _mixed(first, second)
        or misread(first, second)
        or of_open_scope(first, second)
        or (first.dep_ == "pobj" and first.head.lower_ in ("between", "as"))
        or (
            raw[max(0, a - 3) : a].lower() in (" a ", "an ")
            and takes_an(raw[a:b]) != takes_an(raw[c:d])
        )
        or any(raw[at : at + 1] in ("-", "/", "'", "’", "(") for at in (b, d))
        or any(raw[max(0, at - 1) : at] in ("-", "/", "(", "'", "’") for at in (a, c))
        or "\n" in raw[a:d]
        or any(text.is_protected(s, e) for s, e in spans)
        or technical(sentence.text)
        or technical(raw[: raw.rfind("\n", 0, a) + 1])  # data on a line below the task
        or _followed_by_modifier(second)
        or _taken_up(second)
        or (first.pos_ == "ADJ" and first.dep_ == "amod" and first.head.i < first.i)
    )


def _known(token: Any) -> bool:
    """Return whether a word is in the dictionary, or a name, and no verb with its particle: "catchup"."""
    named = token.pos_ == "PROPN" and not token.text.islower()
    joined = _JOINED.fullmatch(token.lower_)
    return named or (
        not english_words().isdisjoint((token.lower_, token.lemma_.lower()))
        and not (joined and "VERB" in readings(joined[1]))
    )


def _by_or(first: Any) -> bool:
    """Return whether "or" joins a pair, so that a negation reaches over both: "no cats or dogs"."""
    return any(c.lower_ == "or" for c in first.children)


def _ordered(first: Any, second: Any) -> bool:
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


def _mixed(first: Any, second: Any) -> bool:
    """Return whether number shows that two nouns, or their verb, do not go together.

    "Teachers and work" after "to be" is no pair, and with "or" the verb agrees with the second.
    """
    either = _by_or(first)
    subject = first.dep_ in ("nsubj", "nsubjpass")
    unlike = first.pos_ == "NOUN" and first.tag_ != second.tag_
    return unlike and (first.dep_ == "attr" or (either and subject))


def _taken_up(second: Any) -> bool:
    """Return whether a later word, up to the end of the next sentence, may point at one of a pair."""
    if second.pos_ == "ADJ":
        return False
    doc, sentence = second.doc, second.sent
    end = len(doc)
    if sentence.end < end:
        end = doc[sentence.end].sent.end
    person = _is_person(second)
    pointers = _PERSONS if person else _THINGS
    if second.tag_ == second.head.tag_ == "NNS":
        pointers = pointers - {"it", "its", "itself"}
    return any(t.lower_ in pointers for t in doc[second.i + 1 : end])


def _is_person(token: Any) -> bool:
    return token.lower_ in role_graph().forms or token.lemma_.lower() in word_set("people.txt")


def _followed_by_modifier(second: Any) -> bool:
    """Return whether the next word may belong to the second alone: "sad and angry at him"."""
    doc = second.doc
    if second.i + 1 >= len(doc):
        return False
    after = doc[second.i + 1]
    if after.is_punct:
        return False
    if second.pos_ == "NOUN":
        if after.lower_ == "of" and any(c.i == after.i for c in second.children):
            return not _hangs_loose(second.head, second, after)
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
    return after.lower_ not in _AFTER_ADJECTIVES


def _swap(text: Text, one: Any, two: Any, spans: Spans) -> Move:
    (a, b), (c, d) = spans
    first, second = text.raw[a:b], text.raw[c:d]
    starts = a == 0 or text.raw[:a].rstrip()[-1:] in (".", "!", "?", "")
    if starts and first[:1].isupper() and second[:1].islower():
        first = first if first.split()[0] == "I" else first[:1].lower() + first[1:]
        second = capitalised(second)
    return Move(exchange(text, spans, first, second), ((a, d),), exchanged=(one.lower_, two.lower_))
