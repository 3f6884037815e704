"""Proof by simulation: do 95 % intervals cover, and does the page keep its family-wise error?

Run: ``python -m tests.benchmarks.stats_coverage`` (about ten minutes on two cores).

The data are what a run gives: prompts with an ease of their own (the clustering), integer scores
from 1 to 5 with many ties, several variants averaged, base and tuned on the very same prompts.
The truth of each scenario is the mean over 4 million simulated prompts.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import Floats
from harness.stats.significance import holm, sign_flip_test

Draw = Callable[[np.random.Generator, int], Floats]


def _likert(x: Floats) -> Floats:
    return np.clip(np.rint(x), 1, 5)


def _asked(ease: Floats, shift: float, noise: float, times: int, g: np.random.Generator) -> Floats:
    """Mean integer score over ``times`` variants of prompts with this ease."""
    values = ease[:, None] + shift + g.normal(0, noise, (len(ease), times))
    return np.asarray(_likert(values).mean(axis=1))


def drop(g: np.random.Generator, n: int) -> Floats:
    """Drop of one subject: one original, four variants."""
    ease = g.normal(3.6, 0.9, n)
    return _asked(ease, 0, 0.5, 1, g) - _asked(ease, -0.25, 0.6, 4, g)


def gain(g: np.random.Generator, n: int) -> Floats:
    """Gain on originals, single integer scores: the most ties."""
    ease = g.normal(3.4, 0.9, n)
    return _asked(ease, 0.4, 0.5, 1, g) - _asked(ease, 0, 0.5, 1, g)


def did(g: np.random.Generator, n: int) -> Floats:
    """Difference in differences, three variants."""
    ease = g.normal(3.2, 0.8, n)
    tuned = _asked(ease, 0.3, 0.5, 3, g) - _asked(ease, 0.5, 0.5, 1, g)
    base = _asked(ease, -0.1, 0.5, 3, g) - _asked(ease, 0, 0.5, 1, g)
    return tuned - base


def level(g: np.random.Generator, n: int) -> Floats:
    """Level near the top of the scale: skewed, half of all scores are 5."""
    return _asked(g.normal(4.4, 0.8, n), 0, 0.4, 1, g)


def cosine(g: np.random.Generator, n: int) -> Floats:
    """Drop of a continuous, skewed, bounded score."""
    ease = g.beta(6, 2, n)
    return ease - np.clip(ease - g.exponential(0.06, n) + g.normal(0, 0.03, n), -1, 1)


SCENARIOS: dict[str, Draw] = {
    "drop": drop,
    "gain": gain,
    "did": did,
    "level": level,
    "cosine": cosine,
}


@dataclass(frozen=True)
class Rate:
    """A simulated probability and its Monte-Carlo standard error."""

    rate: float
    error: float


def _rate(hits: int, simulations: int) -> Rate:
    p = hits / simulations
    return Rate(p, math.sqrt(max(p * (1 - p), 1 / simulations) / simulations))


def truth_of(draw: Draw, seed: int) -> float:
    """Mean over 4 million prompts."""
    g = np.random.default_rng([seed, 99])
    return float(np.mean([draw(g, 1_000_000).mean() for _ in range(4)]))


def coverage(scenario: str, *, prompts: int, simulations: int, resamples: int, seed: int) -> Rate:
    """How often the interval holds the truth."""
    draw = SCENARIOS[scenario]
    truth = truth_of(draw, seed)
    g = np.random.default_rng([seed, prompts])
    hits = 0
    for start in range(0, simulations, 100):
        # Columns share their resamples, but each has data of its own: to the coverage of one
        # column it is the same as resampling each alone, and a hundred times as fast.
        count = min(100, simulations - start)
        data = np.stack([draw(g, prompts) for _ in range(count)], axis=1)
        found = studentised_bootstrap(data, rng=g, resamples=resamples)
        hits += int(((found.low <= truth) & (truth <= found.high)).sum())
    return _rate(hits, simulations)


def family_wise_error(*, prompts: int, simulations: int, permutations: int, seed: int) -> Rate:
    """How often a page on which nothing is true shows any corrected p of at most 0.05.

    Two subjects against a baseline, five dimensions, six kinds: gains and differences in
    differences, correlated as they are in a run, weighted as the ledger weights them.
    """
    g = np.random.default_rng([seed, prompts, 7])
    false = 0
    for _ in range(simulations):
        columns = _null_page(g, prompts)
        p = sign_flip_test(columns, rng=g, permutations=permutations)
        weights = np.full(columns.shape[1], 0.5 / (columns.shape[1] - 6))
        weights[:6] = 0.5 / 6
        false += bool((holm(p, weights) <= 0.05).any())
    return _rate(false, simulations)


def _null_page(g: np.random.Generator, n: int) -> Floats:
    """Differences of a page of 2 subjects x 5 dimensions x 6 kinds where the truth is zero."""
    columns = []
    for _ in range(5):
        ease = g.normal(3.4, 0.8, n)
        base = [_asked(ease, 0, 0.5, 1 if k == 0 else 2, g) for k in range(7)]
        for _ in range(2):
            tuned = [_asked(ease, 0, 0.5, 1 if k == 0 else 2, g) for k in range(7)]
            gains = [t - b for t, b in zip(tuned, base, strict=True)]
            pooled = np.mean(gains[1:], axis=0)
            columns += [gains[0], pooled, pooled - gains[0]]
            columns += gains[1:] + [x - gains[0] for x in gains[1:]]
    # The six headline tests (both subjects, first dimension) come first.
    order = [0, 1, 2, 15, 16, 17]
    rest = [i for i in range(len(columns)) if i not in order]
    return np.stack([columns[i] for i in order + rest], axis=1)


def main() -> int:
    """Print the table; the exit code says whether every cell lies in its range."""
    simulations, good = 2000, True
    print(f"{simulations} simulations a cell, 2,000 resamples; ± one Monte-Carlo error")
    for name in SCENARIOS:
        for prompts, low, high in ((30, 0.925, 0.97), (100, 0.935, 0.965), (300, 0.935, 0.965)):
            found = coverage(name, prompts=prompts, simulations=simulations, resamples=2000, seed=1)
            inside = low <= found.rate <= high
            good &= inside
            print(
                f"coverage {name:8} n={prompts:3} {100 * found.rate:5.1f} % ± {100 * found.error:.1f}"
                f"  (wanted {100 * low:.1f}-{100 * high:.1f}) {'ok' if inside else 'OUT'}",
                flush=True,
            )
    for prompts in (30, 100):
        found = family_wise_error(
            prompts=prompts, simulations=simulations, permutations=10_000, seed=1
        )
        inside = found.rate <= 0.06
        good &= inside
        print(
            f"family-wise error n={prompts:3} {100 * found.rate:5.1f} % ± {100 * found.error:.1f}"
            f"  (wanted at most 6.0) {'ok' if inside else 'OUT'}",
            flush=True,
        )
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
