"""Proof by simulation: a judge that favours one subject, and the interval that people's labels correct.

Run: ``python -m tests.benchmarks.prediction_powered [REPLICATES]`` (about two minutes for 1,000).

Two subjects answer 300 prompts. People's values and the judge's are made together; the judge adds 0.3
to one subject. The judge's own interval (Student's t over clusters, all 300 prompts), the corrected one
(:func:`harness.stats.prediction_powered.people_mean`) and that of the labels alone are asked whether
they hold people's true mean difference. ``labels needed`` is how many of the labels that people alone
would need the corrected interval gets by with: the ratio of mean squared widths.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from harness.stats.closed_forms import Floats, student_quantile
from harness.stats.prediction_powered import people_mean

PROMPTS = 300
BIAS = 0.3
FAMILY = 5

Pair = tuple[Floats, Floats]
Shape = Callable[[np.random.Generator, Floats], Pair]
"""People's and the judge's differences, from what the prompts of a family share; both (prompts,)."""


def likert(g: np.random.Generator, shared: Floats) -> Pair:
    """Make whole points from 1 to 5, a judge that is off by a point now and then."""
    n = len(shared)
    base, tuned = 3 + 0.8 * shared, 3.2 + 0.8 * g.normal(size=n) + 0.3 * shared
    people = [np.clip(np.rint(x), 1, 5) for x in (base, tuned)]
    judge = [np.clip(np.rint(x + g.normal(0, 0.7, n)), 1, 5) for x in (people[0], people[1] + BIAS)]
    return people[1] - people[0], judge[1] - judge[0]


def binary(g: np.random.Generator, shared: Floats) -> Pair:
    """Make a verdict of pass or fail; the judge errs on a tenth, and passes more of one subject."""
    n = len(shared)
    base, tuned = (shared + g.normal(size=n) > 0), (shared + g.normal(size=n) > -0.4)
    flipped = [np.where(g.random(n) < 0.1, ~x, x) for x in (base, tuned)]
    favoured = flipped[1] | (g.random(n) < 2 * BIAS)
    return tuned.astype(float) - base, favoured.astype(float) - flipped[0]


def fine(g: np.random.Generator, shared: Floats) -> Pair:
    """Make values without ties, a judge that correlates with people by 0.7."""
    n = len(shared)
    people = 0.3 + 1.2 * (0.7 * shared + math.sqrt(0.51) * g.normal(size=n))
    judge = BIAS + 0.3 + 0.75 * (people - 0.3) + 0.9 * g.normal(size=n)
    return people, judge


def skewed(g: np.random.Generator, shared: Floats) -> Pair:
    """Make a few large gains among many small ones, a judge that sees half of each."""
    n = len(shared)
    people = g.exponential(1.0, n) * np.exp(0.3 * shared)
    return people, BIAS + 0.5 * people + 0.5 * g.normal(size=n)


def useless(g: np.random.Generator, shared: Floats) -> Pair:
    """Make a judge whose differences have nothing to do with people's."""
    return likert(g, shared)[0], BIAS + g.normal(size=len(shared))


SHAPES: tuple[Shape, ...] = (fine, likert, binary, skewed, useless)


@dataclass
class Tally:
    """How often an interval held the truth, and how wide it was."""

    replicates: int = 0
    held: int = 0
    squares: float = 0.0

    def add(self, low: float, high: float, truth: float) -> None:
        """Count one interval."""
        self.replicates += 1
        self.held += low <= truth <= high
        self.squares += (high - low) ** 2

    @property
    def coverage(self) -> float:
        """Return the share that held the truth."""
        return self.held / self.replicates

    @property
    def error(self) -> float:
        """Return the Monte-Carlo standard error of the coverage."""
        return math.sqrt(max(self.coverage * (1 - self.coverage), 1e-4) / self.replicates)


def _drawn(g: np.random.Generator, shape: Shape, prompts: int, family: int) -> Pair:
    shared = np.repeat(g.normal(size=math.ceil(prompts / family)), family)[:prompts]
    return shape(g, shared)


def _judge_alone(judge: Floats, clusters: NDArray[np.int64]) -> tuple[float, float]:
    sums = np.bincount(clusters, weights=judge - judge.mean()) / len(judge)
    count = len(sums)
    half = student_quantile(0.95, count - 1) * math.sqrt(
        count / (count - 1) * float((sums**2).sum())
    )
    return float(judge.mean()) - half, float(judge.mean()) + half


def simulate(shape: Shape, labels: int, family: int, replicates: int) -> dict[str, Tally]:
    """Return the tallies of the judge's own, the corrected and people's own interval."""
    g = np.random.default_rng([labels, family, SHAPES.index(shape)])
    truth = float(_drawn(g, shape, 2_000_000, family)[0].mean())
    tallies = {name: Tally() for name in ("judge", "corrected", "people")}
    clusters = np.arange(PROMPTS) // family
    for _ in range(replicates):
        people, judge = _drawn(g, shape, PROMPTS, family)
        labelled = np.full(PROMPTS, np.nan)
        chosen = g.permutation(PROMPTS)[:labels]
        labelled[chosen] = people[chosen]
        made = people_mean(labelled, judge, judge, clusters, span=8.0)
        assert made is not None
        tallies["judge"].add(*_judge_alone(judge, clusters), truth)
        tallies["corrected"].add(made.low, made.high, truth)
        tallies["people"].add(*made.alone[1:], truth)
    return tallies


def main(replicates: int = 1000) -> None:
    """Print a line a shape, size of family and number of labels."""
    print(f"{PROMPTS} prompts, judge biased by {BIAS:g}; coverage of 95 % intervals, in %")
    print(f"{'shape':9} family labels   judge   corrected (MC error)  people   labels needed")
    for family in (1, FAMILY):
        for shape in SHAPES:
            for labels in (30, 50, 100):
                of = simulate(shape, labels, family, replicates)
                needed = of["corrected"].squares / of["people"].squares
                print(
                    f"{shape.__name__:9} {family:6} {labels:6} {100 * of['judge'].coverage:7.1f}"
                    f" {100 * of['corrected'].coverage:11.1f} ({100 * of['corrected'].error:.1f})"
                    f" {100 * of['people'].coverage:13.1f} {100 * needed:11.0f} %",
                    flush=True,
                )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
