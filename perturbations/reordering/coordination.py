"""Pairs exchanged, "A and B" → "B and A", where both are surely of one class and order says nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from harness.text.parse import Text
from harness.text.roles import role_graph
from perturbations.common import capitalised, end_of, takes_an, word_set
from perturbations.reordering.evidence import scoped, surely_adjective, surely_noun, technical
from perturbations.reordering.moves import Move, Spans, exchange, pair, third_person

_MODIFIERS = frozenset({"det", "poss", "amod", "compound"})
_SHARED_DETERMINERS = frozenset(["the", "my", "your", "his", "her", "its", "our", "their", "some"])
_NOUN_PLACES = frozenset({"nsubj", "nsubjpass", "dobj", "pobj", "attr"})
_ADJECTIVE_PLACES = frozenset({"acomp", "amod", "ccomp", "oprd"})
_PARALLEL = frozenset({"VB VB", "VBP VB", "VBP VBP", "VBZ VBZ", "VBG VBG"})
_THINGS = frozenset(("it", "its", "itself", "former", "latter", "respectively"))
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
        relation = first.head.head
        second, link = pair(first)
        if (
            second is None
            or first.dep_ != "pobj"
            or first.head.lower_ != "between"
            or relation.lemma_.lower() not in word_set("relations.txt")
            or link.lower_ != "and"
            or link.i + 1 > second.left_edge.i
            or first.pos_ not in ("NOUN", "PROPN")
            or second.pos_ not in ("NOUN", "PROPN")
            or any(t.pos_ in ("VERB", "CCONJ") for t in second.subtree)
            or any(t.is_punct or t.pos_ in ("VERB", "PRON") for t in second.subtree)
        ):
            continue
        doc = first.doc
        one = list(doc[first.head.i + 1 : link.i])
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


def list_swaps(text: Text) -> Iterator[Move]:
    """Swap the first two of a list: "sad, tired, and alone" → "tired, sad, and alone"."""
    for first in text.doc:
        members = _members(first)
        if len(members) < 3 or first.dep_ not in _NOUN_PLACES | {"acomp", "amod"}:
            continue
        alike = all(map(surely_noun, members)) or all(map(surely_adjective, members))
        bare = not any(list(m.lefts) for m in members) and not [
            c for m in members for c in m.rights if c.dep_ not in ("conj", "cc", "punct")
        ]
        spans = _heads(members[0], members[1])
        if (
            alike
            and bare
            and _free(text, members[0], members[1], spans)
            and not any(_ordered(a, b) for a in members for b in members if a.i < b.i)
            and text.raw[spans[0][1] : spans[1][0]] == ", "
        ):
            yield _swap(text, members[0], members[1], spans)


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
    right = [c for c in first.rights if c.i not in (second.i, link.i) and not c.is_space]
    if right or any(not c.is_space for c in second.rights):
        return None
    lefts = list(first.lefts), list(second.lefts)
    if not any(lefts) and second.i - first.i == 2:
        return _heads(first, second)
    if first.pos_ == "ADJ":
        return None  # "very sad and tired": how far "very" reaches is left open
    if all(lefts):
        kinds = [{_determination(c) for c in left} for left in lefts]
        alike = {k for k in kinds[0] if k} == {k for k in kinds[1] if k}
        if not alike or not {c.dep_ for left in lefts for c in left} <= _MODIFIERS:
            return None
        if third_person(second.subtree):  # "my sister and her husband"
            return None
        return (
            (first.left_edge.idx, end_of(first)),
            (second.left_edge.idx, end_of(second)),
        )
    shared = {c.lower_ for c in lefts[0]}
    return None if lefts[1] or not shared <= _SHARED_DETERMINERS else _heads(first, second)


def _determination(token: Any) -> str:
    """Return how a word before a noun determines it, or nothing."""
    if token.dep_ == "poss":
        return "poss" if token.tag_ == "PRP$" else "name"
    if token.dep_ != "det":
        return ""
    return str({"the": "the", "a": "a", "an": "a"}.get(token.lower_, token.lower_))


def _heads(first: Any, second: Any) -> Spans:
    return (first.idx, end_of(first)), (second.idx, end_of(second))


def _free(text: Text, first: Any, second: Any, spans: Spans) -> bool:
    """Return whether nothing reaches over a pair, fixes its order or takes up one of its parts."""
    (a, b), (c, d) = spans
    raw = text.raw
    sentence = first.sent
    return not (
        _ordered(first, second)
        or scoped(first)
        or _mixed(first, second)
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
        or _followed_by_modifier(second)
        or _taken_up(second)
        or (first.pos_ == "ADJ" and first.dep_ == "amod" and first.head.i < first.i)
    )


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
    """Return whether a person and a thing, or a singular and a plural subject, are joined."""
    persons = [_is_person(t) for t in (first, second)]
    by_number = first.dep_ in ("nsubj", "nsubjpass") and first.tag_ != second.tag_
    return persons[0] != persons[1] or (by_number and first.pos_ == "NOUN")


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
        return (
            after.lower_ in ("of", "that", "which", "who", "whose", "as", "with")
            or after.pos_ in ("NOUN", "PROPN", "PRON", "ADJ", "NUM")
            or (after.pos_ == "ADP" and after.head.i == second.i)
            or after.tag_ in ("VBN", "VBG", "TO")
        )
    if second.dep_ == "conj" and second.head.dep_ == "amod":
        return bool(after.i != second.head.head.i)
    return after.pos_ not in ("CCONJ", "SCONJ") or after.lower_ in ("that", "as", "than")


def _swap(text: Text, one: Any, two: Any, spans: Spans) -> Move:
    (a, b), (c, d) = spans
    first, second = text.raw[a:b], text.raw[c:d]
    starts = a == 0 or text.raw[:a].rstrip()[-1:] in (".", "!", "?", "")
    if starts and first[:1].isupper() and second[:1].islower():
        first = first if first.split()[0] == "I" else first[:1].lower() + first[1:]
        second = capitalised(second)
    return Move(exchange(text, spans, first, second), ((a, d),), exchanged=(one.lower_, two.lower_))
