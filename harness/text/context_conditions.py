"""Conditions of lexicon entries on their context, by name.

::

    next:a/b  prev:a/b      the next (previous) word is one of these
    word:a/b                the word itself, as written
    tag:VBD/VBN             its fine-grained tag
    dep:dobj  head:try      its dependency; the lemma of its head
    child:out  kid:dobj     a child's word; a child's dependency
    obj:list/array          the lemma of its object (of its subject in the passive)
    nexttag:VBG             the next word's tag; headtag:, headpos: those of the head
    initial                 the first word of its sentence
    sent:a/b  text:a/b      a word anywhere in the sentence; in the prompt
    pred  attr              a predicate adjective ("is sad"); an attributive one ("sad news")
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any

Tokens = tuple[Any, ...]
Condition = Callable[[Tokens], bool]


def conditions(source: str | None) -> tuple[Condition, ...]:
    """Parse the conditions between one pair of braces; none for None.

    Raises:
        ValueError: One of them has an unknown name.
    """
    return tuple(_condition(part.strip()) for part in (source or "").split(",") if part.strip())


def _condition(source: str) -> Condition:
    deny = source.startswith("!")
    name, _, value = source.lstrip("!").partition(":")
    if name not in _TESTS:
        raise ValueError(f"lexicon condition {source!r} is none of {', '.join(sorted(_TESTS))}")
    test = _TESTS[name]
    values = frozenset("," if v == "comma" else v for v in value.split("/")) - {""}
    return lambda tokens: test(tokens, values) != deny


def _beside(tokens: Tokens, step: int) -> Iterator[Any]:
    """Yield the word before the first or after the last of ``tokens``, if any; no white space."""
    doc = tokens[0].doc
    rest = range(tokens[0].i - 1, -1, -1) if step < 0 else range(tokens[-1].i + 1, len(doc))
    return islice((doc[at] for at in rest if not doc[at].is_space), 1)


def _initial(tokens: Tokens, values: frozenset[str]) -> bool:
    sentence = (t for t in tokens[0].sent if not (t.is_space or t.is_punct))
    return bool(next((t.i for t in sentence), -1) == tokens[0].i)


def _predicate(tokens: Tokens, values: frozenset[str]) -> bool:
    token = tokens[0].head if tokens[0].dep_ == "conj" else tokens[0]
    return token.dep_ in ("acomp", "oprd", "ccomp")


def _object(tokens: Tokens, values: frozenset[str]) -> bool:
    objects = (c for c in tokens[0].children if c.dep_ in ("dobj", "nsubjpass"))
    return any(o.lemma_.lower() in values for o in objects)


_TESTS: Mapping[str, Callable[[Tokens, frozenset[str]], bool]] = {
    "next": lambda tokens, values: any(t.lower_ in values for t in _beside(tokens, 1)),
    "prev": lambda tokens, values: any(t.lower_ in values for t in _beside(tokens, -1)),
    "nexttag": lambda tokens, values: any(t.tag_ in values for t in _beside(tokens, 1)),
    "word": lambda tokens, values: tokens[0].lower_ in values,
    "tag": lambda tokens, values: tokens[0].tag_ in values,
    "dep": lambda tokens, values: tokens[0].dep_ in values,
    "head": lambda tokens, values: tokens[0].head.lemma_.lower() in values,
    "headpos": lambda tokens, values: tokens[0].head.pos_ in values,
    "headtag": lambda tokens, values: tokens[0].head.tag_ in values,
    "child": lambda tokens, values: any(c.lower_ in values for c in tokens[0].children),
    "kid": lambda tokens, values: any(c.dep_ in values for c in tokens[0].children),
    "obj": _object,
    "sent": lambda tokens, values: any(t.lower_ in values for t in tokens[0].sent),
    "text": lambda tokens, values: any(t.lower_ in values for t in tokens[0].doc),
    "pred": _predicate,
    "attr": lambda tokens, values: tokens[0].dep_ == "amod",
    "initial": _initial,
}
