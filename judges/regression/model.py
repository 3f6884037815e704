"""A judge fitted to people's labels: MiniLM embeddings and ridge regression, and its file."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from harness.errors import DataError, PluginError
from harness.judging.labels import Labels
from harness.stats.agreement import Coefficient, estimate, spearman
from harness.text import embedding
from harness.util.digest import digest
from harness.util.files import make_folder, replacing
from judges.regression.features import FEATURES, WIDTH, features
from judges.regression.ridge import TrainingItems, fit_line, held_out

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.text.embedding import Embed

MIN_ITEMS = 20


class FittedDimension(BaseModel):
    """One fitted dimension: where it comes from and how it fared in cross-validation.

    Attributes:
        strength: The ridge penalty.
        said_twice: Whether it was fitted on every answer twice over, too.
        length: What was subtracted for each unit of the logarithm of the words.
        cross_validated: Spearman of out-of-fold predictions with the labels, folds by question.
        items: Items that it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    low: float
    high: float
    strength: float
    said_twice: bool
    length: float
    cross_validated: Coefficient
    items: int


class FittedCard(BaseModel):
    """Description of a fitted judge, in its file.

    Attributes:
        authors_only: All labels came from those who made the labelled set (``own`` in the file).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 3
    name: str
    embedding: str = embedding.VERSION
    features: str = FEATURES
    labels: str
    labels_digest: str
    split: str | None
    annotators: tuple[str, ...]
    authors_only: bool = Field(alias="own")
    dimensions: tuple[FittedDimension, ...]


class FittedModel(BaseModel):
    """Weights of a fitted judge: predictions are ``features @ weights + bias``.

    Attributes:
        weights: Shape ``(dimensions, WIDTH)``, float32.
        bias: Shape ``(dimensions,)``, float32.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    card: FittedCard
    weights: Any
    bias: Any

    def predict(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores of shape ``(items, dimensions)``, clipped to each scale, to 4 decimals."""
        raw = features @ self.weights.T.astype(np.float64) + self.bias.astype(np.float64)
        low, high = zip(*((each.low, each.high) for each in self.card.dimensions), strict=True)
        return np.asarray(np.clip(raw, low, high).round(4))

    @property
    def digest(self) -> str:
        """Return the digest of the weights and of what they were made from."""
        card = self.card.model_dump(mode="json", by_alias=True)
        return digest([card, self.weights.tolist(), self.bias.tolist()])

    def save(self, path: Path) -> None:
        """Write one safetensors file, the card in its header; never a pickle."""
        from safetensors.numpy import save_file

        make_folder(path.parent)
        with replacing(path) as draft:
            save_file(
                {"weights": self.weights, "bias": self.bias},
                draft,
                metadata={"jostle_judge": self.card.model_dump_json(by_alias=True)},
            )

    @classmethod
    def load(cls, path: Path) -> FittedModel:
        """Read what ``save`` wrote.

        Raises:
            PluginError: Not such a file, or for another embedding.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                card = FittedCard.model_validate_json((file.metadata() or {})["jostle_judge"])
                weights, bias = file.get_tensor("weights"), file.get_tensor("bias")
        except (OSError, SafetensorError, KeyError, ValueError) as error:
            reason = str(error).splitlines()[0]
            raise PluginError(f"{path} is not a fitted judge: {reason}") from error
        shape = (len(card.dimensions), WIDTH)
        if (card.embedding, card.features) != (embedding.VERSION, FEATURES) or (
            weights.shape != shape
        ):
            raise PluginError(
                f"{path} was fitted on other features ({card.embedding}); fit it again with"
                " jostle calibrate LABELS --fit NAME"
            )
        return cls(card=card, weights=weights, bias=bias)


def fit(labels: Labels, name: str, embed: Embed | None = None) -> FittedModel:
    """Fit one ridge regression a dimension to pointwise labels; folds and penalty by question.

    Raises:
        DataError: Preferences instead of scores, too few items, or a dimension without variation.
    """
    if labels.items and labels.items[0].pairwise:
        raise DataError(
            f"{labels.source}: a judge is fitted on scores, these labels are preferences"
        )
    asked = [item.first.question for item in labels.items]
    answers = [item.first.answer or "" for item in labels.items]
    table = features(asked, answers, embed)
    twice = features(asked, [f"{answer}\n{answer}" for answer in answers], embed)
    # One scale for all: a dimension on which nobody gave the lowest step has it all the same.
    every = [score for item in labels.items for name in labels.dimensions
             if (score := item.score(name)) is not None]  # fmt: skip
    low, high = float(np.floor(min(every))), float(np.ceil(max(every)))
    fitted, weights, biases = [], [], []
    for dimension in labels.dimensions:
        scores = [item.score(dimension) for item in labels.items]
        rows = [row for row, score in enumerate(scores) if score is not None]
        y = np.array([scores[row] for row in rows], dtype=np.float64)
        if len(rows) < MIN_ITEMS or len(np.unique(y)) < 2:
            raise DataError(
                f"{labels.source}: {dimension!r} has {len(rows)} labels with {len(np.unique(y))} different"
                f" values; at least {MIN_ITEMS} labels that differ are needed"
            )
        training = TrainingItems(table[rows], y, [asked[row] for row in rows])
        line = fit_line(training)
        pays = bool((line(twice[rows]) - line(training.x)).mean() > 0)
        if pays:
            training = training._replace(twice=twice[rows])
            line = fit_line(training)
        weights.append(line.weights)
        biases.append(line.bias)
        fitted.append(
            FittedDimension(
                name=dimension,
                low=low,
                high=high,
                strength=line.strength,
                said_twice=pays,
                length=line.length,
                cross_validated=estimate(
                    spearman, list(held_out(training)), list(y), training.groups
                ),
                items=len(rows),
            )
        )
    return FittedModel(
        card=FittedCard(
            name=name,
            labels=labels.source,
            labels_digest=labels.digest,
            split=labels.split,
            annotators=tuple(labels.annotators),
            own=labels.authors_only,
            dimensions=tuple(fitted),
        ),
        weights=np.array(weights, dtype=np.float32),
        bias=np.array(biases, dtype=np.float32),
    )
