"""Recognises refusals by a list of phrases and by likeness to labelled refusals."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.text import embedding
from harness.text.embedding import Embed, LinearScore
from harness.text.phrases import Phrases, sentences
from harness.util.digest import digest

if TYPE_CHECKING:
    from numpy.typing import NDArray


SHIPPED = Path(__file__).with_name("refusals.txt")
WEIGHTS = Path(__file__).with_name("refusals.json")

SIMILARITY = 0.8
"""Probability from which an answer counts as a refusal by likeness alone.

It flags none of 1,200 real answers to counselling and programming questions. Of unseen refusals
that name nothing invented the phrases alone find 48 %, both together 56 %
(tests/golden/refusals.jsonl).
"""

SHORT = 60
"""Words of a short answer. A longer one says more, and is a refusal only if it opens with one."""

_YET = re.compile(r"\b(?:but|however|though)\b")
_HELPLESS = re.compile(
    r"\b(?:more|clarify|rephrase|context|detail|professional|doctor|therapist|instead|else|happy to"
    r"|glad to|could you|can you|feel free|other)\b"
)

_NOUN = (
    r"(?:function|library|method|scale|name|term|technique|programme|program|questionnaire|model"
    r"|approach|package|framework|argument|parameter|option|flag|syndrome|condition|test|module"
    r"|command|attribute|class|inventory|exercise|protocol|measure|instrument|setting|hook|diagnosis"
    r"|disorder|system|tool|term|thing|one)"
)


def mask_names(names: Sequence[str], answer: str, by: str = "it") -> str:
    """Replace invented names, with their articles and nouns, so that answers can be compared.

    Args:
        names: The invented names.
        answer: The answer.
        by: The word put in their place.
    """
    for name in sorted(names, key=len, reverse=True):
        marked = rf"[`'\"“‘]*\b{re.escape(name)}(?!\w)(?:\(\))?[`'\"”’]*"
        answer = re.sub(
            rf"(?:\b(?:the|a|an|any|this|that|such an?)\s+)?(?:\b(?:name|term)\s+)?{marked}"
            rf"(?:\s+{_NOUN}\b)?",
            by,
            answer,
            flags=re.IGNORECASE,
        )
    return (
        re.sub(rf"\b(?:that|this|such an?)\s+{_NOUN}\b", by, answer, flags=re.IGNORECASE)
        if names
        else answer
    )


class Likeness:
    """Likeness of the first sentences of an answer to those of refusals (``tests/support/fit_weights.py``).

    Args:
        embed: Texts to unit vectors; the process-wide MiniLM by default.
    """

    def __init__(self, embed: Embed | None = None) -> None:
        self._embed = embed or embedding.embed

    def __call__(self, answer: str) -> float:
        """Return the probability that the answer refuses; 0 for an empty one."""
        opening = sentences(answer)
        if not opening:
            return 0.0
        score = float(_weights()(opening_vectors([opening], self._embed))[0])
        return 1 / (1 + math.exp(-score))


def opening_vectors(answers: Sequence[Sequence[str]], embed: Embed) -> NDArray[np.float32]:
    """Embed answers as the mean of their first sentences, unit length, shape ``(answers, 384)``."""
    flat = embed([sentence for opening in answers for sentence in opening])
    ends = np.cumsum([len(opening) for opening in answers])[:-1]
    means = np.array([part.mean(axis=0) for part in np.split(flat, ends)])
    return np.asarray(means / np.linalg.norm(means, axis=1, keepdims=True), dtype=np.float32)


@cache
def _weights() -> LinearScore:
    return LinearScore.read(WEIGHTS)


class Refusals:
    """Recognises refusals.

    Args:
        path: A list of phrases (``harness/text/phrases.py`` has its syntax); the shipped one by default.
        similarity: Probability from which likeness to labelled refusals counts; None looks at
            phrases only and needs no embedding model.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Attributes:
        version: Digest of everything that decides.
    """

    def __init__(
        self,
        path: str | Path | None = None,
        similarity: float | None = SIMILARITY,
        embed: Embed | None = None,
    ) -> None:
        if similarity is not None and not 0 < similarity <= 1:
            raise ValueError(f"similarity must lie in (0, 1], not {similarity}")
        self._phrases = Phrases.read(path or SHIPPED)
        self._similarity = similarity
        self._likeness = Likeness(embed)
        learned = None if similarity is None else WEIGHTS.read_text(encoding="utf-8")
        self.version = digest([self._phrases.lines, similarity, learned])[:8]

    def evidence(self, answer: str) -> str | None:
        """Return the evidence that ``answer`` is a refusal, or None."""
        opening, short = sentences(answer), len(answer.split()) <= SHORT
        for sentence in opening if short else opening[:2]:
            phrase = self._phrases.match(sentence)
            # "I don't know your age, but ..." declines nothing.
            if phrase is not None and not _goes_on(sentence, phrase):
                return f"says {phrase!r}"
        if self._similarity is None or not short:
            return None
        likely = self._likeness(answer)
        return f"like refusals ({likely:.2f})" if likely >= self._similarity else None


def _goes_on(sentence: str, phrase: str) -> bool:
    """Return whether a sentence goes on to say something after its refusal."""
    rest = sentence[sentence.find(phrase) + len(phrase) :]
    turn = _YET.search(rest)
    return turn is not None and _HELPLESS.search(rest[turn.end() :]) is None
