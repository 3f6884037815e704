"""The rule for texts that are the same: word for word, after normalisation, or nearly.

A near-duplicate is decided in four steps. MinHash finds candidates at any size. rapidfuzz compares
their normalised texts: the share of characters that the two have in common in order (Indel
similarity, ``2 * LCS / (len(a) + len(b))``). In short texts the words in which they differ may tell
them apart (see ``wording``). Where that leaves it open, the cosine of their MiniLM embeddings decides,
and the less the letters agree, the more the meaning must:

====================================  ==========================================
at least ``SHORT_WORDS`` words each   near when
====================================  ==========================================
characters >= 0.90                    always
characters 0.80 to 0.90               cosine >= 0.90 - 3 * (characters - 0.80)
characters < 0.80, Jaccard >= 0.70    cosine >= 0.90 (the same sentences reordered)
====================================  ==========================================

For a shorter text, characters >= 0.80 and cosine >= 0.90 are needed, for one typo takes much of its
meaning from a model; but where it agrees with the other word by word, misspellings and forms of a word
aside, characters >= 0.90 are enough. A text that contains another
one as a whole is near to it, too (see ``contain``). Templates are left out of the comparison unless
the two have different ones: "in Python" and "in Java" must not vanish. README.md has the figures.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.audit import minhash, wording
from harness.audit.corpus import Corpus
from harness.text import embedding
from harness.text.embedding import Embed
from harness.text.normalise import normalise_prompt

Kind: TypeAlias = Literal["exact", "normalised", "near"]

SURE = 0.90
POSSIBLE = 0.80
REORDERED = 0.70
LEAST_COSINE = 0.90
SLOPE = 3.0
SHORT_WORDS = 12

LEAST_EMBEDDED, MOST_EMBEDDED = 2_000, 10_000
"""Open pairs that are embedded, the likeliest first: one a text looked up, within these bounds (a core
embeds about 30 prompts a second). Further ones are undecided."""

MOST_READ = 300_000
"""Alike pairs whose words are compared, the most alike first; of a data set made from a few
templates there can be millions. Further ones are undecided, unless they are long and surely near."""

MOST_WORDS = 20_000
"""Distinct words that are embedded for it: a core embeds about 300 a second."""

_CHUNK = 50_000


class Near(NamedTuple):
    """Two keys that are nearly the same.

    Attributes:
        left, right: Numbers of keys.
        similarity: Share of characters in common, in [0, 1].
        cosine: Of the embeddings, where the characters alone did not decide; else None.
    """

    left: int
    right: int
    similarity: float
    cosine: float | None


class NearPairs(NamedTuple):
    """The pairs of a search, and counts of what it could not look at.

    Attributes:
        pairs: In order of ``left``, then ``right``.
        undecided: Open pairs beyond ``embedded_pairs``, likewise in order.
        told_apart: Alike pairs that differ in a word that makes them ask different things.
        crowded: See ``minhash.Candidates``; and texts too common to look for inside others.
    """

    pairs: list[Near]
    undecided: list[tuple[int, int]]
    told_apart: int
    crowded: int


class Pairs(NamedTuple):
    """Pairs of keys by number, and the estimated similarity of their shingles (0 if unknown)."""

    left: minhash.Indices
    right: minhash.Indices
    jaccard: NDArray[np.float32]

    @classmethod
    def of(cls, pairs: Sequence[tuple[int, int]]) -> Pairs:
        """Build pairs of unknown similarity."""
        numbers = np.array(pairs, dtype=np.int64).reshape(-1, 2)
        return cls(numbers[:, 0], numbers[:, 1], np.zeros(len(numbers), dtype=np.float32))


@dataclass(frozen=True)
class CorpusPair:
    """Two collections with the same templates, or one twice."""

    left: Corpus
    right: Corpus

    def texts(self, i: int, j: int) -> tuple[str, str]:
        """Return what is compared of two keys: all of them if their templates differ."""
        if self.left.unwrapped[i].agrees(self.right.unwrapped[j]):
            return self.left.cores[i], self.right.cores[j]
        return self.left.keys[i], self.right.keys[j]

    def similarity(self, pairs: Pairs) -> NDArray[np.float64]:
        """Return the Indel similarity of pairs, in [0, 1]; 1 only where they say the same."""
        from rapidfuzz import fuzz, process

        result = np.zeros(len(pairs.left))
        for start in range(0, len(result), _CHUNK):
            part = slice(start, start + _CHUNK)
            numbers = zip(pairs.left[part].tolist(), pairs.right[part].tolist(), strict=True)
            texts = [self.texts(i, j) for i, j in numbers]
            result[part] = process.cpdist(
                [one for one, _ in texts],
                [two for _, two in texts],
                scorer=fuzz.ratio,
                dtype=np.float64,
                workers=2,
            )
        return result / 100


def embedded_pairs(texts: int) -> int:
    """Return how many open pairs are embedded when so many texts are looked up."""
    return min(max(texts, LEAST_EMBEDDED), MOST_EMBEDDED)


def decide(
    corpora: CorpusPair,
    candidates: Pairs,
    *,
    whole: Sequence[tuple[int, int]] = (),
    by_words: bool = True,
    limit: int = LEAST_EMBEDDED,
    embed: Embed | None = None,
) -> NearPairs:
    """Decide which pairs of keys are near-duplicates, by the rule at the top of this module.

    ``whole`` are further pairs, of which one text contains the other as a whole. ``by_words`` lets
    single words tell short texts apart; ``limit`` bounds the open pairs that are embedded.

    Raises:
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    letters = corpora.similarity(candidates)
    read, spared, unread = _sift(corpora, candidates, letters)
    similarity = {pair: letter for pair, letter in read.items() if letter < 1}
    similarity |= dict(zip(whole, corpora.similarity(Pairs.of(whole)).tolist(), strict=True))
    inside = set(whole)
    text = {pair: corpora.texts(*pair) for pair in similarity}
    brief = {pair for pair, (a, b) in text.items() if _is_short(a) or _is_short(b)}
    sure = {
        p
        for p in text
        if p in inside or (similarity[p] >= SURE and (p not in brief or _misspelt(*text[p])))
    }
    open_ = {p for p in text if p not in sure and (p not in brief or similarity[p] >= POSSIBLE)}
    alike = (sure | open_) - inside
    vectors = _Vectors(embed)
    told_apart, beyond = (
        _by_words({pair: text[pair] for pair in text if pair in alike}, vectors)
        if by_words
        else (set[tuple[int, int]](), set[tuple[int, int]]())
    )
    closest = sorted(open_ - told_apart - beyond, key=lambda pair: (-similarity[pair], pair))
    compared = closest[:limit]
    beyond |= set(closest[limit:])
    vectors.add(one for pair in compared for one in text[pair])
    cosine = {pair: vectors.cosine(*text[pair]) for pair in compared}
    near = sure - told_apart - beyond
    near |= {
        pair
        for pair, value in cosine.items()
        if value >= (LEAST_COSINE if pair in brief else needed_cosine(similarity[pair]))
    }
    similarity |= spared
    pairs = [
        Near(*pair, round(similarity[pair], 4), round(cosine[pair], 4) if pair in cosine else None)
        for pair in sorted(near | spared.keys())
    ]
    return NearPairs(pairs, sorted(beyond | unread), len(told_apart), 0)


