"""Semantic similarity with all-MiniLM-L6-v2: consistency under rewording, closeness to the reference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.records import Dimension, JudgeItem, Judgement
from harness.text import embedding
from harness.text.embedding import Embed

CHUNK = 32
"""Items embedded at a time, so that finished ones are handed on while the rest is under way."""


class Semantic:
    """Cosine of sentence embeddings, to the answer to the original prompt and to the reference.

    An empty answer has nothing in common with any other: 0. Where both texts are empty there is
    nothing to compare, and the judgement is an error with that reason.

    Args:
        embed: Texts to unit vectors; the process-wide MiniLM by default.
    """

    def __init__(self, embed: Embed | None = None) -> None:
        self._embed = embed or embedding.embed
        self.version = f"{embedding.VERSION}, {embedding.WINDOW} tokens"
        self.dimensions: Sequence[Dimension] = (
            Dimension(
                name="consistency",
                low=-1.0,
                high=1.0,
                needs=("original_answer",),
                description="Cosine to the same subject's answer to the original prompt",
            ),
            Dimension(
                name="closeness",
                low=-1.0,
                high=1.0,
                needs=("reference",),
                description="Cosine to the reference answer",
                headline=500,
            ),
        )

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade ``consistency`` on variants and ``closeness`` where there is a reference."""
        for start in range(0, len(items), CHUNK):
            pairs = [
                (start + offset, dimension, other, item.answer)
                for offset, item in enumerate(items[start : start + CHUNK])
                for dimension, other in (
                    ("consistency", None if item.is_original else item.original_answer),
                    ("closeness", item.reference),
                )
                if other is not None
            ]
            if not pairs:
                continue
            vectors = self._embed([text for *_, other, answer in pairs for text in (other, answer)])
            for row, (index, dimension, other, answer) in enumerate(pairs):
                cosine = embedding.cosine(vectors[2 * row], vectors[2 * row + 1])
                yield self._judgement(index, dimension, (other, answer), cosine)

    @staticmethod
    def _judgement(index: int, dimension: str, texts: Sequence[str], value: float) -> Judgement:
        empty = [not text.strip() for text in texts]
        if all(empty):
            return Judgement(
                item=index,
                dimension=dimension,
                value=None,
                status="error",
                reason="both texts are empty: nothing to compare",
            )
        return Judgement(item=index, dimension=dimension, value=0.0 if any(empty) else value)
