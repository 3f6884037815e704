"""A training's logged curve: losses by step, where they turn, before and after."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Curve = Sequence[Mapping[str, Any]]
"""The rows that a training logged, in order; each has ``step``."""


def series(history: Curve, key: str) -> list[tuple[int, float]]:
    """Return ``(step, value)`` of every logged row that has ``key``, in order of the steps."""
    return [(int(row["step"]), float(row[key])) for row in history if row.get(key) is not None]


def stale(values: Sequence[float], threshold: float = 0.0) -> int:
    """Count the evaluations since the last improvement; higher values are better."""
    best, since = -math.inf, 0
    for value in values:
        if value > best + threshold:
            best, since = value, 0
        else:
            since += 1
    return since


def turning_point(history: Curve) -> tuple[int, float, float] | None:
    """Find where the validation loss turned up while the training loss went on falling.

    Returns:
        Step and value of the lowest validation loss, and its value now; None where the last two
        evaluations are not both above it, or the training loss has not fallen since.
    """
    losses = series(history, "eval_loss")
    if len(losses) < 3:
        return None
    step, best = min(losses, key=lambda pair: pair[1])
    after = [value for at, value in losses if at > step]
    if len(after) < 2 or min(after[-2:]) <= best:
        return None
    training = series(history, "loss")
    before = [value for at, value in training if at <= step]
    since = [value for at, value in training if at > step]
    if before and since and since[-1] >= before[-1]:
        return None
    return step, best, losses[-1][1]


def perplexity(loss: float) -> float:
    """Return ``exp`` of a loss in nats; infinity where that overflows."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf


def loss_figures(curve: Curve, best_step: int | None) -> dict[str, Any]:
    """Return the losses before and after a training.

    ``best_step`` is that of the final weights, where it is not the last one.
    """
    training, losses = series(curve, "loss"), series(curve, "eval_loss")
    after = next((value for step, value in losses if step == best_step), None)
    if after is None and losses:
        after = losses[-1][1]
    figures: dict[str, Any] = {
        "best_step": best_step,
        "loss_last": training[-1][1] if training else None,
        "eval_loss_before": losses[0][1] if losses and losses[0][0] == 0 else None,
        "eval_loss_after": after,
    }
    if after is not None:
        figures["eval_perplexity_after"] = perplexity(after)
    return figures
