"""Figures, counts, lists and durations for people, with no digit beyond the uncertainty."""

from __future__ import annotations

import math
from typing import Protocol

MINUS = "\N{MINUS SIGN}"


def decimals(width: float) -> int:
    """Return the digits after the point for a figure whose interval has this width."""
    if not math.isfinite(width) or width <= 0 or width >= 0.02:
        return 2
    return 3 if width >= 0.002 else 4


def figure(value: float | None, digits: int = 2, *, sign: bool = False) -> str:
    """Return ``value`` with a true minus sign; ``–`` for none."""
    if value is None:
        return "–"
    text = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    if float(text) == 0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)


class HasInterval(Protocol):
    """A mean with its confidence interval; None is "cannot be said"."""

    @property
    def mean(self) -> float | None:
        """Return the mean."""

    @property
    def low(self) -> float | None:
        """Return the lower end."""

    @property
    def high(self) -> float | None:
        """Return the upper end."""


def with_interval(estimate: HasInterval | None, *, sign: bool = False, flip: bool = False) -> str:
    """Write ``+0.42 [0.25, 0.60]``; with ``flip`` the negative of the estimate."""
    if estimate is None or estimate.mean is None:
        return "not measured"
    mean, low, high = estimate.mean, estimate.low, estimate.high
    if flip:
        mean, low, high = -mean, None if high is None else -high, None if low is None else -low
    if low is None or high is None:
        return f"{figure(mean, 2, sign=sign)} (too few prompts for an interval)"
    digits = decimals(high - low)
    return f"{figure(mean, digits, sign=sign)} [{figure(low, digits)}, {figure(high, digits)}]"


def plural(count: int, noun: str) -> str:
    """Return ``1 prompt``, ``24 prompts``."""
    return f"{count:,} {noun if count == 1 else noun + 's'}"


def duration(seconds: float) -> str:
    """Return ``45 s``, ``12 min`` or ``3.5 h``."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def listing(items: list[str]) -> str:
    """Return ``a``, ``a and b``, ``a, b and c``."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
