"""The search for texts that are the same or nearly: within a collection, or of one in another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.audit import minhash
from harness.audit.contain import contained
from harness.audit.corpus import Corpus
from harness.audit.similar import CorpusPair, NearPairs, Pairs, decide, embedded_pairs
from harness.text.embedding import Embed


class Lookup(NamedTuple):
    """The places of the keys of one corpus in another.

    Attributes:
        places: For each key the rows of the other corpus with their similarity, the closest first.
        equal: For each key whether those rows say the same; else they are near-duplicates.
        search: The near-duplicates of the keys that are not equal to any.
    """

    places: list[list[tuple[int, float]]]
    equal: list[bool]
    search: NearPairs

    @property
    def unchecked(self) -> set[int]:
        """Return the keys without a place, of which an alike pair is undecided."""
        return {key for _, key in self.search.undecided if not self.places[key]}


def near_pairs(
    left: Corpus,
    right: Corpus | None = None,
    *,
    only: Sequence[int] | None = None,
    embed: Embed | None = None,
) -> NearPairs:
    """Find pairs of keys that are near-duplicates; keys that say the same are not among them.

    Args:
        left: One collection.
        right: Another, read by the same templates; None for pairs within ``left``, each once with
            ``left < right``.
        only: Numbers of the keys of ``right`` to look at; all by default.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Raises:
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    if right is None:
        other, numbers = left, np.arange(len(left.keys))
        candidates = minhash.candidates(left.signatures)
        inside = contained(left.cores, left.cores)
        whole = {(min(pair), max(pair)): left.unwrapped[pair[0]] for pair in inside.pairs}
        skipped = inside.skipped
    else:
        # Only what is asked about gets a signature: the rest may be most of the collection.
        other = right
        numbers = np.arange(len(right.keys)) if only is None else np.asarray(only, dtype=np.int64)
        if not len(numbers) or not left.keys:
            return NearPairs([], [], 0, 0)
        cores = [right.cores[number] for number in numbers]
        candidates = minhash.candidates(left.signatures, minhash.signatures(cores))
        in_right, in_left = contained(left.cores, cores), contained(cores, left.cores)
        whole = {(i, int(numbers[j])): left.unwrapped[i] for i, j in in_right.pairs}
        whole |= {(j, int(numbers[i])): right.unwrapped[numbers[i]] for i, j in in_left.pairs}
        skipped = in_right.skipped + in_left.skipped
    pairs = Pairs(candidates.left, numbers[candidates.right], candidates.jaccard)
    # What a text has lost as its template must not be what the other has around it instead.
    bare = sorted(pair for pair, inner in whole.items() if not inner.start and not inner.end)
    limit = embedded_pairs(len(numbers))
    decided = decide(CorpusPair(left, other), pairs, whole=bare, limit=limit, embed=embed)
    return decided._replace(crowded=candidates.crowded + skipped)


def look_up(right: Corpus, left: Corpus, *, embed: Embed | None = None) -> Lookup:
    """Find every key of ``right`` in ``left``; equal ones are not searched further.

    Raises:
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    same = [right.equal_in(left, number) for number in range(len(right.keys))]
    missing = [number for number, keys in enumerate(same) if not keys]
    search = near_pairs(left, right, only=missing, embed=embed)
    places: list[list[tuple[int, float]]] = [
        [(row, 1.0) for key in keys for row in left.rows_of[key]] for keys in same
    ]
    for pair in sorted(search.pairs, key=lambda pair: (-pair.similarity, pair.left)):
        places[pair.right] += [(row, pair.similarity) for row in left.rows_of[pair.left]]
    return Lookup(places, [bool(keys) for keys in same], search)
