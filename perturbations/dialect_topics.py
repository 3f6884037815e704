"""What a prompt is about, as far as another dialect would change it or sound wrong in it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

from harness.records import Edit
from harness.text.parse import Text
from perturbations.common import lexicon_lines, word_set
from perturbations.dialect_spelling import Direction, other_spelling
from perturbations.requests.writing import outside_pasted

_AROUND = 100
# What is joined to others by such signs is a path, a model, an address or a tag.
_NAME = re.compile(r"[_@#/\\=]|\w[.:]\w|[a-z][A-Z]|\d-[A-Za-z]|-\w*\d|\w-\w+-\w+-\w")
# Frequent words that no other language in Latin letters writes so.
_ENGLISH = word_set("english_words.txt")


def tied(raw: str) -> bool:
    """Return whether a prompt asks about words themselves, or names what has a fixed spelling."""
    return bool(_any_of("dialect_tied.txt", re.IGNORECASE).search(raw))


def technical(text: Text) -> bool:
    """Return whether a prompt holds or asks for code, styles or markup."""
    return _holds_code(text) or bool(
        _any_of("technical_terms.txt", re.IGNORECASE | re.MULTILINE).search(text.raw)
    )


def institutions_of(raw: str, country: str) -> bool:
    """Return whether a prompt speaks of institutions, places or measures of ``us`` or ``uk``."""
    return bool(_any_of(f"{country}_institutions.txt", re.MULTILINE).search(raw))


def english_at(text: Text, edit: Edit) -> bool:
    """Return whether the passage about an edit is English: "valor" and "humor" are Spanish too."""
    around = text.raw[max(0, edit.start - _AROUND) : edit.end + _AROUND].lower()
    words = re.findall(r"[^\W\d_]+", around)
    return sum(word in _ENGLISH for word in words) >= min(2, len(words) // 8)


def is_talk(text: Text) -> Callable[[Edit], bool]:
    """Return a test of whether an edit changes a word of talk: no part of a name, nothing pasted."""
    outside = outside_pasted(text)

    def talk(edit: Edit) -> bool:
        before = re.search(r"\S*\Z", text.raw[: edit.start])
        behind = re.match(r"\S*", text.raw[edit.end :])
        start = before.start() if before else edit.start
        whole = text.raw[start : edit.end + (behind.end() if behind else 0)]
        return outside(edit.start, edit.end) and not _NAME.search(whole)

    return talk


def stays_behind(
    text: Text, edits: Sequence[Edit], direction: Direction, marks: Iterable[str]
) -> bool:
    """Return whether a word of the other dialect, by spelling or in ``marks``, is left unchanged.

    A text in which one "color" stays and another becomes "colour", or with "colour" beside "Mom's",
    is in no dialect at all. Names of several words keep their spelling and do not count.
    """
    covered = bytearray(len(text.raw))
    for edit in edits:
        covered[edit.start : edit.end] = b"\x01" * (edit.end - edit.start)
    marked = frozenset(marks)
    forms = {token.idx: _forms(token) for token in text.doc}
    for at, (start, end) in enumerate(text.words):
        # "Co-worker's", "color-coded": each part counts.
        for part in re.finditer(r"[^\W\d_]+", text.raw[start:end]):
            word, place = part.group().lower(), start + part.start()
            kept = not forms.get(place, {word}).isdisjoint(marked) or (
                other_spelling(word, direction) and not _in_name(text, at)
            )
            if kept and not any(covered[place : place + len(word)]):
                return True
    # "colorscheme", "color_map": the word lives on in a name that code fixes; or "a candy" stays.
    changed = {text.raw[e.start : e.end].lower() for e in edits}
    by_speech = ("practice", "license", "anymore")  # right as they are in some places
    parts = [
        re.escape(w) if other_spelling(w, direction) else rf"\b{re.escape(w)}s?\b"
        for w in sorted(changed)
        if w.isalpha() and not w.startswith(by_speech)
    ]
    return any(
        not any(covered[match.start() : match.end()])
        for match in re.finditer("|".join(parts), text.raw, re.IGNORECASE)
        if parts
    )


def foreign(text: Text, edits: Sequence[Edit], direction: Direction) -> bool:
    """Return whether usage that is plainly of the dialect left behind stays beside the edits.

    What an edit touches counts as converted: "anymore" where it becomes "any more".
    """
    name = "american_usage.txt" if direction == "us-uk" else "british_usage.txt"
    return any(
        not any(edit.start < mark.end() and mark.start() < edit.end for edit in edits)
        for mark in _any_of(name, re.IGNORECASE).finditer(text.raw)
    )


def _forms(token: Any) -> frozenset[str]:
    """Return how a mark may name a word: as written, its lemma, and either with its part of speech."""
    words = {token.lower_, token.lemma_.lower()}
    return frozenset(words | {f"{word} {token.pos_.lower()}" for word in words})


def _in_name(text: Text, at: int) -> bool:
    """Return whether the word at this place is capitalised, and so is one beside it."""
    capitals = [text.raw[s : s + 1].isupper() for s, _ in text.words[max(0, at - 1) : at + 2]]
    return sum(capitals) >= 2 and text.raw[text.words[at].start].isupper()


def technical_word(text: Text, word: str) -> bool:
    """Return whether an American word is a name in code: anywhere, or beside code or styles."""
    if word.lower() in word_set("technical_words.txt"):
        return True
    near_code = _holds_code(text) or _any_of("style_terms.txt", re.IGNORECASE).search(text.raw)
    return bool(near_code) and word.lower() in word_set("code_words.txt")


def _holds_code(text: Text) -> bool:
    return any(kind == "code" for *_, kind in text.protected)


@cache
def _any_of(name: str, flags: int) -> re.Pattern[str]:
    return re.compile("|".join(lexicon_lines(name)), flags)
