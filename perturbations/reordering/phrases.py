"""Phrases of means, manner and place between the end, the front, and the place behind the object."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import capitalised, end_of, lexicon_lines, token_edit, word_set
from perturbations.reordering.clauses import front
from perturbations.reordering.evidence import denied
from perturbations.reordering.moves import (
    SUBJECTS,
    Move,
    Sentence,
    lowered,
    requests,
    third_person,
)

_LONGEST = 30
_LONGEST_PURPOSE = 18
_MAKING = frozenset((
    "write", "create", "build", "implement", "make", "develop", "solve", "design", "generate",
))  # fmt: skip
_FOLLOWING = ("that", "to", "which")
_PROVISOS = re.compile(
    r"(?:if|where|when|wherever|whenever) (?:possible|necessary|needed|appropriate|applicable|relevant)",
    re.IGNORECASE,
)
"""Conditions on a request that stand before or behind it."""


@lru_cache(maxsize=4)
def _pattern(name: str) -> re.Pattern[str]:
    """Return the pattern of any of a lexicon's phrases."""
    return re.compile("|".join(f"(?:{p})" for p in lexicon_lines(name)), re.IGNORECASE)


@lru_cache(maxsize=1)
def _means() -> re.Pattern[str]:
    """Return the pattern of a programming language or tool in or with which to work."""
    names = "|".join(lexicon_lines("languages.txt"))
    return re.compile(rf"(?:in|using|with) (?:{names})(?![\w+#./-])", re.IGNORECASE)


def phrase_moves(text: Text) -> Iterator[Move]:
    """Yield moves like "Write a sort in Python." ↔ "In Python, write a sort."."""
    for sentence in requests(text):
        words = [t for t in sentence.tokens if t.lower_ != "without"]
        if len(words) > _LONGEST or denied(words) or _compares(sentence):
            continue
        yield from _fronted(text, sentence)
        yield from _returned(text, sentence)


def proviso_moves(text: Text) -> Iterator[Move]:
    """Yield moves like "Use an example if possible." ↔ "If possible, use an example."."""
    for sentence in requests(text):
        raw, root = text.raw[sentence.start : sentence.stop], sentence.root
        words = [t for t in sentence.tokens if not t.is_punct]
        if (
            root.tag_ != "VB"
            or not 5 <= len(words) <= _LONGEST_PURPOSE
            or any(c.dep_ in ("conj", "cc") for c in root.children)
            or not text.raw[sentence.start].isupper()
            or denied(words)
        ):
            continue
        match = _PROVISOS.match(raw)
        if match and raw[match.end() : match.end() + 2] == ", " and raw.count(",") == 1:
            first = next(t for t in words if t.idx >= sentence.start + match.end())
            if first.i != root.i:
                continue
            yield sentence.move(
                Edit(start=sentence.start, end=end_of(first), text=capitalised(first.text)),
                Edit(start=sentence.stop, end=sentence.stop, text=f" {raw[: match.end()].lower()}"),
                moved=words[:2],
            )
            continue
        match = next((m for m in _PROVISOS.finditer(raw) if m.end() == len(raw)), None)
        if match and words[0].i == root.i and raw[: match.start()].endswith(" ") and "," not in raw:
            at = sentence.start + match.start()
            move = front(text, sentence, at, words[0])
            yield sentence.move(*move.edits, moved=words[-2:])


def _compares(sentence: Sentence) -> bool:
    return any(t.lower_ in word_set("comparing.txt") for t in sentence.tokens)


