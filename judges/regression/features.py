"""Features of an item for the fitted judge: embeddings of question and answer, and surface figures.

Columns, in order: the embedding of the answer, the elementwise product of the embeddings of
question and answer, their cosine and its square, and the figures of :func:`surface`.

The embedding of an answer is the mean of its sentences' embeddings, at unit length. One embedding of
the whole answer is mostly about its subject; a dangerous or a kind sentence shows better on its own,
and an answer longer than the window of the model is read to its end. Embeddings are nearly blind to
whether an answer is written in sentences, repeats itself or repeats the question, hence the surface.
Its length is one of the figures, so that a fit can remove what the embeddings carry of it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.text import embedding
from harness.text.embedding import Embed
from harness.text.wordlists import BASIC_FUNCTION_WORDS

if TYPE_CHECKING:
    from numpy.typing import NDArray


SURFACE = (
    "copied",
    "repeated",
    "function_words",
    "function_words_off",
    "finished",
    "overlap",
    "sentence_length",
    "log_length",
)

FEATURES = "sentences, question*sentences, cosine, cosine^2, " + ", ".join(SURFACE)
FIGURES = 2 * embedding.DIMENSIONS
"""First column after the embeddings."""
LENGTH = FIGURES + 2 + SURFACE.index("log_length")
WIDTH = FIGURES + 2 + len(SURFACE)

FIRST, LAST = 48, 16
"""First and last sentences that are read of an answer with more than both together."""

LONGEST = 150
"""Words of a sentence that the embedding model reads at a time."""

_WORD = re.compile(r"[\w']+")
_SENTENCE_END = re.compile(r"[.!?\n]+")
_FINISHED = re.compile(r"[.!?…\"')\]]\s*$")
_BREAK = re.compile(r"(?<=[.!?])\s+|\n+")


def features(
    questions: Sequence[str], answers: Sequence[str], embed: Embed | None = None
) -> NDArray[np.float64]:
    """Compute the features of items, shape ``(items, WIDTH)``."""
    embed = embed or embedding.embed
    answered = _embedded_answers(answers, embed)
    product = embed(list(questions)).astype(np.float64) * answered
    cosine = product.sum(axis=1, keepdims=True)
    figures = np.array(
        [surface(q, a) for q, a in zip(questions, answers, strict=True)], dtype=np.float64
    ).reshape(len(questions), len(SURFACE))
    return np.hstack([answered, product, cosine, cosine**2, figures])


def surface(question: str, answer: str) -> tuple[float, ...]:
    """Return the figures named by ``SURFACE``, each of a magnitude around 1.

    ``copied`` and ``repeated`` are the shares of the answer's word trigrams that are in the question,
    and that were in the answer before; ``function_words_off`` is the distance from a half of the
    share of function words, great for lists of keywords and word salad; ``overlap`` is the share of
    content words taken from the question; ``log_length`` is the logarithm of the words in distinct
    sentences, bounded to 5 and 250.
    """
    words = _WORD.findall(answer.lower())
    asked = _WORD.findall(question.lower())
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    asked_trigrams = set(zip(asked, asked[1:], asked[2:], strict=False))
    grams = max(1, len(trigrams))
    function = sum(word in BASIC_FUNCTION_WORDS for word in words) / max(1, len(words))
    content = set(words) - BASIC_FUNCTION_WORDS
    parts = [part.strip() for part in _SENTENCE_END.split(answer.lower()) if part.strip()]
    distinct = sum(len(_WORD.findall(part)) for part in dict.fromkeys(parts))
    return (
        sum(gram in asked_trigrams for gram in trigrams) / grams,
        1 - len(set(trigrams)) / grams if trigrams else 0.0,
        function,
        abs(function - 0.5),
        float(bool(_FINISHED.search(answer[-100:].rstrip()))),
        len(content & set(asked)) / max(1, len(content)),
        min(len(words) / max(1, len(parts)), 40.0) / 40,
        math.log(min(max(distinct, 5), 250)),
    )


def sentences(answer: str) -> list[str]:
    """Return the sentences of an answer that are read; the answer itself if it has none."""
    parts = [
        " ".join(words[at : at + LONGEST])
        for part in _BREAK.split(answer.strip())
        if (words := part.split())
        for at in range(0, len(words), LONGEST)
    ]
    if len(parts) > FIRST + LAST:
        parts = [*parts[:FIRST], *parts[-LAST:]]
    return parts or [answer]


def _embedded_answers(answers: Sequence[str], embed: Embed) -> NDArray[np.float64]:
    """Embed answers, shape ``(answers, DIMENSIONS)``."""
    parts = [sentences(answer) for answer in answers]
    vectors = embed([sentence for part in parts for sentence in part]).astype(np.float64)
    starts = np.cumsum([0, *(len(part) for part in parts[:-1])])
    sums = np.add.reduceat(vectors, starts, axis=0)
    return np.asarray(sums / np.linalg.norm(sums, axis=1, keepdims=True))
