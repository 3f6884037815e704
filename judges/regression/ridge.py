"""Ridge regression for a fitted judge: mix and penalty by cross-validation, length taken out again.

Where the labels come from several sources, whole sources are held out in turn, so that what is chosen
is what carries to a source that was not seen; and every source has an intercept of its own, so that
what tells sources apart (their style, their annotators' strictness) earns nothing. Every source weighs
the same. Otherwise folds are of whole questions.

An answer said twice is worth no more than said once, and a long answer no more than a short one
unless the labels say so. Where a fit would give a doubled answer more, it is fitted on every answer
and on every answer twice over, with the same label. What the out-of-fold predictions then still give
for length beyond what the labels give is subtracted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from harness.errors import DataError
from judges.regression.features import BLOCKS, LENGTH

if TYPE_CHECKING:
    from numpy.typing import NDArray

FOLDS = 5
MIN_SOURCES = 3
"""Sources from which on whole sources are held out."""

STRENGTHS = (30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0, 30000.0)
"""Ridge penalties that cross-validation chooses from."""

MIXES: dict[str, Mapping[str, float]] = {
    "embeddings": {"answer": 1.35, "product": 0.54, "nearness": 20.0, "surface": 20.0},
    "acts": {"acts": 1.0, "strongest": 1.0, "nearness": 1.0, "surface": 1.0, "signs": 1.0},
    "everything": {
        "answer": 1.0,
        "product": 1.0,
        "acts": 2.0,
        "strongest": 2.0,
        "nearness": 5.0,
        "surface": 5.0,
        "signs": 2.0,
    },
}
"""Scales of the standardised columns of each block; a larger scale is a smaller penalty.

``embeddings`` is what the judges of format 3 were fitted with.
"""

READERS_KEEP = 0.5
"""Share of its correlation with length that a label by a language model keeps.

Such readers pay for length more than people do: theirs of the shipped set correlate with it at 0.3 to
0.4 in chats and comments, people's ratings of such replies at 0.16.
"""


class TrainingItems(NamedTuple):
    """What one dimension is fitted on: features ``x`` of shape ``(items, WIDTH)`` and labels ``y``.

    Attributes:
        groups: Their questions: no fold holds part of one.
        sources: Where each comes from; all the same where that is not known.
        twice: Features of the answers said twice, where they are fitted on, too.
        length_kept: Share of the labels' correlation with length that predictions may have.
    """

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    groups: Sequence[str]
    sources: Sequence[str]
    twice: NDArray[np.float64] | None = None
    length_kept: float = 1.0

    def only(self, rows: NDArray[np.int64]) -> TrainingItems:
        """Return some of the items."""
        return TrainingItems(
            self.x[rows],
            self.y[rows],
            [self.groups[row] for row in rows],
            [self.sources[row] for row in rows],
            None if self.twice is None else self.twice[rows],
            self.length_kept,
        )

    @property
    def weights(self) -> NDArray[np.float64]:
        """Return the weight of each item, 1 on average, so that every source weighs the same."""
        counts = Counter(self.sources)
        each = len(self.sources) / len(counts)
        return np.array([each / counts[source] for source in self.sources])


class Line(NamedTuple):
    """A linear prediction, ``x @ weights + bias``; the other fields as in ``FittedDimension``."""

    weights: NDArray[np.float64]
    bias: float
    strength: float
    mix: str
    length: float

    def __call__(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return predictions of shape ``(items,)``."""
        return np.asarray(x @ self.weights + self.bias)


class _Choice(NamedTuple):
    mix: str
    strength: float
    predicted: NDArray[np.float64]


def fit_line(items: TrainingItems) -> Line:
    """Fit with the mix and penalty of least out-of-fold error; take out what length alone would pay.

    Raises:
        DataError: All items have the same question, so that nothing can be held out.
    """
    choice = _tune(items)
    weights, bias = next(
        fitted
        for strength, fitted in zip(STRENGTHS, _ridge(items, choice.mix), strict=True)
        if strength == choice.strength
    )
    if items.y.std() < 1e-9:  # the training part of a fold: constant labels pay nothing for length
        return Line(weights, bias, choice.strength, choice.mix, 0.0)
    size = items.x[:, LENGTH]
    by_length, predicted, labelled = (
        centred(values, items.sources) * np.sqrt(items.weights)
        for values in (size, choice.predicted, items.y)
    )
    spread = float(predicted.std() / labelled.std()) if labelled.std() > 1e-9 else 0.0
    earned = items.length_kept * _slope(by_length, labelled) * spread
    pays = _slope(by_length, predicted) - earned
    # Correlations are compared, not slopes: predictions spread less than labels do.
    weights[LENGTH] -= pays
    return Line(weights, bias + pays * float(size.mean()), choice.strength, choice.mix, float(pays))


def held_out(items: TrainingItems) -> NDArray[np.float64]:
    """Return out-of-fold predictions from nested folds of whole questions.

    Each fold's mix, penalty and length are chosen without it, so that the agreement computed from
    them is not flattered by the choice.
    """
    predicted = np.empty_like(items.y)
    for train, test in _by_question(items.groups):
        predicted[test] = fit_line(items.only(train))(items.x[test])
    return predicted


