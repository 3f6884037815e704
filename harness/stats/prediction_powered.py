"""Means of people's labels, with a judge's values on every prompt to make the few labels go further.

For ``n`` prompts drawn at random among ``N``, people's value ``y`` and the judge's value ``f`` of the
very same answers, and the judge's value ``F`` of every prompt::

    mean(y - w f over the labelled) + w mean(F over all)

estimates people's mean over all prompts without bias, whatever the judge is and whatever ``w`` is:
a judge without any worth makes the interval no narrower, and a biased one does not move it. ``w`` is
the one that makes the variance least (power tuning), taken over clusters; it is not held in [0, 1],
since people and judge may use different scales.

Sources: Angelopoulos, Duchi and Zrnic 2023, PPI++: Efficient Prediction-Powered Inference
(arXiv:2311.01453); with labelled prompts among all it is the regression estimator of double sampling,
Cochran 1977, Sampling Techniques, section 12.6. Standard error: the jackknife that leaves out a whole
cluster at a time and estimates ``w`` anew (Efron and Tibshirani 1993, ch. 11), separately for clusters
with and without labels, since which are labelled is fixed by the draw. What was chosen, and against
what, is measured by ``tests/benchmarks/prediction_powered.py``.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import t

from harness.stats.bootstrap import away_from_median, student_interval
from harness.stats.closed_forms import Floats, student_quantile
from harness.stats.cluster_sums import Clustered, ClusterSums

MIN_CLUSTERS = 8
"""Fewest labelled clusters for which an interval is given."""

MIN_AWAY = 5
"""Fewest labelled prompts away from the median of people's values for the judge to be of use."""

_PARTS = 5
_ABOVE = np.triu_indices(_PARTS)


class PeopleMean(NamedTuple):
    """A mean of people's values over all prompts.

    Attributes:
        mean: With the judge's help.
        low: Lower end; NaN with fewer than ``MIN_CLUSTERS`` labelled clusters.
        high: Upper end.
        se: Standard error.
        p: Two-sided, of the mean being zero.
        weight: What the judge's values were multiplied by.
        prompts: Prompts in all.
        labelled: Prompts with a label.
        clusters: Clusters with a label.
        correlation: Of people and judge on the labelled prompts; NaN where either does not vary.
        sd: Of people's values over the labelled prompts.
        alone: Mean of people's values, lower and upper end, without the judge.
    """

    mean: float
    low: float
    high: float
    se: float
    p: float
    weight: float
    prompts: int
    labelled: int
    clusters: int
    correlation: float
    sd: float
    alone: tuple[float, float, float]


def people_mean(
    people: Floats,
    judged: Floats,
    judge: Floats,
    clusters: NDArray[np.int64],
    *,
    span: float,
    level: float = 0.95,
) -> PeopleMean | None:
    """Estimate people's mean over all prompts from labels of some, drawn at random.

    Args:
        people: People's value of each prompt, shape (prompts,); NaN where nobody labelled it.
        judged: The judge's value of the very answers that people labelled, likewise.
        judge: The judge's value of each prompt, no NaN: the same on average as ``judged``.
        clusters: Number of each prompt's cluster; clusters are independent, prompts within need not be.
        span: Width of the scale of people's values: where nearly all of them are equal, the interval
            is that of :func:`~harness.stats.bootstrap.student_interval` on people's values alone.
        level: Confidence level.

    Returns:
        None with fewer than two labelled clusters.
    """
    sums = _cluster_sums(people, judged, judge, clusters)
    with_labels = np.flatnonzero(sums[:, 3] > 0)
    count = len(with_labels)
    if count < 2:
        return None
    chosen = ~np.isnan(people)
    y, f = people[chosen], judged[chosen]
    alone = _alone(sums[with_labels], level)
    if int(away_from_median(y[:, None])[0]) < MIN_AWAY:
        mean, weight = float(y.mean()), 0.0
        by_people = ClusterSums.of(Clustered(y[:, None], clusters[chosen]))
        low, high, se, _ = student_interval(by_people, 0, level=level, span=span)
        alone = (mean, low, high)
    else:
        estimates, weights, _ = _solve(np.ones((1, len(sums))), sums)
        mean, weight = float(estimates[0]), float(weights[0])
        se = _jackknife(sums, with_labels)
        low, high = _ends(mean, se, count - 1, level)
    if count < MIN_CLUSTERS:
        low = high = math.nan
    varies = len(y) > 2 and float(np.ptp(y)) > 0 and float(np.ptp(f)) > 0
    return PeopleMean(
        mean=mean,
        low=low,
        high=high,
        se=se,
        p=_p_value(mean, se, count - 1),
        weight=weight,
        prompts=len(people),
        labelled=int(chosen.sum()),
        clusters=count,
        correlation=float(np.corrcoef(y, f)[0, 1]) if varies else math.nan,
        sd=float(y.std(ddof=1)),
        alone=alone,
    )


