"""Fitting a judge to people's labels: MiniLM embeddings and ridge regression.

Features of an item are the embedding of its answer, the elementwise product of the embeddings of
question and answer, their cosine and its square, and a few figures of the surface
(``judges/surface.py``): what is said, how it meets what was asked, and how it is put.

An answer said twice is worth no more than said once. Where a fit would give it more, the dimension
is fitted on every answer and on every answer twice over, with the same label.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness import embedding
from harness.digest import digest
from harness.errors import DataError, PluginError
from judges import surface
from judges.agreement import Estimate, estimate, spearman
from judges.labels import Labels

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Embed = Callable[[Sequence[str]], NDArray[np.float32]]

FEATURES = "answer, question*answer, cosine, cosine^2, " + ", ".join(surface.NAMES)
WIDTH = 2 * embedding.DIMENSIONS + 2 + len(surface.NAMES)
FOLDS = 5
STRENGTHS = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""Ridge penalties that cross-validation chooses from."""

_ANSWER_SCALE, _PRODUCT_SCALE, _FIGURE_SCALE = 27.0, 216.0, 20.0
# Components of unit vectors of 384 numbers are around 1/20 and their products around 1/400: the
# first two bring them near 1. The ten figures have to hold their own against 768 components: a
# larger scale is a smaller penalty. Chosen by cross-validation on the shipped labels' fit part.

MIN_ITEMS = 20


class FittedDimension(BaseModel):
    """One fitted dimension: where it comes from and how it fared in cross-validation.

    Attributes:
        strength: The ridge penalty.
        said_twice: Whether it was fitted on every answer twice over, too.
        cross_validated: Spearman of out-of-fold predictions with the labels, folds by question.
        items: Items that it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    low: float
    high: float
    strength: float
    said_twice: bool
    cross_validated: Estimate
    items: int


class FittedCard(BaseModel):
    """What a fitted judge's file says of itself."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = 2
    name: str
    embedding: str = embedding.VERSION
    features: str = FEATURES
    labels: str
    labels_digest: str
    split: str | None
    annotators: tuple[str, ...]
    own: bool
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
        low = [dimension.low for dimension in self.card.dimensions]
        high = [dimension.high for dimension in self.card.dimensions]
        return np.asarray(np.clip(raw, low, high).round(4))

    @property
    def digest(self) -> str:
        """Of the weights and what they were made from."""
        return digest(
            [self.card.model_dump(mode="json"), self.weights.tolist(), self.bias.tolist()]
        )

    def save(self, path: Path) -> None:
        """Write one safetensors file, the card in its header; never a pickle."""
        from safetensors.numpy import save_file

        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(path.name + ".part")
        save_file(
            {"weights": self.weights, "bias": self.bias},
            draft,
            metadata={"jostle_judge": self.card.model_dump_json()},
        )
        draft.replace(path)

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


def fit(
    labels: Labels,
    name: str,
    source: str,
    split: str | None = None,
    embed: Embed | None = None,
) -> FittedModel:
    """Fit one ridge regression a dimension; folds and penalty by question.

    Args:
        labels: Pointwise labels, already cut to the split to fit on.
        name: Of the judge.
        source: Where the labels come from, for the card.
        split: Which part of them this is, for the card.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Raises:
        DataError: Preferences instead of scores, too few items, or a dimension without variation.
    """
    if labels.items and labels.items[0].pairwise:
        raise DataError(f"{source}: a judge is fitted on scores, these labels are preferences")
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
                f"{source}: {dimension!r} has {len(rows)} labels with {len(np.unique(y))} different"
                f" values; at least {MIN_ITEMS} labels that differ are needed"
            )
        questions = [asked[row] for row in rows]
        once = Told(table[rows], y, questions)
        strength, predicted = _choose(once)
        weight, bias = _ridge(once, strength)
        pays = bool(((twice[rows] - table[rows]) @ weight).mean() > 0)
        if pays:
            both = once._replace(twice=twice[rows])
            strength, predicted = _choose(both)
            weight, bias = _ridge(both, strength)
        weights.append(weight)
        biases.append(bias)
        fitted.append(
            FittedDimension(
                name=dimension,
                low=low,
                high=high,
                strength=strength,
                said_twice=pays,
                cross_validated=estimate(spearman, list(predicted), list(y), questions),
                items=len(rows),
            )
        )
    return FittedModel(
        card=FittedCard(
            name=name,
            labels=source,
            labels_digest=labels.digest,
            split=split,
            annotators=tuple(labels.annotators),
            own=labels.own,
            dimensions=tuple(fitted),
        ),
        weights=np.array(weights, dtype=np.float32),
        bias=np.array(biases, dtype=np.float32),
    )


class Told(NamedTuple):
    """What one dimension is fitted on.

    Attributes:
        x: Features of the items, shape ``(items, WIDTH)``.
        y: Their labels.
        groups: Their questions: no fold holds part of one.
        twice: Features of the answers said twice, where they are fitted on, too.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    groups: Sequence[str]
    twice: NDArray[np.float64] | None = None

    def only(self, rows: NDArray[np.int64]) -> Told:
        """Some of the items."""
        return Told(
            self.x[rows],
            self.y[rows],
            [self.groups[row] for row in rows],
            None if self.twice is None else self.twice[rows],
        )


def _choose(told: Told) -> tuple[float, NDArray[np.float64]]:
    """The penalty with the least out-of-fold error, and honest out-of-fold predictions.

    The predictions come from nested folds: each fold's penalty is chosen without it, so that the
    agreement printed from them is not flattered by the choice.
    """
    predicted = np.empty_like(told.y)
    for train, test in _folds(told.groups):
        part = told.only(train)
        weight, bias = _ridge(part, _best(part))
        predicted[test] = told.x[test] @ weight + bias
    return _best(told), predicted


def _best(told: Told) -> float:
    errors = np.zeros(len(STRENGTHS))
    for train, test in _folds(told.groups):
        part = told.only(train)
        for position, strength in enumerate(STRENGTHS):
            weight, bias = _ridge(part, strength)
            errors[position] += ((told.x[test] @ weight + bias - told.y[test]) ** 2).sum()
    return float(STRENGTHS[int(errors.argmin())])


def _folds(groups: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import GroupKFold

    count = min(FOLDS, len(set(groups)))
    if count < 2:
        raise DataError("labels of one question alone cannot be cross-validated")
    return list(GroupKFold(count).split(np.zeros(len(groups)), groups=list(groups)))


def _ridge(told: Told, strength: float) -> tuple[NDArray[np.float64], float]:
    """Ridge regression on scaled features, folded back into plain weights."""
    from sklearn.linear_model import Ridge

    size = embedding.DIMENSIONS
    spread = told.x[:, 2 * size :].std(axis=0)
    scale = np.concatenate(
        [
            np.full(size, _ANSWER_SCALE),
            np.full(size, _PRODUCT_SCALE),
            _FIGURE_SCALE / np.where(spread > 1e-9, spread, np.inf),  # a constant says nothing
        ]
    )
    x, y = told.x, told.y
    if told.twice is not None:
        # Twice the items bear twice the penalty.
        x, y, strength = np.vstack([x, told.twice]), np.concatenate([y, y]), 2 * strength
    model = Ridge(alpha=strength, solver="cholesky").fit(x * scale, y)
    return np.asarray(model.coef_, dtype=np.float64) * scale, float(model.intercept_)