def sources_left_out(
    items: TrainingItems,
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.float64]]]:
    """Fit without each source in turn, and without its questions anywhere, and predict it.

    Mix, penalty and length are chosen without it, too.

    Yields:
        The source, its items and their predictions; nothing where there are fewer than
        ``MIN_SOURCES``.
    """
    for train, test in _by_source(items):
        yield items.sources[test[0]], test, fit_line(items.only(train))(items.x[test])


def _tune(items: TrainingItems) -> _Choice:
    """Return the mix and penalty that predict best out of fold, and the predictions with them.

    Of whole sources: the greatest correlation with the labels, length taken out of both, on average
    of the sources; of questions: the least squared error.
    """
    by_source = _by_source(items)
    folds = by_source or _by_question(items.groups)
    choices = []
    for mix in MIXES:
        predicted = np.empty((len(STRENGTHS), len(items.y)))
        for train, test in folds:
            for position, (weights, bias) in enumerate(_ridge(items.only(train), mix)):
                predicted[position, test] = items.x[test] @ weights + bias
        choices += [_Choice(mix, *row) for row in zip(STRENGTHS, predicted, strict=True)]
    if not by_source:
        return min(choices, key=lambda one: float(((one.predicted - items.y) ** 2).sum()))

    def carried(choice: _Choice) -> float:
        return float(
            np.mean(
                [
                    _beside_length(choice.predicted[test], items.y[test], items.x[test, LENGTH])
                    for _, test in by_source
                ]
            )
        )

    return max(choices, key=carried)


def _beside_length(
    a: NDArray[np.float64], b: NDArray[np.float64], size: NDArray[np.float64]
) -> float:
    """Return the partial correlation of a and b given length; 0 where one of them is constant."""
    size = size - size.mean()
    a, b = ((v - v.mean()) - _slope(size, v - v.mean()) * size for v in (a, b))
    scale = float(np.sqrt((a @ a) * (b @ b)))
    return float(a @ b) / scale if scale > 1e-9 else 0.0


def centred(values: NDArray[np.float64], sources: Sequence[str]) -> NDArray[np.float64]:
    """Return values (of items, or rows of columns) less the mean of their source."""
    centred = np.array(values, dtype=np.float64)
    names = np.array(sources)
    for name in dict.fromkeys(sources):
        centred[names == name] -= centred[names == name].mean(axis=0)
    return centred


def _slope(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Return the slope of the least-squares line of centred y on centred x; 0 where x is constant."""
    spread = float(x @ x)
    return float(x @ y) / spread if spread > 1e-9 else 0.0


def _by_question(groups: Sequence[str]) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    from sklearn.model_selection import GroupKFold

    count = min(FOLDS, len(set(groups)))
    if count < 2:
        raise DataError("labels of one question alone cannot be cross-validated")
    return list(GroupKFold(count).split(np.zeros(len(groups)), groups=list(groups)))


def _by_source(items: TrainingItems) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
    """Return folds of whole sources; none where there are too few sources."""
    names, groups = np.array(items.sources), np.array(items.groups)
    if len(set(items.sources)) < MIN_SOURCES:
        return []
    folds = []
    for name in dict.fromkeys(items.sources):
        test = names == name
        train = ~test & ~np.isin(groups, groups[test])
        folds.append((np.flatnonzero(train), np.flatnonzero(test)))
    return folds


def _ridge(items: TrainingItems, mix: str) -> list[tuple[NDArray[np.float64], float]]:
    """Fit with every penalty of ``STRENGTHS``: plain weights and bias, one intercept a source.

    One eigendecomposition of the Gram matrix gives the solutions for all penalties.
    """
    x, y, sources, each = items.x, items.y, list(items.sources), np.sqrt(items.weights)
    scale = np.zeros(x.shape[1])
    spread = x.std(axis=0)
    for block, size in MIXES[mix].items():
        columns = BLOCKS[block]
        # A constant column says nothing; that of embeddings is around 1/20 and 1/400 everywhere.
        scale[columns] = size / np.where(spread[columns] > 1e-9, spread[columns], np.inf)
    used = np.flatnonzero(scale)
    more = 1.0
    if items.twice is not None:
        # Twice the items bear twice the penalty.
        x, y, more = np.vstack([x, items.twice]), np.concatenate([y, y]), 2.0
        sources, each = sources * 2, np.concatenate([each, each])
    z = centred(x[:, used] * scale[used], sources) * each[:, None]
    values, vectors = np.linalg.eigh(z.T @ z)
    aim = vectors.T @ (z.T @ (centred(y, sources) * each))
    fits = []
    for strength in STRENGTHS:
        weights = np.zeros(items.x.shape[1])
        shrunk = aim / (np.maximum(values, 0.0) + more * strength)
        weights[used] = (vectors @ shrunk) * scale[used]
        fits.append((weights, float(y.mean() - x.mean(axis=0) @ weights)))
    return fits
