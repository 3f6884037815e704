"""ROUGE-L: the scores of the package ``rouge-score`` to the last digit, many times faster.

Tokenizer and stemmer are rouge-score's own, behind caches; the longest common subsequence comes
from rapidfuzz (bit-parallel C++) instead of a table filled in Python.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib.metadata import version as package_version

from harness.records import Dimension, JudgeItem, Judgement

ROUGE_L = "rouge_l"
"""The judge and its dimension; the probes measure closeness to a training response by it."""

TEXTS_KEPT = 4096
WORDS_KEPT = 500_000


class _CachedStemmer:
    """NLTK's Porter stemmer (the one rouge-score uses), each word stemmed once."""

    def __init__(self) -> None:
        from nltk.stem import porter

        self.stem = lru_cache(maxsize=WORDS_KEPT)(porter.PorterStemmer().stem)


class TokenIds:
    """Texts to lists of token numbers: equal tokens, and only those, have equal numbers.

    Numbers rather than strings, because rapidfuzz compares strings by their hash.

    Args:
        stemmer: Stem words of more than three letters, as rouge-score does.
    """

    def __init__(self, stemmer: bool = True) -> None:
        self._stemmer = _CachedStemmer() if stemmer else None
        self._encode = lru_cache(maxsize=TEXTS_KEPT)(self._numbered)
        self._numbers: dict[str, int] = {}
        self._lock = threading.Lock()

    def pair(self, a: str, b: str) -> tuple[list[int], list[int]]:
        """Return the tokens of two texts under one numbering."""
        with self._lock:
            if len(self._numbers) >= WORDS_KEPT:  # a new numbering: the old lists are void
                self._numbers.clear()
                self._encode.cache_clear()
            return self._encode(a), self._encode(b)

    def _numbered(self, text: str) -> list[int]:
        from rouge_score import tokenize

        numbers = self._numbers
        return [
            numbers.setdefault(token, len(numbers))
            for token in tokenize.tokenize(text, self._stemmer)
        ]


def rouge_l_f(reference: Sequence[int], answer: Sequence[int]) -> float:
    """Return the ROUGE-L F-measure of two token sequences, in rouge-score's order of operations.

    Source: Lin (2004), "ROUGE: A Package for Automatic Evaluation of Summaries", section 3, with
    beta = 1.
    """
    if not reference or not answer:
        return 0.0
    from rapidfuzz.distance import LCSseq

    common = LCSseq.similarity(reference, answer)
    precision = common / len(answer)
    recall = common / len(reference)
    if precision + recall == 0:
        return 0.0
    return 2 * precision * recall / (precision + recall)


class RougeL:
    """ROUGE-L F against the reference answer, as `rouge-score` computes it.

    Args:
        stemmer: Compare word stems, as is usual for ROUGE.
    """

    def __init__(self, stemmer: bool = True) -> None:
        self.version = (
            f"rouge-score {package_version('rouge-score')}, nltk {package_version('nltk')},"
            f" {'stemmed' if stemmer else 'unstemmed'}"
        )
        self.dimensions: Sequence[Dimension] = (
            Dimension(
                name=ROUGE_L,
                low=0.0,
                high=1.0,
                needs=("reference",),
                description="Longest common subsequence of words with the reference, F-measure",
                label="ROUGE-L",
                headline=510,
            ),
        )
        self._tokens = TokenIds(stemmer)

    def score(self, reference: str, answer: str) -> float:
        """Return ROUGE-L F of one answer, in [0, 1]."""
        return rouge_l_f(*self._tokens.pair(reference, answer))

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item that has a reference."""
        for index, item in enumerate(items):
            if item.reference is not None:
                score = self.score(item.reference, item.answer)
                yield Judgement(item=index, dimension=ROUGE_L, value=score)
