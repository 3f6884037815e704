"""The training response that an answer is nearest to: copying from other samples.

Responses are indexed by hashes of their runs of ``RUN`` words, in two sorted arrays. Where there are
more runs than ``MOST_RUNS`` only those with the lowest hashes are kept, of responses and answers
alike, so that memory is bounded and the share of common runs stays an unbiased estimate.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.memorisation.copying import longest_span, words

RUN = 4
MOST_RUNS = 20_000_000
LOOKED_AT = 3
"""Candidates, by runs in common, whose longest copied span is measured."""

Hashes = NDArray[np.uint64]


class Nearest(NamedTuple):
    """One training response and how much of it an answer holds.

    Attributes:
        row: Row of the training data, counted from 0.
        span: Words in the longest run that both have, and that the answer's own texts have not.
        share: Share of the answer's runs of ``RUN`` words that stand in it, in [0, 1].
    """

    row: int
    span: float
    share: float


class ResponseIndex:
    """Training responses, to be asked which of them an answer copies.

    Args:
        responses: One a row; empty ones are never found.
        most_runs: Bound on the runs kept: 12 bytes each.
    """

    def __init__(self, responses: Sequence[str], most_runs: int = MOST_RUNS) -> None:
        self._responses = responses
        self._known: dict[str, int] = {}
        self._bar = np.uint64(2**64 - 1)
        hashes: list[Hashes] = []
        rows: list[NDArray[np.uint32]] = []
        held = 0
        for row, response in enumerate(responses):
            found = self._hashes(response)
            hashes.append(found)
            rows.append(np.full(len(found), row, dtype=np.uint32))
            held += len(found)
            if held > 2 * most_runs:
                hashes, rows = self._thin(hashes, rows, most_runs)
                held = len(hashes[0])
        if held > most_runs:
            hashes, rows = self._thin(hashes, rows, most_runs)
        every = np.concatenate(hashes) if hashes else np.empty(0, dtype=np.uint64)
        order = np.argsort(every, kind="stable")
        self._sorted = every[order]
        self._rows = (np.concatenate(rows) if rows else np.empty(0, dtype=np.uint32))[order]

    def nearest(self, answer: str, own: Sequence[str] = ()) -> Nearest | None:
        """The row with the longest run in common; None where no run of ``RUN`` words is shared.

        Args:
            answer: Any text.
            own: Texts that the answer may repeat: runs that stand in them are left out of account,
                for what is said there need not have been copied from a row that says it too.
        """
        said = words(answer)
        at = self._at_each(said)
        free = ~np.isin(
            at, np.concatenate([self._at_each(words(text)) for text in own] or [at[:0]])
        )
        runs = np.unique(at[at <= self._bar])
        asked = np.unique(at[free & (at <= self._bar)])
        left = np.searchsorted(self._sorted, asked, side="left")
        right = np.searchsorted(self._sorted, asked, side="right")
        hits = [self._rows[a:b] for a, b in zip(left, right, strict=True) if b > a]
        if not hits:
            return None
        rows, counts = np.unique(np.concatenate(hits), return_counts=True)
        best = np.lexsort((rows, -counts))[:LOOKED_AT]
        parts = list(_stretches(said, free))
        found = [
            Nearest(
                int(rows[i]),
                max(longest_span(words(self._responses[int(rows[i])]), part) for part in parts),
                min(1.0, float(counts[i]) / runs.size),
            )
            for i in best
        ]
        return max(found, key=lambda one: (one.span, one.share, -one.row))

    def _hashes(self, text: str) -> Hashes:
        """Hashes of the distinct runs of a text that lie under the bar."""
        found = self._at_each(words(text))
        return np.unique(found[found <= self._bar])

    def _at_each(self, said: Sequence[str]) -> Hashes:
        """The hash of the run that begins at each word."""
        numbers = np.array([self._number(word) for word in said], dtype=np.uint64)
        if len(numbers) < RUN:
            return np.empty(0, dtype=np.uint64)
        mixed = np.zeros(len(numbers) - RUN + 1, dtype=np.uint64)
        for offset in range(RUN):
            mixed *= np.uint64(0x9E3779B97F4A7C15)
            mixed ^= numbers[offset : offset + len(mixed)]
        mixed ^= mixed >> np.uint64(31)
        mixed *= np.uint64(0xBF58476D1CE4E5B9)
        mixed ^= mixed >> np.uint64(29)
        return mixed

    def _number(self, word: str) -> int:
        known = self._known.get(word)
        if known is None:
            raw = hashlib.blake2b(word.encode(), digest_size=8).digest()
            known = self._known[word] = int.from_bytes(raw, "big")
        return known

    def _thin(
        self, hashes: list[Hashes], rows: list[NDArray[np.uint32]], most: int
    ) -> tuple[list[Hashes], list[NDArray[np.uint32]]]:
        every, of = np.concatenate(hashes), np.concatenate(rows)
        self._bar = np.partition(every, most - 1)[most - 1]
        kept = every <= self._bar
        return [every[kept]], [of[kept]]


def _stretches(said: Sequence[str], free: NDArray[np.bool_]) -> Iterator[Sequence[str]]:
    """The parts of a text in which every run of ``RUN`` words is free."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free, [False]]).astype(np.int8)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        yield said[first : last + RUN - 1]