def _fronted(text: Text, sentence: Sentence) -> Iterator[Move]:
    """Yield the phrase at the end, or behind the object, moved to the front."""
    first = sentence.tokens[0]
    if first.lower_ == "please" or lowered(text, first, first.text)[0].isupper():
        return
    at, match = _closing(text, sentence, _means()), None
    request = first.i == sentence.root.i and first.tag_ == "VB"
    making = _asks(sentence) or (request and first.lower_ not in word_set("telling_verbs.txt"))
    if making and at is None:
        match = _behind_object(text, sentence)
    elif not making:
        at = None
    if at is None and match is None:
        at = _closing(text, sentence, _pattern("free_phrases.txt"))
    if at is None and match is None and request:
        at = _closing(text, sentence, _pattern("task_phrases.txt"))
        if at is None and _one_verb(sentence):
            at = _closing(text, sentence, _pattern("given_phrases.txt"))
    if match is not None:
        start, end = match
    elif at is not None:
        start, end = at, sentence.stop
    else:
        return
    if text.raw[start:end].lower().startswith("in ") and not (
        request and _is_whole(text, sentence)
    ):
        return  # "how to train a model in tensorflow" opens with "in tensorflow" in no query
    before = [t for t in sentence.tokens if t.idx < start]
    if (
        len(before) < 3
        or before[-1].is_punct
        or before[-1].tag_ in ("VBN", "VBG", "CC", "IN", "TO")
    ):
        return
    if "," in text.raw[sentence.start : sentence.stop] or before[-1].pos_ in ("ADV", "AUX"):
        return
    if _of_lower_clause(sentence, start, end):
        return
    if request and (
        text.raw[sentence.start].islower() or any(c.dep_ == "conj" for c in sentence.root.children)
    ):
        return  # "repeat it and do this step by step" does not say how to repeat it
    if not _uses_freely(sentence, start):
        return
    if not request and text.raw[start:end].lower().startswith("according to"):
        return  # "you should write according to the guide": the guide does not say so
    if any(t.lower_ in ("example", "examples") for t in before):  # "an example of a table in HTML"
        return
    moved = capitalised(text.raw[start:end]) if first.text[0].isupper() else text.raw[start:end]
    yield sentence.move(
        token_edit(first, f"{moved}, {lowered(text, first, first.text)}"),
        Edit(start=start - 1, end=end, text=""),
        moved=_heads(sentence, start, end),
    )


