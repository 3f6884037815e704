"""Explicit checks of the gate, on the sentences that edits touch, before and after."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from harness.protocols import Limits
from harness.records import Edit
from harness.text.edits import apply_edits
from harness.text.lexicon import lexicon_lines, word_set
from harness.text.roles import role_structure, roles_consistent

if TYPE_CHECKING:
    from harness.text.parse import Text

ALWAYS_ALLOWED_WORDS = 3
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_BREAK = re.compile(r"\r\n|\n|\r")
_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
_NOT = re.compile(r"(?<=\w)n['’]t\b", re.IGNORECASE)


class Passage:
    """The sentences that edits touch, before and after, with the counts that checks compare."""

    def __init__(self, text: Text, edits: Sequence[Edit]) -> None:
        self.text = text
        self.edits = edits
        self.spans = tuple(_touched(text, edits))
        self.pairs = tuple(_rewritten(text.raw, self.spans, edits))
        self.before = "\n".join(b for b, _ in self.pairs)
        self.after = "\n".join(a for _, a in self.pairs)

    @cached_property
    def words_before(self) -> list[str]:
        """Return the words of the touched sentences, in small letters."""
        return [w.lower().replace("’", "'") for w in _WORD.findall(self.before)]

    @cached_property
    def words_after(self) -> list[str]:
        """Return the words of the same passages after the edits, in small letters."""
        return [w.lower().replace("’", "'") for w in _WORD.findall(self.after)]


Check = Callable[[Passage, Limits], str | None]


def _lines(passage: Passage, limits: Limits) -> str | None:
    if _BREAK.findall(passage.before) != _BREAK.findall(passage.after):
        return "line breaks differ"
    return None


def _protected(passage: Passage, limits: Limits) -> str | None:
    """Require code, URLs and quotations as often as before, letter for letter."""
    for start, end, kind in passage.text.protected:
        if kind in ("code", "url", "quote") and any(
            s < end and start < e for s, e in passage.spans
        ):
            piece = passage.text.raw[start:end].strip()
            if passage.before.count(piece) != passage.after.count(piece):
                return f"{kind} {piece[:30]!r} changed"
    return None


def _numbers(passage: Passage, limits: Limits) -> str | None:
    if Counter(_DIGITS.findall(passage.before)) != Counter(_DIGITS.findall(passage.after)):
        return "digits changed"
    return _same_counts(passage, word_set("numbers.txt"), "number word")


def _negations(passage: Passage, limits: Limits) -> str | None:
    before, after = _denials(passage.words_before), _denials(passage.words_after)
    return None if before == after else f"{before} negations became {after}"


def _names(passage: Passage, limits: Limits) -> str | None:
    flags = re.IGNORECASE if "case" in limits.exempt else 0
    raw = passage.text.raw
    names = {
        raw[start:end]
        for start, end in passage.text.names
        if any(s < end and start < e for s, e in passage.spans)
    }
    for name in sorted(names):
        pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", flags)
        if len(pattern.findall(passage.before)) != len(pattern.findall(passage.after)):
            return f"name {name!r} changed"
    return None


def _pronouns(passage: Passage, limits: Limits) -> str | None:
    return _same_counts(passage, word_set("pronouns.txt"), "pronoun")


def _roles(passage: Passage, limits: Limits) -> str | None:
    before, after = role_structure(passage.before), role_structure(passage.after)
    if Counter(before) != Counter(after):
        changed = (Counter(before) - Counter(after)) or (Counter(after) - Counter(before))
        return f"role {next(iter(changed))!r} changed"
    return None


def role_exchange(passage: Passage, limits: Limits) -> str | None:
    """Require that roles are exchanged one for one, over the whole prompt, with the same gender."""
    raw = passage.text.raw
    return roles_consistent(raw, apply_edits(raw, passage.edits))


def _terms(passage: Passage, limits: Limits) -> str | None:
    spellings = _frozen_terms()
    before = Counter(spellings[w] for w in passage.words_before if w in spellings)
    after = Counter(spellings[w] for w in passage.words_after if w in spellings)
    if before != after:
        return f"term {next(iter((before - after) or (after - before)))!r} changed"
    return None


def _same_words(passage: Passage, limits: Limits) -> str | None:
    if limits.same_words and Counter(passage.words_before) != Counter(passage.words_after):
        return "words were added or lost"
    return None


CHECKS: Mapping[str, Check] = {
    "lines": _lines,
    "protected": _protected,
    "numbers": _numbers,
    "negations": _negations,
    "names": _names,
    "pronouns": _pronouns,
    "roles": _roles,
    "terms": _terms,
    "words": _same_words,
}


def too_much(passage: Passage, limits: Limits, severity: str) -> str | None:
    """Return why more words change than ``severity`` allows, or None."""
    if limits.same_words:
        return None
    raw = passage.text.raw
    changed = sum(_words_changed(raw[e.start : e.end], e.text) for e in passage.edits)
    total = len(passage.text.words)
    share = limits.words.get(severity, max(limits.words.values()))
    allowed = max(ALWAYS_ALLOWED_WORDS, share * total)
    if changed > allowed:
        return f"{changed} of {total} words changed, more than {severity} allows"
    return None


def _words_changed(before: str, after: str) -> int:
    """Count the words that one edit removes or adds; words that it repeats do not count."""
    old, new = Counter(_WORD.findall(before.lower())), Counter(_WORD.findall(after.lower()))
    return max((old - new).total(), (new - old).total())


def _same_counts(passage: Passage, words: frozenset[str], noun: str) -> str | None:
    before = Counter(p for w in passage.words_before for p in w.split("'")[:1] if p in words)
    after = Counter(p for w in passage.words_after for p in w.split("'")[:1] if p in words)
    if before == after:
        return None
    return f"{noun} {next(iter((before - after) or (after - before)))!r} changed"


def _denials(words: Sequence[str]) -> int:
    listed = word_set("negations.txt")
    return sum(w in listed or bool(_NOT.search(w)) for w in words)


@lru_cache(maxsize=1)
def _frozen_terms() -> dict[str, str]:
    """Map each spelling to its term."""
    return {w: line.split()[0] for line in lexicon_lines("frozen.txt") for w in line.split()}


def _touched(text: Text, edits: Sequence[Edit]) -> Iterable[tuple[int, int]]:
    """Yield the spans of touched sentences, neighbours joined; text between sentences apart."""
    spans: list[tuple[int, int]] = []
    sentences = text.sentences
    at = 0
    for edit in edits:
        start, end = edit.start, edit.end
        while at < len(sentences) and sentences[at].end < edit.start:
            at += 1
        i = at
        while i < len(sentences) and sentences[i].start <= edit.end:
            start, end = min(start, sentences[i].start), max(end, sentences[i].end)
            i += 1
        if spans and start <= spans[-1][1] + 1:
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]))
        else:
            spans.append((start, end))
    return spans


def _rewritten(
    raw: str, spans: Sequence[tuple[int, int]], edits: Sequence[Edit]
) -> Iterable[tuple[str, str]]:
    for start, end in spans:
        inside = [
            Edit(start=e.start - start, end=e.end - start, text=e.text)
            for e in edits
            if start <= e.start and e.end <= end
        ]
        yield raw[start:end], apply_edits(raw[start:end], inside)
