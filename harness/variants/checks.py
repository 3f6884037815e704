"""Explicit checks of the gate, on the sentences that edits touch, before and after."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property, lru_cache

from harness.protocols import Limits
from harness.records import Edit
from harness.text.edits import apply_edits, find_edits
from harness.text.lexicon import lexicon_lines, word_set
from harness.text.parse import Text
from harness.text.roles import role_structure, roles_consistent

ALWAYS_ALLOWED_WORDS = 3
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
_BREAK = re.compile(r"\r\n|\n|\r")
_DIGITS = re.compile(r"\d+(?:[.,:]\d+)*")
_CONTENT = re.compile(r"[^\W_]|[^\w\s.,;:!?'\"’“”()\-–—…]")
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
        return _words(self.before)

    @cached_property
    def words_after(self) -> list[str]:
        """Return the words of the same passages after the edits, in small letters."""
        return _words(self.after)

    @cached_property
    def smallest_edits(self) -> tuple[Edit, ...]:
        """Return the edits without what they repeat: one may span far more than it changes."""
        return tuple(
            Edit(start=edit.start + e.start, end=edit.start + e.end, text=e.text)
            for edit in self.edits
            for e in find_edits(self.text.raw[edit.start : edit.end], edit.text)
        )

    def adds(self, old: str, new: str) -> bool:
        """Return whether an edit keeps the words that were there and adds others, or a sign.

        Words that another edit takes away from the same sentences are moved, not added.
        """
        before, after = Counter(_words(old)), Counter(_words(new))
        moved = Counter(self.words_before) - self._words_left
        words = not before - after and bool(after - before - moved)
        signs = set(_CONTENT.findall(_WORD.sub("", new))) - set(_CONTENT.findall(self.before))
        return words or bool(signs)

    @property
    def loses_a_sentence(self) -> bool:
        """Return whether an edit puts nothing in the place of a whole sentence."""
        removed = [e for e in self.smallest_edits if not _WORD.search(e.text)]
        words = [[w.span() for w in _WORD.finditer(self.text.raw, *s)] for s in self.text.sentences]
        return any(
            spans and e.start <= spans[0][0] and spans[-1][1] <= e.end
            for e in removed
            for spans in words
        )

    @cached_property
    def _words_left(self) -> Counter[str]:
        """Count the words of the sentences that no edit removes."""
        removed = (self.text.raw[e.start : e.end] for e in self.smallest_edits)
        return Counter(self.words_before) - Counter(w for piece in removed for w in _words(piece))

    def touches(self, start: int, end: int) -> bool:
        """Return whether this span of the prompt lies in one of the sentences."""
        return any(s < end and start < e for s, e in self.spans)


def _words(text: str) -> list[str]:
    return [w.lower().replace("’", "'") for w in _WORD.findall(text)]


Check = Callable[[Passage, Limits], str | None]


def _lines(passage: Passage, limits: Limits) -> str | None:
    if _BREAK.findall(passage.before) != _BREAK.findall(passage.after):
        return "line breaks differ"
    return None


def _protected(passage: Passage, limits: Limits) -> str | None:
    """Require code, URLs and quotations as often as before, letter for letter."""
    for start, end, kind in passage.text.protected:
        if kind in ("code", "url", "quote") and passage.touches(start, end):
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
    for name in sorted({raw[s:e] for s, e in passage.text.names if passage.touches(s, e)}):
        pattern = re.compile(rf"(?<!\w){re.escape(name)}(?!\w)", flags)
        if len(pattern.findall(passage.before)) != len(pattern.findall(passage.after)):
            return f"name {name!r} changed"
    return None


def _pronouns(passage: Passage, limits: Limits) -> str | None:
    return _same_counts(passage, word_set("pronouns.txt"), "pronoun")


def _roles(passage: Passage, limits: Limits) -> str | None:
    return _differing("role", role_structure(passage.before), role_structure(passage.after))


def role_exchange(passage: Passage, limits: Limits) -> str | None:
    """Require that roles are exchanged one for one, over the whole prompt, with the same gender."""
    raw = passage.text.raw
    return roles_consistent(raw, apply_edits(raw, passage.edits))


def _terms(passage: Passage, limits: Limits) -> str | None:
    spellings = _frozen_terms()
    before, after = (
        [spellings[w] for w in words if w in spellings]
        for words in (passage.words_before, passage.words_after)
    )
    return _differing("term", before, after)


def _counted(words: Iterable[str]) -> Counter[str]:
    """Return how often each word comes; which form "a" has hangs on the word behind it."""
    return Counter("a" if word == "an" else word for word in words)


def _same_words(passage: Passage, limits: Limits) -> str | None:
    if limits.same_words and _counted(passage.words_before) != _counted(passage.words_after):
        return "words were added or lost"
    return None


def _danger(passage: Passage, limits: Limits) -> str | None:
    """Require that sentences of danger stand as they stood, and that no words come or go beside them.

    Only where the text has such sentences: kinds that may change them are handed another view of it
    (:meth:`harness.text.parse.Text.without_danger`).
    """
    text = passage.text
    if not text.guarded:
        return None
    if any(text.touches_danger(e.start, e.end) for e in passage.smallest_edits):
        return "a sentence of danger, or one beside it, was touched"
    for edit in passage.smallest_edits:
        at_the_edge = edit.start == 0 or edit.end == len(text.raw)
        if edit.start == edit.end and at_the_edge:
            return "text was added to a prompt with a sentence of danger"
        if passage.adds(text.raw[edit.start : edit.end], edit.text):
            return "text was added to a prompt with a sentence of danger"
    more = len(passage.words_after) - len(passage.words_before)
    if more > ALWAYS_ALLOWED_WORDS:
        return "words were added to a prompt with a sentence of danger"
    if more < -ALWAYS_ALLOWED_WORDS or (more < 0 and passage.loses_a_sentence):
        return "words were taken from a prompt with a sentence of danger"
    return None


def _apart(passage: Passage, limits: Limits) -> str | None:
    """Require that a step of a composition leaves alone what an earlier step changed."""
    if not passage.text.edited:
        return None
    for edit in passage.smallest_edits:
        if any(edit.start < end and start < edit.end for start, end in passage.text.edited) or any(
            edit.start == edit.end and start <= edit.start <= end
            for start, end in passage.text.edited
        ):
            return "changes what an earlier step changed, or the words beside it"
    return None


CHECKS: Mapping[str, Check] = {
    "danger": _danger,
    "apart": _apart,
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
    changed = 0  # words that an edit removes or adds; those that it repeats do not count
    for edit in passage.edits:
        old, new = (
            Counter(_WORD.findall(piece.lower()))
            for piece in (raw[edit.start : edit.end], edit.text)
        )
        changed += max((old - new).total(), (new - old).total())
    total = len(passage.text.words)
    share = limits.words.get(severity, max(limits.words.values()))
    allowed = max(ALWAYS_ALLOWED_WORDS, share * total)
    return (
        f"{changed} of {total} words changed, more than {severity} allows"
        if changed > allowed
        else None
    )


def _same_counts(passage: Passage, words: frozenset[str], noun: str) -> str | None:
    before, after = (
        [stem for w in touched if (stem := w.partition("'")[0]) in words]
        for touched in (passage.words_before, passage.words_after)
    )
    return _differing(noun, before, after)


def _differing(noun: str, before: Iterable[str], after: Iterable[str]) -> str | None:
    """Return the first that does not occur as often after as before, in words, or None."""
    old, new = Counter(before), Counter(after)
    changed = (old - new) or (new - old)
    return f"{noun} {next(iter(changed))!r} changed" if changed else None


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
