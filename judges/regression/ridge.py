"""Ridge regression for a fitted judge: the penalty by cross-validation, length taken out again.

An answer said twice is worth no more than said once, and a long answer no more than a short one
unless people say so. Where a fit would give a doubled answer more, it is fitted on every answer and
on every answer twice over, with the same label. What the out-of-fold predictions then still give
for length beyond what the labels give is subtracted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import DataError
from harness.text import embedding
from judges.regression.features import FIGURES, LENGTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
STRENGTHS = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0)
"""Ridge penalties that cross-validation chooses from."""

_ANSWER_SCALE, _PRODUCT_SCALE, _FIGURE_SCALE = 27.0, 216.0, 20.0
# Components of unit vectors of 384 numbers are around 1/20 and their products around 1/400: the
# first two bring them near 1. The ten figures have to hold their own against 768 components: a
# larger scale is a smaller penalty. Chosen by cross-validation on the shipped labels' fit part.


class TrainingItems(NamedTuple):
    """What one dimension is fitted on: features ``x`` of shape ``(items, WIDTH)`` and labels ``y``.

    Attributes:
        groups: Their questions: no fold holds part of one.
        twice: Features of the answers said twice, where they are fitted on, too.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    groups: Sequence[str]
    twice: NDArray[np.float64] | None = None

    def only(self, rows: NDArray[np.int64]) -> TrainingItems:
        """Return some of the items."""
        return TrainingItems(
            self.x[rows],
            self.y[rows],
            [self.groups[row] for row in rows],
            None if self.twice is None else self.twice[rows],
        )


class Line(NamedTuple):
    """A linear prediction, ``x @ weights + bias``; the other fields as in ``FittedDimension``."""

    weights: NDArray[np.float64]
    bias: float
    strength: float
    length: float

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions of shape ``(items,)``."""
        return np.asarray(x @ self.weights + self.bias)


def fit_line(items: TrainingItems) -> Line:
    """Fit with the penalty of least out-of-fold error, and take out what length alone would pay.

    Raises:
        DataError: All items have the same question, so that nothing can be held out.
    """
    strength, predicted = _tune(items)
    weights, bias = _ridge(items, strength)
    size = items.x[:, LENGTH]
    if items.y.std() < 1e-9:  # the training part of a fold: constant labels pay nothing for length
        return Line(weights, bias, strength, 0.0)
    pays = _slope(size, predicted) - _slope(size, items.y) * float(predicted.std() / items.y.std())
    # Correlations are made equal, not slopes: predictions spread less than labels do.
    weights[LENGTH] -= pays
    return Line(weights, bias + pays * float(size.mean()), strength, pays)


def held_out(items: TrainingItems) -> NDArray[np.float64]:
    """Return out-of-fold predictions from nested folds.

    Each fold's penalty and length are chosen without it, so that the agreement computed from them
    is not flattered by the choice.
    """
    predicted = np.empty_like(items.y)
    for train, test in _folds(items.groups):
        predicted[test] = fit_line(items.only(train))(items.x[test])
    return predicted


def _tune(items: TrainingItems) -> tuple[float, NDArray[np.float64]]:
    """Return the penalty of least out-of-fold error, and the out-of-fold predictions with it."""
    predicted = np.empty((len(STRENGTHS), len(items.y)))
    for train, test in _folds(items.groups):
        part = items.only(train)
        for position, strength in enumerate(STRENGTHS):
            weights, bias = _ridge(part, strength)
            predicted[position, test] = items.x[test] @ weights + bias
    best = int(((predicted - items.y) ** 2).sum(axis=1).argmin())
    return STRENGTHS[best], predicted[best]


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the slope of the least-squares line of y on x; 0 where x is constant."""
    centred = x - x.mean()
    spread = float(centred @ centred)
    return float(centred @ y) / spread if spread > 1e-9 else 0.0


def _folds(groups: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import GroupKFold

    count = min(FOLDS, len(set(groups)))
    if count < 2:
        raise DataError("labels of one question alone cannot be cross-validated")
    return list(GroupKFold(count).split(np.zeros(len(groups)), groups=list(groups)))


def _ridge(items: TrainingItems, strength: float) -> tuple[NDArray[np.float64], float]:
    """Ridge regression on scaled features, folded back into plain weights."""
    from sklearn.linear_model import Ridge

    size = embedding.DIMENSIONS
    spread = items.x[:, FIGURES:].std(axis=0)
    scale = np.concatenate(
        [
            np.full(size, _ANSWER_SCALE),
            np.full(size, _PRODUCT_SCALE),
            _FIGURE_SCALE / np.where(spread > 1e-9, spread, np.inf),  # a constant says nothing
        ]
    )
    x, y = items.x, items.y
    if items.twice is not None:
        # Twice the items bear twice the penalty.
        x, y, strength = np.vstack([x, items.twice]), np.concatenate([y, y]), 2 * strength
    model = Ridge(alpha=strength, solver="cholesky").fit(x * scale, y)
    return np.asarray(model.coef_, dtype=np.float64) * scale, float(model.intercept_)
