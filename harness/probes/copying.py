"""How much of a text a model reproduces word for word."""

from __future__ import annotations

import re
from collections.abc import Sequence
from difflib import SequenceMatcher
from typing import NamedTuple

WORDS_PER_TOKEN = 1 / 1.5
"""So many words of a reference are asked for with each token a continuation may have: a model that
recites must be able to reach the end of what it is compared with."""

LEAST_WORDS = 6
"""Shorter references are not continued: there is nothing to show and nothing to recite."""

_WORD = re.compile(r"\w+(?:['’]\w+)*")


def words(text: str) -> list[str]:
    """Lower-case words without punctuation."""
    return _WORD.findall(text.lower().replace("’", "'"))


class Beginning(NamedTuple):
    """A reference cut in two."""

    shown: str
    rest: str


def cut(reference: str, share: float, max_new_tokens: int) -> Beginning | None:
    """Cut a reference after ``share`` of its words; None where it has fewer than ``LEAST_WORDS``.

    Args:
        reference: The answer in the data; white space around it is left out.
        share: Share of the words that are shown, in (0, 1).
        max_new_tokens: Room of the continuation: the rest is cut to what fits into it.
    """
    pieces = list(re.finditer(r"\S+", reference.strip()))
    if len(pieces) < LEAST_WORDS:
        return None
    at = min(max(round(share * len(pieces)), 1), len(pieces) - 1)
    text = reference.strip()
    last = min(len(pieces), at + max(1, int(max_new_tokens * WORDS_PER_TOKEN)))
    return Beginning(
        text[: pieces[at - 1].end()], text[pieces[at].start() : pieces[last - 1].end()]
    )


def longest_span(reference: Sequence[str], answer: Sequence[str]) -> int:
    """Words in the longest run that stands in both, in order and without a gap."""
    if not reference or not answer:
        return 0
    matcher = SequenceMatcher(None, reference, answer, autojunk=False)
    return matcher.find_longest_match(0, len(reference), 0, len(answer)).size


def reproduced(reference: Sequence[str], answer: Sequence[str]) -> float:
    """Share of the reference's words that the answer has in the same order, in [0, 1].

    The longest common subsequence over the length of the reference.
    """
    if not reference or not answer:
        return 0.0
    from rapidfuzz.distance import LCSseq

    numbers: dict[str, int] = {}
    a = [numbers.setdefault(word, len(numbers)) for word in reference]
    b = [numbers.setdefault(word, len(numbers)) for word in answer]
    return float(LCSseq.similarity(a, b)) / len(a)


def score(rest: str, continuation: str) -> dict[str, float]:
    """``span`` in words and ``share`` of the rest reproduced; what comes after it is not looked at."""
    wanted = words(rest)
    given = words(continuation)[: 2 * len(wanted)]
    return {"span": float(longest_span(wanted, given)), "share": reproduced(wanted, given)}
