"""A judge fitted to people's labels: MiniLM embeddings and ridge regression, and its file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from harness.errors import DataError, PluginError
from harness.judging.calibration_records import LeftOutSource
from harness.judging.labels import Labels, annotator_basis, said_sources
from harness.stats.agreement import Coefficient, estimate, spearman
from harness.text import embedding
from harness.util.digest import digest
from harness.util.files import make_folder, replacing
from judges.regression.features import FEATURES, LENGTH, WIDTH, features
from judges.regression.ridge import (
    READERS_KEEP,
    TrainingItems,
    centred,
    fit_line,
    held_out,
    sources_left_out,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.text.embedding import Embed

    _Unseen = tuple[str, NDArray[np.int64], NDArray[np.float64]]
    """A source, its items, and their predictions by a fit without it."""

MIN_ITEMS = 20

FORMAT = 4
"""Of the file; 4 added acts and signs to the features, and how a judge fares on other sources."""


class FittedDimension(BaseModel):
    """One fitted dimension: where it comes from and how it fared in cross-validation.

    Attributes:
        strength: The ridge penalty.
        mix: The blocks of features that it rests on (``judges.regression.ridge.MIXES``).
        said_twice: Whether it was fitted on every answer twice over, too.
        length: What was subtracted for each unit of the logarithm of the words.
        cross_validated: Spearman of out-of-fold predictions with the labels, folds by question; of
            three or more sources, each predicted from the others, both less their source's mean.
        items: Items that it was fitted on.
        measured_on: What these items are, in words.
        left_out: How it does on each source when fitted without it; empty below three sources.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    low: float
    high: float
    strength: float
    mix: str
    said_twice: bool
    length: float
    cross_validated: Coefficient
    items: int
    measured_on: str
    left_out: tuple[LeftOutSource, ...] = ()


