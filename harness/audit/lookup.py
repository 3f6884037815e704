"""Where the texts of one collection stand in another: as they are, or nearly."""

from __future__ import annotations

from typing import NamedTuple

from harness.audit.corpus import Corpus
from harness.audit.similar import NearPairs, near_pairs
from harness.text.embedding import Embed


class Lookup(NamedTuple):
    """Where the keys of one corpus stand in another.

    Attributes:
        places: For each key the rows of the other corpus with their similarity, the closest first.
        equal: For each key whether those rows say the same; else they are near-duplicates.
        search: The near-duplicates of the keys that do not stand there as they are.
    """

    places: list[list[tuple[int, float]]]
    equal: list[bool]
    search: NearPairs

    @property
    def unchecked(self) -> set[int]:
        """Keys that were not found, and of which an alike pair is undecided."""
        return {key for _, key in self.search.undecided if not self.places[key]}


def look_up(right: Corpus, left: Corpus, *, embed: Embed | None = None) -> Lookup:
    """Find every key of ``right`` in ``left``; what stands there as it is is not searched further.

    Raises:
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    same = [right.equal_in(left, number) for number in range(len(right.keys))]
    missing = [number for number, found in enumerate(same) if not found]
    search = near_pairs(left, right, only=missing, embed=embed)
    places: list[list[tuple[int, float]]] = [
        [(row, 1.0) for key in keys for row in left.rows_of[key]] for keys in same
    ]
    for pair in sorted(search.pairs, key=lambda pair: (-pair.similarity, pair.left)):
        places[pair.right] += [(row, pair.similarity) for row in left.rows_of[pair.left]]
    return Lookup(places, [bool(keys) for keys in same], search)
