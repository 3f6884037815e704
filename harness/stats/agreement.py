"""Agreement of raters: rank correlations, weighted kappa, accuracy, alpha; with bootstrap intervals."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np
from pydantic import BaseModel, ConfigDict

from harness.util.digest import derived_seed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Statistic = Callable[[NDArray[np.float64], NDArray[np.float64]], float]

RESAMPLES = 2000
LEVEL = 0.95


class Coefficient(BaseModel):
    """A measure of agreement with its bootstrap interval; None if undefined (a constant rater)."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    value: float | None
    low: float | None = None
    high: float | None = None

    def __str__(self) -> str:
        if self.value is None:
            return "not defined"
        if self.low is None or self.high is None:
            return f"{self.value:.2f}"
        return f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]"


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Spearman's rho with mid-ranks for ties; nan if a rater is constant."""
    from scipy.stats import rankdata

    x, y = rankdata(a), rankdata(b)
    x, y = x - x.mean(), y - y.mean()
    scale = math.sqrt(float(x @ x) * float(y @ y))
    return float(x @ y) / scale if scale else math.nan


def kendall(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
    """Return Kendall's tau-b; nan if a rater is constant."""
    from scipy.stats import kendalltau

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # scipy warns of constant input; nan says so already
        return float(kendalltau(a, b).statistic)


def weighted_kappa(a: NDArray[np.float64], b: NDArray[np.float64], steps: Sequence[int]) -> float:
    """Return Cohen's kappa with quadratic weights on whole steps; values are rounded half up.

    Source: Cohen 1968, Weighted Kappa. nan if chance alone explains all (one step only).
    """
    low, count = steps[0], len(steps)
    x, y = ((rounded(v, steps) - low).astype(int) for v in (a, b))
    seen = np.zeros((count, count))
    np.add.at(seen, (x, y), 1)
    chance = np.outer(seen.sum(axis=1), seen.sum(axis=0)) / len(x)
    weights = (np.arange(count)[:, None] - np.arange(count)[None, :]) ** 2
    expected = float((weights * chance).sum())
    return 1 - float((weights * seen).sum()) / expected if expected else math.nan


def accuracy(a: NDArray[np.float64], b: NDArray[np.float64], steps: Sequence[int]) -> float:
    """Return the share of items on which both give the same whole step."""
    return float((rounded(a, steps) == rounded(b, steps)).mean())


def rounded(values: NDArray[np.float64], steps: Sequence[int]) -> NDArray[np.float64]:
    """Round values half up to whole steps of a scale."""
    return np.clip(np.floor(values + 0.5), steps[0], steps[-1])


def estimate(
    statistic: Statistic,
    a: Sequence[float],
    b: Sequence[float],
    clusters: Sequence[str],
    resamples: int | None = None,
) -> Coefficient:
    """Compute a statistic with its cluster-bootstrap percentile interval at 95 %.

    Whole clusters are drawn with replacement: answers to one question are not independent.
    ``resamples`` is ``RESAMPLES`` by default.
    Source: Field and Welsh 2007, Bootstrapping Clustered Data.
    """
    x, y = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    value = statistic(x, y) if len(x) else math.nan
    if math.isnan(value):
        return Coefficient(value=None)
    rows_of: dict[str, list[int]] = {}
    for index, cluster in enumerate(clusters):
        rows_of.setdefault(cluster, []).append(index)
    groups = [np.array(indices) for indices in rows_of.values()]
    if len(groups) < 2:
        return Coefficient(value=value)
    rng = np.random.default_rng(derived_seed(0, "agreement", len(x)))
    resamples = RESAMPLES if resamples is None else resamples
    drawn = []
    for _ in range(resamples):
        rows = np.concatenate([groups[i] for i in rng.integers(len(groups), size=len(groups))])
        drawn.append(statistic(x[rows], y[rows]))
    # A resample in which a rater is constant says nothing about the statistic.
    known = [value for value in drawn if not math.isnan(value)]
    if len(known) < resamples / 2:
        return Coefficient(value=value)
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(known, [tail, 1 - tail])
    return Coefficient(value=value, low=float(low), high=float(high))


def alpha(ratings: Sequence[Sequence[float | None]], level: str = "interval") -> float | None:
    """Return Krippendorff's alpha of several raters.

    ``1 - observed / expected`` disagreement, both mean squared differences of two ratings: within an
    item, each item's pairs weighted by ``1 / (m - 1)`` of its m ratings, and among all n ratings of
    items that have two or more. For squared differences both follow from sums and sums of squares,
    ``sum_ij (x_i - x_j)^2 = 2 (m sum x^2 - (sum x)^2)``, so no table of pairs of values is made. The
    ordinal metric is the squared difference of mid-ranks.
    Source: Krippendorff 2011, Computing Krippendorff's Alpha-Reliability.

    Args:
        ratings: One sequence a rater, of equal length; None is a missing rating.
        level: ``ordinal`` or ``interval``.

    Returns:
        At most 1, or None if it is not defined (fewer than two raters, no two ratings of one
        item, or all values equal).

    Raises:
        ValueError: The level is another one.
    """
    if level not in ("interval", "ordinal"):
        raise ValueError(f"level of measurement must be interval or ordinal, not {level!r}")
    table = np.array(ratings, dtype=np.float64)  # None becomes nan
    if table.ndim != 2 or len(table) < 2:
        return None
    table = table[:, (~np.isnan(table)).sum(axis=0) >= 2]
    present = ~np.isnan(table)
    values = table[present]
    if not values.size or np.ptp(values) == 0:
        return None
    if level == "ordinal":
        from scipy.stats import rankdata

        values = rankdata(values)
    values = values - values.mean()  # so that sums of squares keep their digits
    centred = np.zeros_like(table)
    centred[present] = values
    per_item = present.sum(axis=0)
    spread = per_item * (centred**2).sum(axis=0) - centred.sum(axis=0) ** 2
    n = len(values)
    observed = float((spread / (per_item - 1)).sum()) / n
    expected = (n * float(values @ values) - float(values.sum()) ** 2) / (n * (n - 1))
    return 1 - observed / expected
