"""A linear score of a text's embedding, learned elsewhere and kept as JSON."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.errors import PluginError
from harness.text import embedding

if TYPE_CHECKING:
    from numpy.typing import NDArray


class LinearScore(BaseModel):
    """Log-odds of a yes, by logistic regression on embeddings.

    Attributes:
        embedding: Of which the weights are.
        weights: One for each component.
        threshold: Log-odds from which those who use it take it for a yes.
        texts: How many texts it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedding: str
    weights: tuple[float, ...]
    bias: float
    threshold: float
    texts: int

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        """Log-odds of texts from their embeddings, shape ``(texts,)``."""
        raw = vectors.astype(np.float64) @ np.array(self.weights) + self.bias
        # Rounded, so that a threshold falls alike on every machine of one kind.
        return np.asarray(raw.round(4))

    @classmethod
    def read(cls, path: Path) -> LinearScore:
        """The score kept in a file.

        Raises:
            PluginError: It was fitted on another embedding.
        """
        found = cls.model_validate_json(path.read_text(encoding="utf-8"))
        if found.embedding != embedding.VERSION:
            raise PluginError(f"{path} was fitted on {found.embedding}, not {embedding.VERSION}")
        return found

    @classmethod
    def fit(
        cls,
        x: NDArray[np.float32],
        yes: NDArray[np.bool_],
        *,
        sample_weight: NDArray[np.float64] | None = None,
        threshold: float = 0.0,
    ) -> LinearScore:
        """Fit to labelled embeddings, both answers weighing the same; to 5 decimals."""
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
