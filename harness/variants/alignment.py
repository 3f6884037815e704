"""Words of a passage before and after its edits, and which of them are the same.

A word outside every edit is *kept*. One inside an edit was *moved* if the same word comes back in
another edit of the passage, as when two clauses change places; else it was *removed* or *added*.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Any, NamedTuple

from harness.records import Edit
from harness.variants.checks import Passage


class Word(NamedTuple):
    """One token of a passage; positions and heads count within the passage.

    Attributes:
        head: Position of its head; its own if it is a root or its head lies elsewhere.
    """

    text: str
    lower: str
    lemma: str
    pos: str
    tag: str
    dep: str
    head: int
    start: int

    @property
    def end(self) -> int:
        """Return the offset after its last character."""
        return self.start + len(self.text)


@dataclass(frozen=True)
class Alignment:
    """One passage as words before and after.

    Attributes:
        kept: Pairs of positions, before and after, of words outside the edits.
        moved: The same of words that an edit takes from one place to another.
        removed: Positions before without a counterpart.
        added: Positions after without one.
        sites: Of each edit, the positions that it takes away and those that it puts in.
    """

    before: tuple[Word, ...]
    after: tuple[Word, ...]
    kept: tuple[tuple[int, int], ...]
    moved: tuple[tuple[int, int], ...]
    removed: tuple[int, ...]
    added: tuple[int, ...]
    sites: tuple[tuple[tuple[int, ...], tuple[int, ...]], ...]

    @cached_property
    def image(self) -> dict[int, int]:
        """Map positions before to positions after."""
        return dict((*self.kept, *self.moved))


def words_of(tokens: Iterable[Any], places: Sequence[tuple[int, int]]) -> tuple[Word, ...]:
    """Return spaCy tokens as words, without white space.

    Args:
        tokens: Tokens of one parse.
        places: The parts that count: where each starts in the parse and in the passage; the first
            is ``(start, 0)``. Tokens before the first part are not given.
    """
    kept = [token for token in tokens if not token.is_space]
    positions = {token.i: at for at, token in enumerate(kept)}
    words, part = [], 0
    for at, token in enumerate(kept):
        while part + 1 < len(places) and token.idx >= places[part + 1][0]:
            part += 1
        words.append(
            Word(
                token.text,
                token.lower_,
                token.lemma_.lower(),
                token.pos_,
                token.tag_,
                token.dep_,
                positions.get(token.head.i, at),
                token.idx - places[part][0] + places[part][1],
            )
        )
    return tuple(words)


def align(passage: Passage, doc: Any) -> Alignment:
    """Align a passage with the parse of its text after the edits."""
    starts, at = [], 0
    for (start, _), (old, _) in zip(passage.spans, passage.pairs, strict=True):
        starts.append((start, at))
        at += len(old) + 1
    tokens = (
        token
        for start, end in passage.spans
        for token in passage.text.doc.char_span(start, end, alignment_mode="expand") or ()
    )
    return aligned(words_of(tokens, starts), words_of(doc, [(0, 0)]), _edits(passage, starts))


def _edits(passage: Passage, starts: Sequence[tuple[int, int]]) -> list[Edit]:
    """Return the edits by offset in the joined passage."""
    shifted = []
    for edit in passage.edits:
        start, at = max(place for place in starts if place[0] <= edit.start)
        shifted.append(
            Edit(start=edit.start - start + at, end=edit.end - start + at, text=edit.text)
        )
    return shifted


def aligned(before: tuple[Word, ...], after: tuple[Word, ...], edits: Sequence[Edit]) -> Alignment:
    """Align words before and after ``edits``, which are sorted by position."""
    places = {word.start: at for at, word in enumerate(after)}
    kept: list[tuple[int, int]] = []
    used: set[int] = set()
    for at, word in enumerate(before):
        shift = _shift(word, edits)
        twin = None if shift is None else places.get(word.start + shift)
        if twin is not None and after[twin].lower == word.lower:
            kept.append((at, twin))
            used.add(twin)
    stays = {at for at, _ in kept}
    one = [at for at in range(len(before)) if at not in stays]
    two = [at for at in range(len(after)) if at not in used]
    moved = _moved(before, after, one, two)
    gone, come = {b for b, _ in moved}, {a for _, a in moved}
    return Alignment(
        before,
        after,
        tuple(kept),
        tuple(moved),
        tuple(at for at in one if at not in gone),
        tuple(at for at in two if at not in come),
        tuple(_sites(before, after, edits)),
    )


def _shift(word: Word, edits: Sequence[Edit]) -> int | None:
    """Return how far edits move a word, None if an edit touches it."""
    shift = 0
    for edit in edits:
        if edit.start < word.end and word.start < edit.end:
            return None
        if edit.end <= word.start:
            shift += len(edit.text) - (edit.end - edit.start)
    return shift


def _moved(
    before: Sequence[Word], after: Sequence[Word], one: Sequence[int], two: Sequence[int]
) -> list[tuple[int, int]]:
    """Pair equal words, the longest equal run first."""
    pairs: list[tuple[int, int]] = []
    one, two = list(one), list(two)
    while one and two:
        matcher = SequenceMatcher(
            None, [before[i].lower for i in one], [after[i].lower for i in two], autojunk=False
        )
        block = matcher.find_longest_match()
        if not block.size:
            break
        olds, news = slice(block.a, block.a + block.size), slice(block.b, block.b + block.size)
        pairs += zip(one[olds], two[news], strict=True)
        del one[olds], two[news]
    return sorted(pairs)


def _sites(
    before: Sequence[Word], after: Sequence[Word], edits: Sequence[Edit]
) -> Iterable[tuple[tuple[int, ...], tuple[int, ...]]]:
    shift = 0
    for edit in edits:
        start = edit.start + shift
        shift += len(edit.text) - (edit.end - edit.start)
        yield _within(before, edit.start, edit.end), _within(after, start, edit.end + shift)


def _within(words: Sequence[Word], start: int, end: int) -> tuple[int, ...]:
    return tuple(at for at, word in enumerate(words) if word.start < end and start < word.end)
