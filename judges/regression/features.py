"""What a fitted judge sees of an item: embeddings of question and answer, and the answer's surface.

Columns, in order: the embedding of the answer, the elementwise product of the embeddings of
question and answer, their cosine and its square, and the figures of ``judges/regression/surface_features.py``: what is
said, how it meets what was asked, and how it is put.

An answer's embedding is the mean of its sentences' embeddings, at unit length. One embedding of the
whole answer is mostly about its subject; a dangerous or a kind sentence shows better on its own, and
an answer longer than the model's window is seen to its end.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.text import embedding
from harness.text.embedding import Embed
from judges.regression import surface_features as surface

if TYPE_CHECKING:
    from numpy.typing import NDArray


FEATURES = "sentences, question*sentences, cosine, cosine^2, " + ", ".join(surface.NAMES)
FIGURES = 2 * embedding.DIMENSIONS
"""First column behind the embeddings."""
LENGTH = FIGURES + 2 + surface.NAMES.index("log_length")
WIDTH = FIGURES + 2 + len(surface.NAMES)

FIRST, LAST = 48, 16
"""Sentences that are looked at in an answer longer than both together."""

LONGEST = 150
"""Words of a stretch without an end of sentence that the embedding model reads whole."""

_BREAK = re.compile(r"(?<=[.!?])\s+|\n+")


def features(
    questions: Sequence[str], answers: Sequence[str], embed: Embed | None = None
) -> NDArray[np.float64]:
    """Features of items, shape ``(items, WIDTH)``."""
    embed = embed or embedding.embed
    told = _told(answers, embed)
    product = embed(list(questions)).astype(np.float64) * told
    cosine = product.sum(axis=1, keepdims=True)
    figures = np.array(
        [surface.surface(q, a) for q, a in zip(questions, answers, strict=True)], dtype=np.float64
    ).reshape(len(questions), len(surface.NAMES))
    return np.hstack([told, product, cosine, cosine**2, figures])


def sentences(answer: str) -> list[str]:
    """The sentences of an answer that are looked at; the answer as it is where it has none."""
    found = [
        " ".join(words[at : at + LONGEST])
        for part in _BREAK.split(answer.strip())
        if (words := part.split())
        for at in range(0, len(words), LONGEST)
    ]
    if len(found) > FIRST + LAST:
        found = [*found[:FIRST], *found[-LAST:]]
    return found or [answer]


def _told(answers: Sequence[str], embed: Embed) -> NDArray[np.float64]:
    """Embeddings of answers, shape ``(answers, DIMENSIONS)``."""
    parts = [sentences(answer) for answer in answers]
    vectors = embed([sentence for own in parts for sentence in own]).astype(np.float64)
    starts = np.cumsum([0, *(len(own) for own in parts[:-1])])
    sums = np.add.reduceat(vectors, starts, axis=0)
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))
