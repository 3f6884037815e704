"""Edits by character span: applies them, and finds them between two texts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate, takewhile

from harness.errors import PluginError
from harness.records import Edit

# Words with their inner apostrophes; runs of white space; single line breaks; single signs.
_PIECE = re.compile(r"\r\n|\n|\r|[^\S\r\n]+|\w+(?:['’]\w+)*|[^\w\s]|_")

# SequenceMatcher is quadratic at worst; above this many pieces one edit spans all that differs.
_MOST_PIECES = 20_000


def apply_edits(raw: str, edits: Sequence[Edit]) -> str:
    """Return the text after ``edits``, given in any order.

    Raises:
        PluginError: An edit lies outside ``raw``, runs backwards, or overlaps another.
    """
    parts: list[str] = []
    at = 0
    for edit in sorted(edits, key=lambda e: (e.start, e.end)):
        if edit.start < at or not edit.start <= edit.end <= len(raw):
            raise PluginError(
                f"edit {edit.start}..{edit.end} overlaps another or lies outside the text"
                f" of {len(raw)} characters"
            )
        parts += raw[at : edit.start], edit.text
        at = edit.end
    return "".join((*parts, raw[at:]))


def normalised(raw: str, edits: Sequence[Edit]) -> tuple[Edit, ...]:
    """Return ``edits`` by position, without those that change nothing."""
    effective = (e for e in edits if raw[e.start : e.end] != e.text)
    return tuple(sorted(effective, key=lambda e: (e.start, e.end)))


def find_edits(before: str, after: str) -> tuple[Edit, ...]:
    """Find the edits that turn ``before`` into ``after``, as small as words and signs allow.

    Words are replaced whole; the text around them is left alone.
    """
    old, new = _PIECE.findall(before), _PIECE.findall(after)
    start = _common(old, new)
    head = sum(map(len, old[:start]))
    del old[:start], new[:start]
    tail = _common(reversed(old), reversed(new))
    return tuple(_differences(old[: len(old) - tail], new[: len(new) - tail], head))


def _common(old: Iterable[str], new: Iterable[str]) -> int:
    """Count the equal pieces that two texts begin with."""
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(old, new, strict=False)))


def _differences(old: list[str], new: list[str], start: int) -> Iterator[Edit]:
    if len(old) + len(new) > _MOST_PIECES:
        yield Edit(start=start, end=start + sum(map(len, old)), text="".join(new))
        return
    offsets = list(accumulate(map(len, old), initial=start))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            yield Edit(start=offsets[i], end=offsets[j], text="".join(new[k:m]))
