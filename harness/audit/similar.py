"""Which texts are the same: word for word, after normalisation, or nearly.

A near-duplicate is decided in three steps. MinHash finds candidates at any size. rapidfuzz compares
their normalised texts: the share of characters that the two have in common in order (Indel
similarity, ``2 * LCS / (len(a) + len(b))``). Where that leaves it open, the cosine of their MiniLM
embeddings decides, and the less the letters agree, the more the meaning must:

====================================  ==========================================
at least ``SHORT_WORDS`` words each   near when
====================================  ==========================================
characters >= 0.90                    always
characters 0.80 to 0.90               cosine >= 0.90 - 3 * (characters - 0.80)
characters < 0.80, Jaccard >= 0.70    cosine >= 0.90 (the same sentences reordered)
====================================  ==========================================

A shorter text can change its meaning with one word ("in Python", "in Java"): there, characters
>= 0.80 and cosine >= 0.90 are needed. tests/benchmarks/bench_audit.py measures the rule.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness import embedding
from harness.audit import minhash
from harness.audit.templates import Templates
from harness.data import normalise_prompt

Kind: TypeAlias = Literal["exact", "normalised", "near"]
Embed: TypeAlias = Callable[[Sequence[str]], NDArray[np.float32]]

SURE = 0.90
POSSIBLE = 0.80
REORDERED = 0.70
LEAST_COSINE = 0.90
SLOPE = 3.0
SHORT_WORDS = 12

EMBEDDED_PAIRS = 2_000
"""Open pairs that are embedded, the likeliest first; further ones are counted as undecided."""

_CHUNK = 50_000


class Corpus:
    """Texts with their normalised forms; equal forms are one *key*.

    Args:
        texts: Any number of texts, none of them empty.
        templates: Shared wording that is left out of account.

    Attributes:
        texts: As given.
        keys: The distinct normalised forms, in order of first appearance.
        key_of: For each text the number of its key.
    """

    def __init__(self, texts: Sequence[str], templates: Templates | None = None) -> None:
        self.texts = texts
        strip = (templates or Templates()).strip
        numbers: dict[str, int] = {}
        known: dict[str, int] = {}  # repeats are frequent and normalising is not free
        for text in texts:
            if text not in known:
                known[text] = numbers.setdefault(strip(normalise_prompt(text)), len(numbers))
        self.key_of = [known[text] for text in texts]
        self.keys = list(numbers)

    @cached_property
    def number_of(self) -> dict[str, int]:
        """The number of each key."""
        return {key: number for number, key in enumerate(self.keys)}

    @cached_property
    def rows_of(self) -> list[list[int]]:
        """For each key the rows that have it, in order."""
        rows: list[list[int]] = [[] for _ in self.keys]
        for row, key in enumerate(self.key_of):
            rows[key].append(row)
        return rows

    @cached_property
    def signatures(self) -> minhash.Signatures:
        """Of the keys, in order."""
        return minhash.signatures(self.keys)


class Near(NamedTuple):
    """Two keys that are nearly the same.

    Attributes:
        left: Number of a key.
        right: Number of a key.
        similarity: Share of characters in common, in [0, 1].
        cosine: Of the embeddings, where the characters alone did not decide; else None.
    """

    left: int
    right: int
    similarity: float
    cosine: float | None


class NearPairs(NamedTuple):
    """What a search found, and what it could not look at.

    Attributes:
        pairs: In order of ``left``, then ``right``.
        undecided: Open pairs beyond ``EMBEDDED_PAIRS``; they count as different.
        crowded: See ``minhash.Candidates``.
    """

    pairs: list[Near]
    undecided: int
    crowded: int


def near_pairs(
    left: Corpus,
    right: Corpus | None = None,
    *,
    only: Sequence[int] | None = None,
    embed: Embed | None = None,
) -> NearPairs:
    """Pairs of keys that are near-duplicates; equal keys are not among them.

    Args:
        left: One collection.
        right: Another; None for pairs within ``left``, each once with ``left < right``.
        only: Numbers of the keys of ``right`` to look at; all by default.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Raises:
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    if right is None:
        found = minhash.candidates(left.signatures)
        a, b, other = found.left, found.right, left
    else:
        # Only what is asked about gets a signature: the rest may be most of the collection.
        numbers = np.arange(len(right.keys)) if only is None else np.asarray(only, dtype=np.int64)
        if not len(numbers) or not left.keys:
            return NearPairs([], 0, 0)
        asked = minhash.signatures([right.keys[number] for number in numbers])
        found = minhash.candidates(left.signatures, asked)
        a, b, other = found.left, numbers[found.right], right
    similarity = _similarity(left.keys, other.keys, a, b)
    short = _is_short(left.keys, a) | _is_short(other.keys, b)
    equal = (
        np.zeros(len(a), dtype=np.bool_)
        if right is None
        else np.array([left.keys[i] == right.keys[j] for i, j in zip(a, b, strict=True)], np.bool_)
    )
    sure = (similarity >= SURE) & ~short & ~equal
    likely = (similarity >= POSSIBLE) | ((found.jaccard >= REORDERED) & ~short)
    open_ = np.flatnonzero(likely & ~sure & ~equal)
    closest = open_[np.lexsort((b[open_], a[open_], -similarity[open_]))]
    cosine = np.full(len(a), np.nan)
    asked_about = closest[:EMBEDDED_PAIRS]
    cosine[asked_about] = _cosines(left.keys, other.keys, a[asked_about], b[asked_about], embed)
    needed = np.where(short, LEAST_COSINE, needed_cosine(similarity))
    near = sure | (np.nan_to_num(cosine, nan=-2.0) >= needed)
    pairs = [
        Near(
            int(a[i]),
            int(b[i]),
            round(float(similarity[i]), 4),
            None if np.isnan(cosine[i]) else round(float(cosine[i]), 4),
        )
        for i in np.flatnonzero(near)
    ]
    return NearPairs(sorted(pairs), len(closest) - len(asked_about), found.crowded)


