"""Features of an item for the fitted judge: embeddings, what its sentences do, and surface figures.

Columns, block by block (``BLOCKS``): the embedding of the answer; the elementwise product of the
embeddings of question and answer; what the sentences of the answer do (``acts``), their mean and the
strongest of each; how near the answer and its sentences are to the question; the figures of
:func:`surface`; and the signs of ``signs``.

The embedding of an answer is the mean of its sentences' embeddings, at unit length. One embedding of
the whole answer is mostly about its subject; a dangerous or a kind sentence shows better on its own,
and an answer longer than the window of the model is read to its end. Embeddings carry the style of
those who wrote the labelled answers; acts and signs carry little of it, so that a fit may rest on them
alone. Embeddings are nearly blind to whether an answer is written in sentences, repeats itself or
repeats the question, hence the surface. Its length is one of the figures, so that a fit can remove
what the others carry of it.
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
from judges.regression.acts import sentence_acts
from judges.regression.signs import SIGNS, signs

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

NEARNESS = ("cosine", "cosine^2", "nearest", "farthest", "first")
"""Of the answer to the question; of its nearest, farthest and first sentence."""

ACTS = sentence_acts().names


def _blocks() -> dict[str, slice]:
    sizes = {
        "answer": embedding.DIMENSIONS,
        "product": embedding.DIMENSIONS,
        "acts": len(ACTS),
        "strongest": len(ACTS),
        "nearness": len(NEARNESS),
        "surface": len(SURFACE),
        "signs": len(SIGNS),
    }
    ends = np.cumsum(list(sizes.values()))
    return {
        name: slice(int(end) - size, int(end))
        for (name, size), end in zip(sizes.items(), ends, strict=True)
    }


BLOCKS = _blocks()
"""The columns of each block."""

FEATURES = "sentences, question*sentences, acts and strongest of " + ", ".join(
    [*ACTS, *NEARNESS, *SURFACE, *SIGNS]
)
LENGTH = BLOCKS["surface"].start + SURFACE.index("log_length")
WIDTH = BLOCKS["signs"].stop

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
    """Compute the features of items, shape ``(items, WIDTH)``; each sentence is embedded once."""
    embed = embed or embedding.embed
    parts = [sentences(answer) for answer in answers]
    vectors = embed([sentence for part in parts for sentence in part]).astype(np.float64)
    asked = embed(list(questions)).astype(np.float64)
    acts = sentence_acts()(vectors)
    table = np.empty((len(questions), WIDTH))
    at = 0
    for row, (question, answer, part) in enumerate(zip(questions, answers, parts, strict=True)):
        rows = slice(at, at + len(part))
        at += len(part)
        mean = vectors[rows].sum(axis=0)
        mean /= np.linalg.norm(mean)
        near = vectors[rows] @ asked[row]
        cosine = float(mean @ asked[row])
        table[row] = np.concatenate(
            [
                mean,
                mean * asked[row],
                acts[rows].mean(axis=0),
                acts[rows].max(axis=0),
                [cosine, cosine**2, near.max(), near.min(), near[0]],
                surface(question, answer),
                signs(answer, len(part)),
            ]
        )
    return table


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
