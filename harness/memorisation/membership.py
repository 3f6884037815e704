"""Membership scores from token log-probabilities, and how well they separate seen from unseen text.

All scores are higher for texts that the model has more likely been trained on:

=============  ==================================================================================
``loss``       mean log-probability of the tokens (Yeom et al. 2018)
``min_k``      mean of the lowest k of them (Shi et al. 2024, Min-K% Prob, k = 20 %)
``min_k_pp``   the same of (log p - mean) / std, mean and std being those of log p over the
               vocabulary at that position (Zhang et al. 2024, Min-K%++)
=============  ==================================================================================
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from scipy import stats as distributions
from scipy.special import expit

from harness.records import TokenLogprobs
from harness.stats.closed_forms import Floats, wilson

K = 0.2
_LEAST_STD = 1e-6


def membership_scores(ratings: TokenLogprobs, k: float = K) -> dict[str, float]:
    """Compute the scores of one text; without the moments over the vocabulary no ``min_k_pp``.

    Raises:
        ValueError: No tokens were rated.
    """
    logprobs = np.asarray(ratings.logprobs, dtype=np.float64)
    if not logprobs.size:
        raise ValueError("no tokens were rated")
    scores = {"loss": float(logprobs.mean()), "min_k": lowest_mean(logprobs, k)}
    if len(ratings.means) == len(ratings.stds) == logprobs.size:
        stds = np.maximum(np.asarray(ratings.stds), _LEAST_STD)
        scores["min_k_pp"] = lowest_mean((logprobs - np.asarray(ratings.means)) / stds, k)
    return scores


def lowest_mean(values: Floats, k: float) -> float:
    """Average the lowest share ``k`` of the values, at least one of them."""
    count = max(1, int(len(values) * k))
    return float(np.sort(values)[:count].mean())


class Auc(NamedTuple):
    """Area under the ROC curve with its interval."""

    value: float
    low: float
    high: float


def auc(members: Floats, others: Floats, level: float = 0.95) -> Auc | None:
    """Estimate the probability that a member scores above a non-member, ties counting half.

    DeLong, DeLong and Clarke-Pearson (1988) for the variance, the interval on the logit scale.
    Where one group lies wholly above the other that variance is zero; there the open end is
    Wilson's with as many trials as the smaller group has members.

    Args:
        members: One score a training prompt; prompts are independent.
        others: One score a clean prompt. With fewer than two in a group there is no estimate.
        level: Confidence level.
    """
    m, n = len(members), len(others)
    if m < 2 or n < 2:
        return None
    ranks = distributions.rankdata(np.concatenate([members, others]))
    inside = distributions.rankdata(members), distributions.rankdata(others)
    first = (ranks[:m] - inside[0]) / n  # share of the others that each member exceeds
    second = 1 - (ranks[m:] - inside[1]) / m
    value = float(first.mean())
    variance = float(first.var(ddof=1)) / m + float(second.var(ddof=1)) / n
    if variance <= 0 or value in (0.0, 1.0):
        low, high = wilson(value, min(m, n), level)
        return Auc(value, low, high)
    z = float(distributions.norm.ppf((1 + level) / 2))
    centre = math.log(value / (1 - value))
    half = z * math.sqrt(variance) / (value * (1 - value))
    return Auc(value, float(expit(centre - half)), float(expit(centre + half)))
