"""Candidate near-duplicates at any size: MinHash over character shingles, and banded hashing.

Made in numpy, a block of texts at a time: ``datasketch.MinHash.update_batch`` takes one text at a
time, and its ``MinHashLSH`` holds one Python set per bucket (see tests/benchmarks/bench_audit.py).

Sources: Broder 1997, "On the resemblance and containment of documents" (MinHash); Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", ch. 3 (banding); Thorup 2015, "High speed
hashing for integers and strings" (multiply-shift).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.util.digest import derived_seed

Signatures: TypeAlias = NDArray[np.uint32]
Indices: TypeAlias = NDArray[np.int64]

BANDS = 48
ROWS = 4
"""A pair of texts with Jaccard similarity s is a candidate with probability 1 - (1 - s**4)**48:
0.955 at 0.5, 0.9987 at 0.6, 0.99999 at 0.7, and 0.0003 at 0.05, where unrelated texts lie."""

PERMUTATIONS = BANDS * ROWS

SHINGLE = 5
"""Characters a shingle. Editing 10 % of the words leaves a Jaccard similarity of about 0.7."""

DENSE_SHINGLE = 3
"""Characters a shingle where most of them stand for a syllable or a word (Chinese, Japanese)."""

LEAST_JACCARD = 0.3
"""Candidates estimated below this are dropped: two texts with 80 % of their characters in common,
in order, hardly ever lie there."""

CROWDED = 100_000
"""Pairs in one bucket of one band from which it is passed over: what so many distinct texts have
in common is a wording that they share, and the duplicates among them meet in other bands too."""

_BLOCK = 1 << 15
_PAIRS_AT_ONCE = 1 << 16
_DENSE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")


class Candidates(NamedTuple):
    """Pairs worth a closer look.

    Attributes:
        left, right: Row numbers, shape (m,).
        jaccard: Estimated similarity of the shingle sets, shape (m,); standard error up to 0.036.
        crowded: Buckets passed over, see ``CROWDED``.
    """

    left: Indices
    right: Indices
    jaccard: NDArray[np.float32]
    crowded: int


def signatures(texts: Sequence[str]) -> Signatures:
    """Compute MinHash signatures of texts, none of them empty; shape ``(texts, PERMUTATIONS)``.

    The share of columns in which two rows agree estimates the Jaccard similarity of the two texts'
    shingle sets.
    """
    result = np.empty((len(texts), PERMUTATIONS), dtype=np.uint32)
    # Texts of the two kinds share no shingle.
    dense = [not text.isascii() and 2 * len(_DENSE.findall(text)) > len(text) for text in texts]
    for width, wanted in ((SHINGLE, False), (DENSE_SHINGLE, True)):
        rows = [row for row, is_dense in enumerate(dense) if is_dense is wanted]
        for block in _blocks(rows, texts):
            hashes, starts = _shingle_hashes([texts[row] for row in block], width)
            result[block] = _minima(hashes, starts)
    return result


def candidates(left: Signatures, right: Signatures | None = None) -> Candidates:
    """Find pairs that agree in a band and whose estimated similarity is worth a look.

    Without ``right`` these are pairs within ``left``, each once with ``left < right``.
    """
    byte_left = left.astype(np.uint8)
    byte_right = byte_left if right is None else right.astype(np.uint8)
    width = len(left) if right is None else len(right)
    codes: list[Indices] = []
    held, crowded = 0, 0
    for band in range(BANDS):
        keys = _band_keys(left, band)
        if right is None:
            meetings, skipped = _meetings_within(keys)
        else:
            meetings, skipped = _meetings_between(keys, _band_keys(right, band))
        crowded += skipped
        for a, b in meetings:
            alike = _estimate(byte_left[a], byte_right[b]) >= LEAST_JACCARD
            codes.append(a[alike] * width + b[alike])
            held += int(alike.sum())
        if held > 4_000_000:  # the same pairs meet in many bands
            codes = [np.unique(np.concatenate(codes))]
            held = len(codes[0])
    pairs = np.unique(np.concatenate(codes)) if codes else np.empty(0, dtype=np.int64)
    a, b = pairs // max(width, 1), pairs % max(width, 1)
    jaccard = np.empty(len(a), dtype=np.float32)
    for start in range(0, len(a), _PAIRS_AT_ONCE):
        part = slice(start, start + _PAIRS_AT_ONCE)
        jaccard[part] = _estimate(byte_left[a[part]], byte_right[b[part]])
    return Candidates(a, b, jaccard, crowded)


def _blocks(rows: list[int], texts: Sequence[str]) -> Iterator[list[int]]:
    """Yield rows in blocks whose shingles stay in the processor's cache."""
    block: list[int] = []
    size = 0
    for row in rows:
        block.append(row)
        size += len(texts[row])
        if size >= _BLOCK:
            yield block
            block, size = [], 0
    if block:
        yield block