def _is_whole(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence opens with a capital and closes with a full stop."""
    return text.raw[sentence.start].isupper() and sentence.closes_with(text) == "."


def _heads(sentence: Sentence, start: int, end: int) -> list[Any]:
    """Return the tokens of a phrase that depend on a word outside of it."""
    inside = [t for t in sentence.tokens if start <= t.idx < end]
    places = {t.i for t in inside}
    return [t for t in inside if t.head.i not in places or t.head.i == t.i]


def _of_lower_clause(sentence: Sentence, start: int, end: int) -> bool:
    """Return whether a phrase may belong to a clause below the request.

    "Write an essay arguing that I should start using Twitter" says nothing of how to write it.
    """
    return any(
        t.dep_ in ("ccomp", "xcomp", "csubj") and t.head.i not in (t.i, sentence.root.i)
        for t in _heads(sentence, start, end)
    ) or any(
        t.idx < start
        and t.dep_ in ("ccomp", "advcl", "parataxis")
        and t.i != sentence.root.i
        and not SUBJECTS.isdisjoint(c.dep_ for c in t.children)
        for t in sentence.tokens
    )


def _uses_freely(sentence: Sentence, start: int) -> bool:
    """Return whether a "using" at ``start`` is how the thing asked for is made, and the only one.

    "Show me the steps to build it using C" does not say how to show them.
    """
    using = [t for t in sentence.tokens if t.lower_ == "using"]
    if not using or using[0].idx != start:
        return len(using) < 2
    root = sentence.root
    head = using[0].head
    of_object = head.dep_ == "dobj" and head.head.i == root.i
    return len(using) == 1 and root.lemma_.lower() in _MAKING and (head.i == root.i or of_object)


def _one_verb(sentence: Sentence) -> bool:
    """Return whether no second verb might claim the phrase at the end."""
    return (
        sum(
            t.pos_ in ("VERB", "AUX") and t.lower_ not in ("given", "following")
            for t in sentence.tokens
        )
        == 1
    )


def _closing(text: Text, sentence: Sentence, pattern: re.Pattern[str]) -> int | None:
    """Return where the phrase that ends a sentence starts."""
    raw = text.raw[sentence.start : sentence.stop]
    match = next((m for m in pattern.finditer(raw) if m.end() == len(raw)), None)
    if match is None or not raw[: match.start()].endswith(" "):
        return None
    return sentence.start + match.start()


def _behind_object(text: Text, sentence: Sentence) -> tuple[int, int] | None:
    """Return the span of "in Python" in "Write a function in Python that ..."."""
    raw = text.raw[sentence.start : sentence.stop]
    for match in _means().finditer(raw):
        start, end = sentence.start + match.start(), sentence.start + match.end()
        before = next((t for t in sentence.tokens if end_of(t) == start - 1), None)
        after = next((t for t in sentence.tokens if t.idx == end + 1), None)
        if before is None or after is None or after.lower_ not in _FOLLOWING:
            continue
        if before.dep_ == "dobj" and before.head.i == sentence.root.i:
            return start, end
    return None


def _returned(text: Text, sentence: Sentence) -> Iterator[Move]:
    """Yield the phrase at the front moved behind the object, or to the end."""
    raw = text.raw[sentence.start : sentence.stop]
    patterns = _means(), *map(_pattern, ("free_phrases.txt", "given_phrases.txt"))
    match = next((m for m in (p.match(raw) for p in patterns) if m), None)
    if match is None or raw[match.end() : match.end() + 2] != ", " or raw.count(",") != 1:
        return
    end = sentence.start + match.end()
    rest = [t for t in sentence.tokens if t.idx > end and not t.is_punct]
    if len(rest) < 3 or third_person(rest[:1]):
        return
    place = _after_object(sentence, rest)
    if place is None:
        return
    moved = lowered(text, sentence.tokens[0], text.raw[sentence.start : end])
    opening = capitalised(rest[0].text) if raw[0].isupper() else rest[0].text
    yield sentence.move(
        Edit(start=sentence.start, end=end_of(rest[0]), text=opening),
        Edit(start=place, end=place, text=f" {moved}"),
        moved=_heads(sentence, sentence.start, end),
    )


def _after_object(sentence: Sentence, rest: list[Any]) -> int | None:
    """Return the place right behind the object, or the end of a short simple sentence."""
    root = sentence.root
    if root.i == rest[0].i and any(c.dep_ in ("conj", "cc") for c in root.children):
        return None
    things = [c for c in root.children if c.dep_ == "dobj" and c.i > root.i]
    if root.i == rest[0].i and len(things) == 1:
        thing = things[0]
        following = next((t for t in rest if t.i > thing.i), None)
        using = sentence.tokens[0].lower_ != "in"  # "using C that calculates": C does not
        if following is not None and following.lower_ in _FOLLOWING and not using:
            return end_of(thing)
    simple = (
        not any(t.dep_ in ("relcl", "acl", "advcl", "ccomp", "conj", "xcomp") for t in rest)
        and len(rest) <= 14
    )
    return end_of(rest[-1]) if simple and not rest[-1].is_punct else None


def _asks(sentence: Sentence) -> bool:
    return sentence.tokens[0].tag_ in ("WRB", "WP", "WDT", "MD")


def purpose_questions(text: Text) -> Iterator[Move]:
    """Yield moves like "What should I do to lose weight?" → "To lose weight, what should I do?"."""
    for sentence in requests(text):
        first, root = sentence.tokens[0], sentence.root
        words = [t for t in sentence.tokens if not t.is_punct]
        if first.tag_ not in ("WP", "WRB", "WDT") or len(words) > _LONGEST_PURPOSE:
            continue
        to = next((t for t in words if t.tag_ == "TO"), None)
        if (
            to is None
            or root.lemma_.lower() not in ("do", "use", "take", "eat", "buy")
            or to.head.tag_ != "VB"
            or to.head.head.i != root.i
            or to.i != root.i + 1
            or words[-1].i - to.i < 2
            or not any(t.lower_ in ("i", "we", "you", "one") and t.dep_ == "nsubj" for t in words)
            or root.tag_ == "VBG"
            or not {t.i for t in words if t.i >= to.i} <= {t.i for t in to.head.subtree}
            or third_person(words)
            or denied(words)
            or any(t.lower_ == "else" for t in words)
            or any(t.text == "," for t in sentence.tokens)
            or lowered(text, first, first.text)[0].isupper()
        ):
            continue
        move = front(text, sentence, to.idx, first)
        yield replace(move, moved=frozenset({to.lower_, to.head.lower_}))
