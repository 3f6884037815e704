"""Edits by character span: applies them, and finds them between two texts."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence

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
    head = 0
    old, new = _PIECE.findall(before), _PIECE.findall(after)
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    start = sum(map(len, old[:head]))
    return tuple(_differences(middle_old, middle_new, start))


def _differences(old: list[str], new: list[str], start: int) -> Iterator[Edit]:
    if not old and not new:
        return
    if len(old) + len(new) > _MOST_PIECES:
        yield Edit(start=start, end=start + sum(map(len, old)), text="".join(new))
        return
    offsets = [start]
    for piece in old:
        offsets.append(offsets[-1] + len(piece))
    matcher = difflib.SequenceMatcher(None, old, new, autojunk=False)
    for tag, i, j, k, m in matcher.get_opcodes():
        if tag != "equal":
            yield Edit(start=offsets[i], end=offsets[j], text="".join(new[k:m]))