def _shingle_hashes(texts: list[str], width: int) -> tuple[NDArray[np.uint32], Indices]:
    """Hash all shingles of all texts, one text after the other; return where each text starts."""
    padded = [text if len(text) >= width else text.ljust(width) for text in texts]
    points = np.frombuffer("".join(padded).encode("utf-32-le"), dtype=np.uint32)
    lengths = np.array([len(text) for text in padded], dtype=np.int64)
    hashes = np.zeros(len(points) - width + 1, dtype=np.uint64)
    for offset in range(width):
        hashes *= np.uint64(0x100000001B3)
        hashes += points[offset : offset + len(hashes)]
    # The finaliser of splitmix64, so that the upper half depends on every character.
    hashes ^= hashes >> np.uint64(30)
    hashes *= np.uint64(0xBF58476D1CE4E5B9)
    hashes ^= hashes >> np.uint64(27)
    hashes *= np.uint64(0x94D049BB133111EB)
    counts = lengths - width + 1
    ends = np.cumsum(lengths)
    inside = np.ones(len(hashes), dtype=np.bool_)
    for end in ends[:-1]:
        inside[end - width + 1 : end] = False  # these would reach into the next text
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    return (hashes[inside] >> np.uint64(32)).astype(np.uint32), starts


def _minima(hashes: NDArray[np.uint32], starts: Indices) -> Signatures:
    """Return the least hash of each text under each permutation, shape (texts, PERMUTATIONS)."""
    result = np.empty((len(starts), PERMUTATIONS), dtype=np.uint32)
    mixed = np.empty_like(hashes)
    for column in range(PERMUTATIONS):
        np.multiply(hashes, _FACTORS[column], out=mixed)
        np.add(mixed, _OFFSETS[column], out=mixed)
        result[:, column] = np.minimum.reduceat(mixed, starts)
    return result


_STREAM = np.random.Generator(np.random.PCG64(derived_seed(0, "minhash")))
_FACTORS, _OFFSETS = _STREAM.integers(0, 1 << 32, size=(2, PERMUTATIONS), dtype=np.uint32)
_FACTORS |= np.uint32(1)


def _band_keys(signatures: Signatures, band: int) -> NDArray[np.uint64]:
    """Hash the ROWS columns of a band to one number a text."""
    key = np.zeros(len(signatures), dtype=np.uint64)
    for column in range(band * ROWS, (band + 1) * ROWS):
        key = (key ^ signatures[:, column]) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(32)
    return key


_Meetings: TypeAlias = Iterator[tuple[Indices, Indices]]


def _meetings_within(keys: NDArray[np.uint64]) -> tuple[_Meetings, int]:
    order = np.argsort(keys, kind="stable")
    sorted_keys = keys[order]
    ends = np.searchsorted(sorted_keys, sorted_keys, side="right")
    firsts = np.searchsorted(sorted_keys, sorted_keys, side="left")
    run = ends - firsts
    crowded = run * (run - 1) // 2 > CROWDED
    items = np.arange(len(keys))
    last = np.where(crowded, items + 1, ends)
    buckets = len(np.unique(firsts[crowded]))
    return ((order[a], order[b]) for a, b in _expand(items, items + 1, last)), buckets


def _meetings_between(left: NDArray[np.uint64], right: NDArray[np.uint64]) -> tuple[_Meetings, int]:
    order = np.argsort(left, kind="stable")
    sorted_left, sorted_right = left[order], np.sort(right)
    first = np.searchsorted(sorted_left, right, side="left")
    last = np.searchsorted(sorted_left, right, side="right")
    same_right = np.searchsorted(sorted_right, right, side="right") - np.searchsorted(
        sorted_right, right, side="left"
    )
    crowded = (last - first) * same_right > CROWDED
    buckets = len(np.unique(first[crowded]))
    last = np.where(crowded, first, last)
    return ((order[b], a) for a, b in _expand(np.arange(len(right)), first, last)), buckets


def _expand(items: Indices, first: Indices, last: Indices) -> _Meetings:
    """Pair ``items[i]`` with every number in ``first[i]..last[i] - 1``, in bounded pieces."""
    busy = np.flatnonzero(last > first)
    items, first, counts = items[busy], first[busy], (last - first)[busy]
    ends = np.cumsum(counts)
    start = 0
    while start < len(items):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
        part = counts[start:stop]
        within = np.arange(part.sum()) - np.repeat(np.cumsum(part) - part, part)
        yield np.repeat(items[start:stop], part), np.repeat(first[start:stop], part) + within
        start = stop


def _estimate(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Estimate the share of equal columns by their low bytes (Li and König 2010, b-bit hashing).

    Two different minima have the same low byte once in 256 times; the estimate is corrected for it.
    """
    agree: NDArray[np.float32] = (a == b).mean(axis=1, dtype=np.float32)
    corrected: NDArray[np.float32] = (agree * np.float32(256) - 1) / np.float32(255)
    return corrected.clip(0)