class Lookup(NamedTuple):
    """Where the keys of one corpus stand in another.

    Attributes:
        places: For each key the rows of the other corpus with their similarity, the closest first.
        equal: For each key whether those rows have the same key; else they are near-duplicates.
        search: The near-duplicates of the keys that do not stand there as they are.
    """

    places: list[list[tuple[int, float]]]
    equal: list[bool]
    search: NearPairs


def look_up(right: Corpus, left: Corpus, *, embed: Embed | None = None) -> Lookup:
    """Find every key of ``right`` in ``left``; what stands there as it is is not searched further.

    Raises:
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    same = [left.number_of.get(key) for key in right.keys]
    missing = [number for number, found in enumerate(same) if found is None]
    search = near_pairs(left, right, only=missing, embed=embed)
    places: list[list[tuple[int, float]]] = [
        [] if number is None else [(row, 1.0) for row in left.rows_of[number]] for number in same
    ]
    for pair in sorted(search.pairs, key=lambda pair: (-pair.similarity, pair.left)):
        places[pair.right] += [(row, pair.similarity) for row in left.rows_of[pair.left]]
    return Lookup(places, [number is not None for number in same], search)


def needed_cosine(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cosine from which two longer texts of this similarity of characters are near-duplicates."""
    return np.minimum(LEAST_COSINE, LEAST_COSINE - SLOPE * (similarity - POSSIBLE))


def same_response(a: str, b: str) -> Kind | None:
    """How two responses are the same, or None; by their letters alone."""
    if a == b:
        return "exact"
    left, right = normalise_prompt(a), normalise_prompt(b)
    if left == right:
        return "normalised"
    if min(len(left.split()), len(right.split())) < SHORT_WORDS:
        return None
    from rapidfuzz import fuzz

    return "near" if fuzz.ratio(left, right, score_cutoff=100 * SURE) else None


def _similarity(
    left: Sequence[str], right: Sequence[str], a: minhash.Indices, b: minhash.Indices
) -> NDArray[np.float64]:
    """Indel similarity of pairs, in [0, 1]; 0 where it is below what any rule asks for."""
    from rapidfuzz import fuzz, process

    result = np.zeros(len(a))
    for start in range(0, len(a), _CHUNK):
        part = slice(start, start + _CHUNK)
        result[part] = process.cpdist(
            [left[i] for i in a[part]],
            [right[j] for j in b[part]],
            scorer=fuzz.ratio,
            dtype=np.float64,
            workers=2,
        )
    return result / 100


def _is_short(keys: Sequence[str], numbers: minhash.Indices) -> NDArray[np.bool_]:
    distinct, positions = np.unique(numbers, return_inverse=True)
    # Texts written without spaces are measured in characters, at five to the word.
    short = [
        max(len(keys[number].split()), len(keys[number]) // 5 if _spaceless(keys[number]) else 0)
        < SHORT_WORDS
        for number in distinct
    ]
    return np.array(short, dtype=np.bool_)[positions] if len(distinct) else np.zeros(0, np.bool_)


def _spaceless(text: str) -> bool:
    return len(text) > 20 * (text.count(" ") + 1)


def _cosines(
    left: Sequence[str],
    right: Sequence[str],
    a: minhash.Indices,
    b: minhash.Indices,
    embed: Embed | None,
) -> NDArray[np.float64]:
    if not len(a):
        return np.zeros(0)
    texts = sorted({left[i] for i in a} | {right[j] for j in b})
    place = {text: row for row, text in enumerate(texts)}
    vectors = (embed or embedding.embed)(texts).astype(np.float64)
    products = vectors[[place[left[i]] for i in a]] * vectors[[place[right[j]] for j in b]]
    # Rounded, so that a threshold falls alike on every machine of one kind.
    return np.asarray(products.sum(axis=1).round(6))