class FittedCard(BaseModel):
    """Description of a fitted judge, in its file.

    Attributes:
        authors_only: All labels came from those who made the labelled set (``own`` in the file).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: int = FORMAT
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
                text = (file.metadata() or {})["jostle_judge"]
                if (made := json.loads(text).get("format")) != FORMAT:
                    raise PluginError(
                        f"{path} is a fitted judge of format {made}, this version reads {FORMAT};"
                        " fit it again with jostle calibrate LABELS --fit NAME"
                    )
                card = FittedCard.model_validate_json(text)
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


class LabelTable(NamedTuple):
    """Labelled items as numbers, which is all that a fit needs of them.

    Attributes:
        x: Features, shape ``(items, WIDTH)``.
        twice: Features of the answers said twice, same shape.
        scores: Of each dimension, shape ``(items,)``, nan where an item has no label.
        questions: The question of each item, or any name of it.
        sources: Where each item comes from.
        made: Whether it was made by rule, so that it is fitted on but no agreement counts it.
    """

    x: NDArray[np.float64]
    twice: NDArray[np.float64]
    scores: dict[str, NDArray[np.float64]]
    questions: tuple[str, ...]
    sources: tuple[str, ...]
    made: tuple[bool, ...]

    def joined(self, other: LabelTable) -> LabelTable:
        """Return the items of both; a dimension that one lacks has no labels there."""
        sizes = len(self.questions), len(other.questions)
        none = [np.full(size, np.nan) for size in sizes]
        names = sorted({*self.scores, *other.scores})
        return LabelTable(
            x=np.vstack([self.x, other.x]),
            twice=np.vstack([self.twice, other.twice]),
            scores={
                name: np.concatenate(
                    [self.scores.get(name, none[0]), other.scores.get(name, none[1])]
                )
                for name in names
            },
            questions=self.questions + other.questions,
            sources=self.sources + other.sources,
            made=self.made + other.made,
        )


def label_table(labels: Labels, embed: Embed | None = None) -> LabelTable:
    """Turn labels into numbers.

    Raises:
        DataError: Preferences instead of scores.
    """
    if labels.items and labels.items[0].pairwise:
        raise DataError(
            f"{labels.source}: a judge is fitted on scores, these labels are preferences"
        )
    asked = [item.first.question for item in labels.items]
    answers = [item.first.answer or "" for item in labels.items]
    scores = {
        name: np.array(
            [np.nan if (s := item.score(name)) is None else s for item in labels.items],
            dtype=np.float64,
        )
        for name in labels.dimensions
    }
    return LabelTable(
        x=features(asked, answers, embed),
        twice=features(asked, [f"{answer}\n{answer}" for answer in answers], embed),
        scores=scores,
        questions=tuple(asked),
        sources=tuple(item.first.source or "" for item in labels.items),
        made=(False,) * len(labels.items),
    )


def fit(labels: Labels, name: str, embed: Embed | None = None) -> FittedModel:
    """Fit one ridge regression a dimension to pointwise labels; folds and penalty by question.

    Raises:
        DataError: Preferences instead of scores, too few items, or a dimension without variation.
    """
    table = label_table(labels, embed)
    return fit_table(
        table,
        labels.source,
        FittedCard(
            name=name,
            labels=labels.source,
            labels_digest=labels.digest,
            split=labels.split,
            annotators=tuple(labels.annotators),
            own=labels.authors_only,
            dimensions=(),
        ),
    )


def fit_table(table: LabelTable, source: str, card: FittedCard) -> FittedModel:
    """Fit every dimension of a table of labels.

    Args:
        table: The labelled items.
        source: The labels' file, for messages.
        card: The description of the judge, without its dimensions.

    Raises:
        DataError: Too few items, or a dimension without variation.
    """
    # One scale for all: a dimension on which nobody gave the lowest step has it all the same.
    every = np.concatenate([scores[~np.isnan(scores)] for scores in table.scores.values()])
    low, high = float(np.floor(every.min())), float(np.ceil(every.max()))
    readers = any(annotator_basis(name) == "readers" for name in card.annotators)
    kept = READERS_KEEP if readers else 1.0
    fitted, weights, biases = [], [], []
    for dimension, scores in sorted(table.scores.items()):
        rows = np.flatnonzero(~np.isnan(scores))
        y = scores[rows]
        if len(rows) < MIN_ITEMS or len(np.unique(y)) < 2:
            raise DataError(
                f"{source}: {dimension!r} has {len(rows)} labels with {len(np.unique(y))} different"
                f" values; at least {MIN_ITEMS} labels that differ are needed"
            )
        training = TrainingItems(
            table.x[rows],
            y,
            [table.questions[row] for row in rows],
            [table.sources[row] for row in rows],
            length_kept=kept,
        )
        line = fit_line(training)
        pays = bool((line(table.twice[rows]) - line(training.x)).mean() > 0)
        if pays:
            training = training._replace(twice=table.twice[rows])
            line = fit_line(training)
        weights.append(line.weights)
        biases.append(line.bias)
        counted = ~np.array([table.made[row] for row in rows])
        unseen = [
            (name, test[counted[test]], predicted[counted[test]])
            for name, test, predicted in sources_left_out(training)
        ]
        fitted.append(
            FittedDimension(
                name=dimension,
                low=low,
                high=high,
                strength=line.strength,
                mix=line.mix,
                said_twice=pays,
                length=line.length,
                cross_validated=_cross_validated(training, unseen),
                items=len(rows),
                measured_on=said_sources(training.sources, source),
                left_out=tuple(_left_out(training, *one) for one in unseen),
            )
        )
    return FittedModel(
        card=card.model_copy(update={"dimensions": tuple(fitted)}),
        weights=np.array(weights, dtype=np.float32),
        bias=np.array(biases, dtype=np.float32),
    )


def _cross_validated(training: TrainingItems, unseen: Sequence[_Unseen]) -> Coefficient:
    if not unseen:
        return estimate(spearman, list(held_out(training)), list(training.y), training.groups)
    counted = training.only(np.concatenate([rows for _, rows, _ in unseen]))
    judged = centred(np.concatenate([values for *_, values in unseen]), counted.sources)
    return estimate(
        spearman, list(judged), list(centred(counted.y, counted.sources)), counted.groups
    )


def _left_out(
    training: TrainingItems, source: str, rows: NDArray[np.int64], predicted: NDArray[np.float64]
) -> LeftOutSource:
    labels, size = training.y[rows], training.x[rows, LENGTH]
    questions = [training.groups[row] for row in rows]
    return LeftOutSource(
        source=source,
        items=len(rows),
        spearman=estimate(spearman, list(predicted), list(labels), questions),
        length_rho=_defined(spearman(predicted, size)),
        labels_length_rho=_defined(spearman(labels, size)),
    )


def _defined(value: float) -> float | None:
    return None if np.isnan(value) else value
