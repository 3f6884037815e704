"""Texts that are contained as a whole in others, as a training prompt in somebody's wrapper."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

LEAST_WORDS = 12
"""Of the inner text: shorter ones ("What should I do?") occur in others by chance."""

LEAST_SHARE = 1 / 3
"""Words of the outer text that the inner one makes up, at least: the rest is a wrapper and not a
question of its places. The Alpaca wrapper has 20 words."""

COMMON = 50
"""Inner texts with the same ``LEAST_WORDS`` words, from which these say too little to look them up."""

_WORDS_AT_ONCE = 1 << 20


class Contained(NamedTuple):
    """Pairs of texts of which one contains the other.

    Attributes:
        pairs: (inner, outer) by number; never a text with its equal.
        skipped: Inner texts that were not looked up, see ``COMMON``.
    """

    pairs: list[tuple[int, int]]
    skipped: int


def contained(inner: Sequence[str], outer: Sequence[str]) -> Contained:
    """Look up all inner texts in all outer ones, whole word by whole word."""
    anchors, skipped = _anchors(inner)
    wanted = np.array(sorted(anchors), dtype=np.uint64)
    pairs: set[tuple[int, int]] = set()
    for block in _blocks(outer):
        for place in np.flatnonzero(np.isin(block.runs, wanted)).tolist():
            at = int(np.searchsorted(block.starts, place, side="right")) - 1
            begin, end = int(block.starts[at]), int(block.starts[at + 1])
            for number, offset, needle in anchors[int(block.runs[place])]:
                first = place - offset
                inside = begin <= first and first + len(needle) <= end
                if (
                    inside
                    and end - begin > len(needle) >= LEAST_SHARE * (end - begin)
                    and block.words[first : first + len(needle)] == needle
                ):
                    pairs.add((number, block.first + at))
    return Contained(sorted(pairs), skipped)


def _anchors(inner: Sequence[str]) -> tuple[dict[int, list[tuple[int, int, list[str]]]], int]:
    """Map the hash of each inner text's rarest run to its number, the run's offset and all words."""
    runs: list[tuple[int, list[str], dict[int, int]]] = []
    often: Counter[int] = Counter()
    for block in _blocks(inner):
        for at in range(len(block.starts) - 1):
            begin, end = int(block.starts[at]), int(block.starts[at + 1])
            last = end - begin - LEAST_WORDS
            if last < 0:
                continue
            # Three are enough to get clear of a wrapper at either end.
            places = {int(block.runs[begin + place]): place for place in (last, last // 2, 0)}
            often.update(places.keys())
            runs.append((block.first + at, block.words[begin:end], places))
    anchors: dict[int, list[tuple[int, int, list[str]]]] = defaultdict(list)
    skipped = 0
    for number, words, places in runs:
        rarest = min(places, key=lambda run: (often[run], places[run]))
        if often[rarest] > COMMON:
            skipped += 1
        else:
            anchors[rarest].append((number, places[rarest], words))
    return dict(anchors), skipped


class _Block(NamedTuple):
    """The words of many texts in a row.

    Attributes:
        first: Number of the first text.
        starts: Where each text begins, and where the last one ends.
        words: All of them.
        runs: A hash of every ``LEAST_WORDS`` words; those that reach into the next text mean nothing.
    """

    first: int
    starts: NDArray[np.int64]
    words: list[str]
    runs: NDArray[np.uint64]


def _blocks(texts: Sequence[str]) -> Iterator[_Block]:
    first, words, starts = 0, list[str](), [0]
    for number, text in enumerate(texts, 1):
        words += text.split()
        starts.append(len(words))
        if len(words) >= _WORDS_AT_ONCE or number == len(texts):
            yield _Block(first, np.array(starts, dtype=np.int64), words, _run_hashes(words))
            first, words, starts = number, [], [0]


def _run_hashes(words: Sequence[str]) -> NDArray[np.uint64]:
    """Hash every run of ``LEAST_WORDS`` words; a hash holds within one process only."""
    codes = np.fromiter((hash(word) for word in words), dtype=np.int64, count=len(words))
    count = max(len(words) - LEAST_WORDS + 1, 0)
    result = np.zeros(count, dtype=np.uint64)
    for offset in range(LEAST_WORDS):
        result *= np.uint64(0x9E3779B97F4A7C15)
        result += codes.view(np.uint64)[offset : offset + count]
    return result