def half_width(sd: float, correlation: float, labels: int, prompts: int) -> float:
    """Return half the width of the 95 % interval that a number of labels will give.

    ``t sd sqrt(1/n (1 - r^2 (1 - n/N)))``: the variance of the regression estimator of double sampling
    (Cochran 1977, formula 12.51 to first order), n labels among N prompts.

    Args:
        sd: Standard deviation of people's values over prompts.
        correlation: Of people's and the judge's values over prompts.
        labels: Prompts that are labelled.
        prompts: Prompts in all.
    """
    share = min(labels / prompts, 1.0)
    variance = sd**2 / labels * (1 - correlation**2 * (1 - share))
    return student_quantile(0.95, max(labels - 1, 1)) * math.sqrt(variance)


def _cluster_sums(
    people: Floats, judged: Floats, judge: Floats, clusters: NDArray[np.int64]
) -> Floats:
    """Add up y, f, F, labels and prompts within each cluster, shape (clusters, 5)."""
    labelled = ~np.isnan(people)
    _, number = np.unique(clusters, return_inverse=True)
    columns = (
        np.where(labelled, people, 0.0),
        np.where(labelled, judged, 0.0),
        judge,
        labelled.astype(np.float64),
        np.ones(len(judge)),
    )
    return np.stack([np.bincount(number, weights=column) for column in columns], axis=1)


def _solve(weights: Floats, sums: Floats) -> tuple[Floats, Floats, Floats]:
    """Return estimate, weight of the judge and linearised standard error, each of shape (rows,).

    The estimate is a sum over clusters of ``a - w b`` to first order, with ``a`` from people's values
    and ``b`` from the judge's; the least variance is at ``w = sum(a b) / sum(b^2)``.

    Args:
        weights: How often each cluster is taken, shape (rows, clusters).
        sums: See :func:`_cluster_sums`.
    """
    totals = weights @ sums
    upper = weights @ (sums[:, _ABOVE[0]] * sums[:, _ABOVE[1]])
    products = np.empty((len(weights), _PARTS, _PARTS))
    products[:, _ABOVE[0], _ABOVE[1]] = products[:, _ABOVE[1], _ABOVE[0]] = upper
    labels, prompts = totals[:, 3], totals[:, 4]
    y, f, everywhere = totals[:, 0] / labels, totals[:, 1] / labels, totals[:, 2] / prompts
    zero = np.zeros(len(weights))
    a = np.stack([1 / labels, zero, zero, -y / labels, zero], axis=1)
    b = np.stack([zero, 1 / labels, -1 / prompts, -f / labels, everywhere / prompts], axis=1)
    aa, ab, bb = (
        np.einsum("ri,rij,rj->r", one, products, two) for one, two in ((a, a), (a, b), (b, b))
    )
    # With every prompt labelled, or a judge that never varies, b is rounding alone.
    size = np.einsum("ri,rij,rj->r", np.abs(b), np.abs(products), np.abs(b))
    useful = bb > 1e-9 * size
    w = np.where(useful, ab / np.where(useful, bb, 1.0), 0.0)
    variance = np.maximum(aa - 2 * w * ab + w**2 * bb, 0.0)
    return y + w * (everywhere - f), w, np.sqrt(variance)


def _jackknife(sums: Floats, with_labels: NDArray[np.int64]) -> float:
    """Return the standard error by leaving out one cluster at a time."""
    without, _, _ = _solve(1.0 - np.eye(len(sums)), sums)
    others = np.setdiff1d(np.arange(len(sums)), with_labels)
    variance = sum(
        (len(group) - 1) / len(group) * float(((without[group] - without[group].mean()) ** 2).sum())
        for group in (with_labels, others)
        if len(group) > 1
    )
    return math.sqrt(variance)


def _alone(sums: Floats, level: float) -> tuple[float, float, float]:
    """Return people's mean with its interval, from the labelled clusters alone."""
    count, labels = len(sums), float(sums[:, 3].sum())
    mean = float(sums[:, 0].sum()) / labels
    residuals = (sums[:, 0] - mean * sums[:, 3]) / labels
    se = math.sqrt(count / (count - 1) * float((residuals**2).sum()))
    if count < MIN_CLUSTERS:
        return mean, math.nan, math.nan
    return mean, *_ends(mean, se, count - 1, level)


def _ends(mean: float, se: float, df: int, level: float) -> tuple[float, float]:
    half = student_quantile(level, df) * se
    return mean - half, mean + half


def _p_value(mean: float, se: float, df: int) -> float:
    if se <= 0:
        return 1.0 if mean == 0 else 0.0
    return float(2 * t.sf(abs(mean) / se, df))