_Read = dict[tuple[int, int], float]


def _sift(
    corpora: CorpusPair, candidates: Pairs, letters: NDArray[np.float64]
) -> tuple[_Read, _Read, set[tuple[int, int]]]:
    """Divide alike pairs: to be read, too long and too alike to need it, too many to read."""
    alike = np.flatnonzero(
        ((letters >= POSSIBLE) | (candidates.jaccard >= REORDERED)) & (letters < 1)
    )
    order = np.lexsort((candidates.right[alike], candidates.left[alike], -letters[alike]))
    pairs = [
        (int(candidates.left[i]), int(candidates.right[i]), float(letters[i])) for i in alike[order]
    ]
    rest = pairs[MOST_READ:]
    spared = {
        (i, j): letter
        for i, j, letter in rest
        if letter >= SURE and not wording.short(*corpora.texts(i, j))
    }
    unread = {(i, j) for i, j, _ in rest} - spared.keys()
    return {(i, j): letter for i, j, letter in pairs[:MOST_READ]}, spared, unread


def _by_words(
    texts: Mapping[tuple[int, int], tuple[str, str]], vectors: _Vectors
) -> tuple[set[tuple[int, int]], set[tuple[int, int]]]:
    """Return the pairs that their words tell apart, and those with too many words."""
    told_apart: set[tuple[int, int]] = set()
    beyond: set[tuple[int, int]] = set()
    open_: dict[tuple[int, int], wording.Difference] = {}
    words: set[str] = set()
    for pair, (one, two) in texts.items():
        if not wording.short(one, two):
            continue
        difference = wording.difference(one, two)
        if difference is None:
            told_apart.add(pair)
        elif difference.open:
            new = {word for side in difference for word in side if word not in words}
            if len(words) + len(new) > MOST_WORDS:
                beyond.add(pair)
            else:
                words |= new
                open_[pair] = difference
    vectors.add(words)
    told_apart |= {
        pair for pair, difference in open_.items() if wording.apart(difference, vectors.cosine)
    }
    return told_apart, beyond


def needed_cosine(similarity: float) -> float:
    """Return the least cosine of two longer near-duplicates with this similarity of characters."""
    return min(LEAST_COSINE, LEAST_COSINE - SLOPE * (similarity - POSSIBLE))


def same_response(a: str, b: str) -> Kind | None:
    """Return how two responses are the same, or None, by their letters and words alone."""
    if a == b:
        return "exact"
    left, right = normalise_prompt(a), normalise_prompt(b)
    if left == right:
        return "normalised"
    if _is_short(left) or _is_short(right):
        return None
    from rapidfuzz import fuzz

    if not fuzz.ratio(left, right, score_cutoff=100 * SURE):
        return None
    apart = wording.short(left, right) and wording.difference(left, right) is None
    return None if apart else "near"


@lru_cache(maxsize=1 << 16)
def _is_short(text: str) -> bool:
    # Texts written without spaces are measured in characters, at five to the word.
    words = max(text.count(" ") + 1, len(text) // 5 if wording.spaceless(text) else 0)
    return words < SHORT_WORDS


def _misspelt(one: str, two: str) -> bool:
    return wording.short(one, two) and wording.misspelt(one, two)


class _Vectors:
    """Embeddings of texts, each made once and many at a time."""

    def __init__(self, embed: Embed | None) -> None:
        self.embed = embed
        self.known: dict[str, NDArray[np.float64]] = {}

    def add(self, texts: Iterable[str]) -> None:
        """Embed those that are not known."""
        new = sorted({text for text in texts if text not in self.known})
        if new:
            vectors = (self.embed or embedding.embed)(new).astype(np.float64)
            self.known.update(zip(new, vectors, strict=True))

    def cosine(self, a: str, b: str) -> float:
        """Return the cosine of two known texts."""
        # Rounded, so that a threshold falls alike on every machine of one kind.
        return round(float((self.known[a] * self.known[b]).sum()), 6)
