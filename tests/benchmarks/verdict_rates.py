"""How often the rules of the probes give which verdict, on made-up prompts whose truth is known.

    python tests/benchmarks/verdict_rates.py [--trials 60] [--gain 0.5]

Each prompt's gain is normal about the truth with the spread that the embedded model showed (0.15
nats a token, or less where the gain itself is smaller). ``kept`` is the true share of the gain on
training prompts that reaches clean ones; what does reach them hangs on the right prompt by a tenth
of it.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator

import numpy as np

from harness.analysis.memorisation_schema import TextComparison, TextShift
from harness.analysis.test_family import BootstrapSettings
from harness.memorisation.copying import Closeness
from harness.memorisation.probe_summary import BesideProbes, summarise_probes
from harness.records import Probe
from judges.rouge import RougeL

GAIN, SPREAD, BASE = 0.5, 0.15, -3.0
SPREAD_OF_GAIN = 0.3
"""A small gain varies less between prompts: by so much of itself."""

ALIKE = BesideProbes(
    TextShift(whole=TextComparison(training=100, clean=100, likeness="alike", aucs=(), balance=()))
)
"""The texts are of one kind: what is simulated is the gains."""

KEPT = (1.0, 0.9, 0.75, 0.6, 0.5, 0.3, 0.0)
SIZES = (20, 50, 100)
VERDICTS = ("learned", "partly memorised", "memorised", "cannot tell")


def records(rng: np.random.Generator, n: int, kept: float, gain: float) -> Iterator[Probe]:
    """Ratings of base and tuned on ``n`` training and ``n`` clean prompts."""
    clean, spread = kept * gain, min(SPREAD, SPREAD_OF_GAIN * gain)
    for i in range(n):
        shared = rng.normal(0, spread)  # a clean response's own part, alike under any prompt
        for group, form, own in (
            ("training", "original", gain + rng.normal(0, spread)),
            ("clean", "original", clean + shared),
            ("clean", "foreign", 0.9 * clean + shared + rng.normal(0, spread / 3)),
        ):
            for subject, moved in (("base", 0.0), ("tuned", own)):
                value = BASE + moved
                yield Probe(
                    probe="loss", group=group, form=form, sample_id=f"s{i}", subject=subject,  # type: ignore[arg-type]
                    values={"loss": value}, logprobs=(value,),
                )  # fmt: skip


def main() -> int:
    """Print the table."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--trials", type=int, default=60)
    parser.add_argument(
        "--gain", type=float, default=GAIN, help="on training prompts, nats a token"
    )
    chosen = parser.parse_args()
    trials, closeness = chosen.trials, Closeness(RougeL())
    print(f"| prompts | kept | {' | '.join(VERDICTS)} |\n|{'---|' * (len(VERDICTS) + 2)}")
    for n in SIZES:
        for kept in KEPT:
            seen: Counter[str] = Counter()
            for trial in range(trials):
                rng = np.random.default_rng([n, int(100 * kept), trial])
                memorisation = summarise_probes(
                    records(rng, n, kept, chosen.gain),
                    baseline="base",
                    subjects=["base", "tuned"],
                    closeness=closeness,
                    settings=BootstrapSettings(seed=trial, resamples=500),
                    beside=ALIKE,
                )
                seen[memorisation.subjects[0].verdict] += 1
            shares = " | ".join(f"{seen[verdict] / trials:.0%}" for verdict in VERDICTS)
            print(f"| {n} + {n} | {kept:.0%} | {shares} |", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
