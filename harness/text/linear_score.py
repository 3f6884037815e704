"""A linear score of the embedding of a text, with fitted weights in a JSON file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.errors import PluginError
from harness.text import embedding
from harness.util.files import write_atomically

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LinearScore(BaseModel):
    """The log-odds of a yes, by logistic regression on embeddings.

    Attributes:
        embedding: Version of the embedding model.
        weights: One a component.
        threshold: Log-odds from which a text counts as a yes.
        texts: Number of texts that it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding: str
    weights: tuple[float, ...]
    bias: float
    threshold: float
    texts: int

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Return the log-odds of texts from their embeddings, shape ``(texts,)``."""
        raw = vectors.astype(np.float64) @ np.array(self.weights) + self.bias
        # Rounded, so that a threshold decides alike on all machines of one kind.
        return np.asarray(raw.round(4))

    @classmethod
    def read(cls, path: Path) -> LinearScore:
        """Load a score from a file.

        Raises:
            PluginError: It was fitted on another embedding.
        """
        score = cls.model_validate_json(path.read_text(encoding="utf-8"))
        if score.embedding != embedding.VERSION:
            raise PluginError(f"{path} was fitted on {score.embedding}, not {embedding.VERSION}")
        return score

    def save(self, path: Path) -> None:
        """Write the score to a file.

        Raises:
            StoreError: The file cannot be written.
        """
        write_atomically(path, self.model_dump_json() + "\n")

    @classmethod
    def fit(
        cls,
        x: NDArray[np.float32],
        yes: NDArray[np.bool_],
        *,
        sample_weight: NDArray[np.float64] | None = None,
        threshold: float = 0.0,
    ) -> LinearScore:
        """Fit to labelled embeddings, both classes with equal weight; to 5 decimals."""
        from sklearn.linear_model import LogisticRegression

        model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=3000)
        model.fit(x, yes, sample_weight=sample_weight)
        return cls(
            embedding=embedding.VERSION,
            weights=tuple(round(float(value), 5) for value in model.coef_[0]),
            bias=round(float(model.intercept_[0]), 5),
            threshold=threshold,
            texts=len(x),
        )
