"""Conditions of lexicon entries on their context, by name.

::

    next:a/b  prev:a/b      the next (previous) word is one of these
    word:a/b                the word itself, as written
    tag:VBD/VBN             its fine-grained tag
    dep:dobj  head:try      its dependency; the lemma of its head
    child:out  kid:dobj     a child's word; a child's dependency
    obj:list/array          the lemma of its object (of its subject in the passive)
    nexttag:VBG             the next word's tag; headtag:, headpos: those of the head
    next2:a  next2tag:VB    the word after the next word, and its tag; prevtag: the previous word's
    nextdep:acomp           the next word's dependency
    before:not/never        a word anywhere earlier in the sentence
    ends:./?                the last token of the sentence
    subj:i/we               the lemma of its subject, or of the verb's that it is a predicate of
    bare                    nothing depends on it from the right, and it is not coordinated
    initial                 the first word of its sentence
    sent:a/b  text:a/b      a word anywhere in the sentence; in the prompt
    casual                  the prompt writes "i" for "I"
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
    """Yield the ``step``-th word after the last of ``tokens``, or before the first; no white space.

    Nothing beyond the text; -1 is the previous word, 2 the word after the next.
    """
    doc = tokens[0].doc
    rest = range(tokens[0].i - 1, -1, -1) if step < 0 else range(tokens[-1].i + 1, len(doc))
    return islice((doc[at] for at in rest if not doc[at].is_space), abs(step) - 1, abs(step))


def _initial(tokens: Tokens, values: frozenset[str]) -> bool:
    sentence = (t for t in tokens[0].sent if not (t.is_space or t.is_punct))
    if next((t.i for t in sentence), -1) != tokens[0].i:
        return False
    # The parser splits run-on sentences too: what stands before must end one.
    doc, at = tokens[0].doc, tokens[0].i - 1
    return at < 0 or (doc[at].is_punct and doc[at].text != ",") or "\n" in doc[at].text


def _predicate(tokens: Tokens, values: frozenset[str]) -> bool:
    token = tokens[0].head if tokens[0].dep_ == "conj" else tokens[0]
    return token.dep_ in ("acomp", "oprd", "ccomp")


def _object(tokens: Tokens, values: frozenset[str]) -> bool:
    objects = (c for c in tokens[0].children if c.dep_ in ("dobj", "nsubjpass"))
    return any(o.lemma_.lower() in values for o in objects)


def _earlier(tokens: Tokens, values: frozenset[str]) -> bool:
    return any(t.i < tokens[0].i and t.lower_ in values for t in tokens[0].sent)


def _ends(tokens: Tokens, values: frozenset[str]) -> bool:
    return next((t.text in values for t in reversed(list(tokens[0].sent)) if not t.is_space), False)


def _subject(tokens: Tokens, values: frozenset[str]) -> bool:
    token = tokens[0]
    for verb in (token, token.head):
        subjects = [c for c in verb.children if c.dep_ in ("nsubj", "nsubjpass")]
        if subjects:
            return any(s.lemma_.lower() in values for s in subjects)
    return False


def _bare(tokens: Tokens, values: frozenset[str]) -> bool:
    rights = (c for c in tokens[0].rights if not (c.is_punct or c.is_space))
    return tokens[0].dep_ != "conj" and not any(c.i > tokens[-1].i for c in rights)


_TESTS: Mapping[str, Callable[[Tokens, frozenset[str]], bool]] = {
    "next": lambda tokens, values: any(t.lower_ in values for t in _beside(tokens, 1)),
    "prev": lambda tokens, values: any(t.lower_ in values for t in _beside(tokens, -1)),
    "nexttag": lambda tokens, values: any(t.tag_ in values for t in _beside(tokens, 1)),
    "prevtag": lambda tokens, values: any(t.tag_ in values for t in _beside(tokens, -1)),
    "next2": lambda tokens, values: any(t.lower_ in values for t in _beside(tokens, 2)),
    "next2tag": lambda tokens, values: any(t.tag_ in values for t in _beside(tokens, 2)),
    "nextdep": lambda tokens, values: any(t.dep_ in values for t in _beside(tokens, 1)),
    "before": _earlier,
    "ends": _ends,
    "subj": _subject,
    "bare": _bare,
    "casual": lambda tokens, values: any(t.text == "i" for t in tokens[0].doc),
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
