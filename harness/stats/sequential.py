"""Several looks at data that grow: boundaries, p-values and intervals that hold at every look.

Who tests at 5 % after 30, 60 and 90 prompts errs in more than 5 % of runs where nothing is true. With a
number of looks declared beforehand the error is spent little by little: until the k-th of K looks at
most the share that a spending function allows. Nobody has to say how many prompts lie between two looks.

Sources: Lan and DeMets 1983, Discrete Sequential Boundaries for Clinical Trials (alpha spending; here
the function of the O'Brien-Fleming type); Armitage, McPherson and Rowe 1969, Repeated Significance
Tests on Accumulating Data, and Jennison and Turnbull 2000, Group Sequential Methods, ch. 19 (the
recursive integration) and ch. 9 (repeated confidence intervals and p-values); Maurer and Bretz 2013,
Multiple Testing in Group Sequential Trials Using Graphical Approaches (Holm over such p-values).
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import brentq
from scipy.stats import norm, t

from harness.stats.closed_forms import Floats

POINTS = 401
"""Points of the integration at each look; the boundaries change in the fourth digit with half of them."""

FAR = 9.0
"""Standard deviations beyond which nothing is integrated."""

_LEVELS = np.concatenate([np.logspace(-7, -1.05, 48), np.linspace(0.1, 0.99, 24)])


def spent(alpha: float, time: float) -> float:
    """Return the error spent until a share ``time`` of the looks.

    ``2 - 2 Phi(z / sqrt(time))`` on each side, at half of ``alpha``: z cuts off a quarter of it.
    """
    return float(4 * norm.sf(norm.isf(alpha / 4) / math.sqrt(min(time, 1.0))))


@dataclass(frozen=True)
class GroupSequential:
    """Looks so far at a growing run, of those that were declared.

    Attributes:
        declared: Looks that were declared, at least as many as were made.
        information: What each look so far rested on (its answers), rising; the last is the current one.
            Only ratios count. Where information grows more slowly than the answers, neighbouring looks
            are more alike than is assumed, and the boundaries are on the safe side.

    Raises:
        ValueError: More looks than were declared, or information that does not rise.
    """

    declared: int
    information: tuple[float, ...]

    def __post_init__(self) -> None:
        rising = all(a < b for a, b in zip(self.information, self.information[1:], strict=False))
        if not self.information or self.information[0] <= 0 or not rising:
            raise ValueError(f"information must be positive and rise, not {self.information}")
        if len(self.information) > self.declared:
            raise ValueError(f"{len(self.information)} looks, {self.declared} declared")

    def boundary(self, alpha: float) -> float:
        """Return the two-sided critical value of a standard normal statistic at the current look."""
        return self._boundaries(alpha)[-1]

    def nominal(self, alpha: float) -> float:
        """Return the p-value, as if this look were the only one, that reaches ``alpha`` over all looks."""
        return alpha if self.declared == 1 else float(2 * norm.sf(self.boundary(alpha)))

    def _boundaries(self, alpha: float) -> list[float]:
        looks = range(1, len(self.information) + 1)
        shares = [spent(alpha, look / self.declared) for look in looks]
        return list(_walk(self.information, np.diff(shares, prepend=0.0)))

    def repeated_p(self, p: Floats) -> Floats:
        """Return each p-value as the least level at which the current look crosses its boundary.

        Args:
            p: Two-sided p-values as if this look were the only one; NaN stays.
        """
        if self.declared == 1:
            return p
        levels, crossed = _table(self)
        return np.where(np.isnan(p), np.nan, np.interp(norm.isf(p / 2), crossed, levels, left=1.0))

    def widening(self, level: float, n: int) -> float:
        """Return by how much an interval over n rows is wider than if this look were the only one."""
        if self.declared == 1 or n < 2:
            return 1.0
        tail = float(norm.sf(self.boundary(1 - level)))
        return float(t.isf(tail, n - 1) / t.isf((1 - level) / 2, n - 1))


@lru_cache(maxsize=64)
def _table(design: GroupSequential) -> tuple[Floats, Floats]:
    """Return levels, falling, and the boundary of the current look at each, rising."""
    crossed = np.array([design.boundary(float(level)) for level in _LEVELS])
    return _LEVELS[::-1], np.maximum.accumulate(crossed[::-1])


def false_alarm(information: Sequence[float], alpha: float) -> float:
    """Return how often tests at ``alpha`` at every look err at least once where nothing is true."""
    critical = float(norm.isf(alpha / 2))
    staying = _Walk(information[0])
    total = staying.stop(critical)
    for before, after in itertools.pairwise(information):
        staying.step(after - before)
        total += staying.stop(critical)
    return total


def _walk(information: Sequence[float], increments: Floats) -> Iterator[float]:
    """Yield the boundary of each look, at which just its increment of the error is spent."""
    staying = _Walk(information[0])
    for look, increment in enumerate(increments):
        if look:
            staying.step(information[look] - information[look - 1])
        critical = FAR
        if increment > staying.crossing(FAR):
            critical = float(
                brentq(lambda c: staying.crossing(c) - increment, 0.0, FAR, xtol=1e-8)  # noqa: B023
            )
        staying.stop(critical)
        yield critical


class _Walk:
    """The sum of growing data under the null hypothesis, as far as it has crossed no boundary.

    Args:
        information: Variance of the sum at the first look.
    """

    def __init__(self, information: float) -> None:
        self._information = information
        self._points = np.zeros(1)
        self._mass = np.ones(1)
        self._variance = information

    def step(self, more: float) -> None:
        """Let the data grow by ``more`` information."""
        self._information += more
        self._variance = more

    def crossing(self, critical: float) -> float:
        """Return the probability to stand beyond ``critical`` standard deviations now."""
        end, scale = critical * math.sqrt(self._information), math.sqrt(self._variance)
        beyond = norm.sf((end - self._points) / scale) + norm.cdf((-end - self._points) / scale)
        return float(self._mass @ beyond)

    def stop(self, critical: float) -> float:
        """Take out what stands beyond the boundary, and return its probability."""
        crossed = self.crossing(critical)
        end = critical * math.sqrt(self._information)
        points = np.linspace(-end, end, POINTS)
        distance = (points[:, None] - self._points[None, :]) / math.sqrt(self._variance)
        density = norm.pdf(distance) @ self._mass / math.sqrt(self._variance)
        self._points, self._mass = points, density * _simpson(points)
        return crossed


def _simpson(points: Floats) -> Floats:
    """Return the weights of Simpson's rule for an odd number of equidistant points."""
    weights = np.full(len(points), 2.0)
    weights[1::2] = 4.0
    weights[[0, -1]] = 1.0
    return np.asarray(weights * (points[1] - points[0]) / 3, dtype=np.float64)
