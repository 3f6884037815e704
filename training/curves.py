"""Reading a training's logged curve: losses by step, and where they turn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any


def series(history: Sequence[Mapping[str, Any]], key: str) -> list[tuple[int, float]]:
    """``(step, value)`` of every logged row that has ``key``, in order of the steps."""
    return [(int(row["step"]), float(row[key])) for row in history if row.get(key) is not None]


def stale(values: Sequence[float], threshold: float = 0.0) -> int:
    """How many evaluations have passed since the last improvement; higher values are better."""
    best, since = -math.inf, 0
    for value in values:
        if value > best + threshold:
            best, since = value, 0
        else:
            since += 1
    return since


def turning_point(history: Sequence[Mapping[str, Any]]) -> tuple[int, float, float] | None:
    """Where the validation loss turned up while the training loss went on falling.

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
    """``exp`` of a loss in nats; infinity where that overflows."""
    try:
        return math.exp(loss)
    except OverflowError:
        return math.inf
