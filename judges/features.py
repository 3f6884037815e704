"""What a fitted judge sees of an item: embeddings of question and answer, and the answer's surface.

Columns, in order: the embedding of the answer, the elementwise product of the embeddings of
question and answer, their cosine and its square, and the figures of ``judges/surface.py``: what is
said, how it meets what was asked, and how it is put.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness import embedding
from judges import surface

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], NDArray[np.float32]]

FEATURES = "answer, question*answer, cosine, cosine^2, " + ", ".join(surface.NAMES)
FIGURES = 2 * embedding.DIMENSIONS
"""First column behind the embeddings."""
LENGTH = FIGURES + 2 + surface.NAMES.index("log_length")
WIDTH = FIGURES + 2 + len(surface.NAMES)


def features(
    questions: Sequence[str], answers: Sequence[str], embed: Embed | None = None
) -> NDArray[np.float64]:
    """Features of items, shape ``(items, WIDTH)``."""
    vectors = (embed or embedding.embed)([*questions, *answers]).astype(np.float64)
    asked, told = vectors[: len(questions)], vectors[len(questions) :]
    product = asked * told
    cosine = product.sum(axis=1, keepdims=True)
    figures = np.array(
        [surface.surface(q, a) for q, a in zip(questions, answers, strict=True)], dtype=np.float64
    ).reshape(len(questions), len(surface.NAMES))
    return np.hstack([told, product, cosine, cosine**2, figures])
