"""How often a run on which nothing is true claims something, when it is looked at as it grows.

Run: ``python -m tests.benchmarks.looks`` (about five minutes of one core).

Twenty prompts are added before each of five looks; scores are integers from 1 to 5 with two variants of
each prompt. A claim is a headline test (gain on originals, gain on rewordings, difference in differences)
with an adjusted p of at most 5 %, as in a summary where half of the error budget is the headline's.
"""

from __future__ import annotations

import math
import sys

import numpy as np

from harness.stats.closed_forms import Floats
from harness.stats.sequential import GroupSequential
from harness.stats.significance import holm, sign_flip_test

STEP, LOOKS, RUNS, FLIPS = 20, 5, 4000, 10_000


def null_runs(rng: np.random.Generator, runs: int) -> Floats:
    """The three headline differences of every prompt and run, shape (prompts, runs, 3)."""
    prompts = STEP * LOOKS
    ease = rng.normal(3.4, 0.8, (prompts, runs, 1, 1))
    scores = np.clip(np.rint(ease + rng.normal(0, 0.5, (prompts, runs, 2, 3))), 1, 5)
    original, reworded = scores[..., 0], scores[..., 1:].mean(axis=-1)
    gain, kept = original[..., 1] - original[..., 0], reworded[..., 1] - reworded[..., 0]
    return np.stack([gain, kept, kept - gain], axis=-1)


def claims(p: Floats) -> Floats:
    """Which runs claim something, of p-values of shape (runs, 3)."""
    weights = np.full(4, 1 / 6)
    weights[3] = 0.5  # all other tests of the page, none of which passes
    adjusted = np.stack([holm(np.append(of_run, 1.0), weights)[:3] for of_run in p])
    return (adjusted <= 0.05).any(axis=1)


def rates(runs: int, flips: int, seed: int) -> dict[str, list[float]]:
    """Share of runs that have claimed something by each look, with declared and with undeclared looks."""
    rng = np.random.default_rng(seed)
    differences = null_runs(rng, runs)
    claimed = {"undeclared": np.zeros(runs, dtype=bool), "declared": np.zeros(runs, dtype=bool)}
    shares: dict[str, list[float]] = {name: [] for name in claimed}
    for look in range(1, LOOKS + 1):
        seen = differences[: look * STEP].reshape(look * STEP, -1)
        p = sign_flip_test(seen, rng=rng, permutations=flips).reshape(runs, 3)
        design = GroupSequential(LOOKS, tuple(float(n * STEP) for n in range(1, look + 1)))
        claimed["undeclared"] |= claims(p)
        claimed["declared"] |= claims(design.repeated_p(p))
        for name, of_runs in claimed.items():
            shares[name].append(float(of_runs.mean()))
    return shares


def main() -> int:
    """Print the table; the exit code says whether declared looks stay within 2.5 %."""
    shares = rates(RUNS, FLIPS, seed=1)
    print(
        f"{RUNS} runs; false headline by look 1 to {LOOKS} ({STEP} prompts more each); ± one MC error"
    )
    for name, of_looks in shares.items():
        cells = [f"{100 * x:4.1f} ± {100 * math.sqrt(x * (1 - x) / RUNS):.1f}" for x in of_looks]
        print(f"{name:10} {'  '.join(cells)}  %")
    return 0 if shares["declared"][-1] <= 0.025 else 1


if __name__ == "__main__":
    sys.exit(main())
