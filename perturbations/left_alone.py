"""Places that keep their words though an entry of a lexicon fits: emphasis, repetition, quotation."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from harness.text.parse import Text
from perturbations.common import word_set
from perturbations.substitution import Site

_MARKS = frozenset("*_~^#<>=|\\")
_LINE_BREAK = re.compile(r"\r?\n")
_WINDOW = 12


def left_alone(site: Site, text: Text) -> bool:
    """Return whether a place keeps its words whatever its entry says.

    Shouted, emphasised, stretched and repeated words do, and whatever a prompt talks about as
    words or hands over to be worked on: the material of a translation, a list of vocabulary.
    """
    return (
        any(_emphasised(token) for token in site.tokens)
        or (
            site.entry.pos != "PHRASE" and (_repeated(site.tokens[0]) or _mistagged(site.tokens[0]))
        )
        or _in_material(site, text)
    )


def _emphasised(token: Any) -> bool:
    """Return whether a token is shouted or set off by marks."""
    if len(token.text) > 1 and token.text.isupper():
        return True
    doc = token.doc
    beside = (doc[at] for at in (token.i - 1, token.i + 1) if 0 <= at < len(doc))
    if any(t.text[:1] in _MARKS for t in beside):
        return True
    # a word that stands alone between dots or exclamation marks, as in "Never. Ever."
    return len([t for t in token.sent if t.is_alpha]) <= 1


def _repeated(token: Any) -> bool:
    """Return whether the word returns close by: a play with it that a synonym would break."""
    window = token.doc[max(0, token.i - _WINDOW) : token.i + _WINDOW + 1]
    lemma = token.lemma_.lower()
    return any(t.i != token.i and t.lemma_.lower() == lemma for t in window)


def _mistagged(token: Any) -> bool:
    """Return whether the word as written is no form of its lemma under its tag."""
    forms = set(_forms(token.lemma_.lower(), token.tag_))
    return bool(forms) and token.lower_ not in forms


@lru_cache(maxsize=8192)
def _forms(lemma: str, tag: str) -> tuple[str, ...]:
    from lemminflect import getInflection

    if tag in ("VB", "VBP", "NN", "JJ", "RB"):
        return (lemma,)
    return tuple(form.lower() for form in getInflection(lemma, tag))


def _in_material(site: Site, text: Text) -> bool:
    """Return whether the prompt is about words, or hands over a text to be worked on."""
    about, over = _topics(text.raw)
    return about or (over is not None and site.start >= over)


@lru_cache(maxsize=256)
def _topics(raw: str) -> tuple[bool, int | None]:
    """Return whether a prompt is about words, and where the text that it hands over starts."""
    break_ = _LINE_BREAK.search(raw)
    words = set(_words(raw))
    task = set(_words(raw[: break_.start()] if break_ else raw))
    over = break_.start() if break_ and task & word_set("text_tasks.txt") else None
    return bool(words & word_set("word_topics.txt")), over


def _words(raw: str) -> Iterator[str]:
    return (match.group().lower() for match in re.finditer(r"[^\W\d_]+", raw))
