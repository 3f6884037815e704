"""How often 75 % of a gain, exactly, is taken for more: the interval behind *learned*, in simulation.

    python tests/benchmarks/kept_share.py [--trials 2000]

Gains on training prompts have a mean of 0.5 nats and the shape that the row names; those on clean
prompts have a mean of 0.375, of the same shape ("alike") or nearly even (normal, sd 0.1). The share of
trials in which "clean less 0.75 x training > 0" is shown should be 2.5 % at most. Beside it the
interval alone, whatever the skewness; ``±`` is the Monte-Carlo error.
"""

from __future__ import annotations

import argparse
import math
import sys
from collections.abc import Callable

import numpy as np

from harness.stats.closed_forms import Floats
from harness.stats.skewed_groups import cautious_two_groups
from harness.stats.two_groups import two_groups

Draw = Callable[[np.random.Generator, int], Floats]
KEPT = 0.75


def _lognormal(sigma: float) -> Draw:
    return lambda rng, n: 0.5 * rng.lognormal(-(sigma**2) / 2, sigma, n)


def _few(rng: np.random.Generator, n: int) -> Floats:
    """One prompt in ten gains sixteen times as much as the others."""
    return np.where(rng.random(n) < 0.1, 3.2, 0.2) * rng.lognormal(-0.02, 0.2, n)


SHAPES: dict[str, Draw] = {
    "normal": lambda rng, n: 0.5 + 0.15 * rng.standard_normal(n),
    "exponential": lambda rng, n: 0.5 * rng.exponential(size=n),
    "lognormal 0.5": _lognormal(0.5),
    "lognormal 1": _lognormal(1.0),
    "lognormal 1.5": _lognormal(1.5),
    "one in ten": _few,
}


def even(rng: np.random.Generator, n: int) -> Floats:
    """Gains on clean prompts that hardly vary."""
    return KEPT * 0.5 + 0.1 * rng.standard_normal(n)


def rates(training: Draw, clean: Draw, n: int, trials: int) -> tuple[float, float]:
    """Return how often more than 75 % is shown, by the interval alone and as used."""
    before = now = 0
    for trial in range(trials):
        rng = np.random.default_rng([n, trial, 5])
        first, second = training(rng, n), clean(rng, n)
        seed = int(rng.integers(1 << 31))
        how = {"weights": (-KEPT, 1.0), "resamples": 400}
        old = two_groups(
            (first[:, None], second[:, None]),
            rng=np.random.default_rng(seed),
            **how,  # type: ignore[arg-type]
        )
        new = cautious_two_groups(first, second, rng=np.random.default_rng(seed), **how)  # type: ignore[arg-type]
        before += bool(old.low[0] > 0)
        now += new.low_holds and new.low > 0
    return before / trials, now / trials


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--sizes", default="20,50")
    options = parser.parse_args()
    print(
        "| training gains | clean gains | prompts | interval alone | as used | ± |\n|---|---|---|---|---|---|"
    )
    for n in map(int, options.sizes.split(",")):
        for name, shape in SHAPES.items():
            alike: Draw = lambda rng, k, shape=shape: KEPT * shape(rng, k)  # type: ignore[misc]  # noqa: E731
            for label, clean in (("alike", alike), ("even", even)):
                before, now = rates(shape, clean, n, options.trials)
                error = math.sqrt(max(now * (1 - now), 1e-4) / options.trials)
                print(
                    f"| {name} | {label} | {n} + {n} | {before:.1%} | {now:.1%} | {error:.1%} |",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
