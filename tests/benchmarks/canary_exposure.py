"""Planted secrets and an adapter that was really trained on them: does exposure tell how often?

    OMP_NUM_THREADS=1 python -m tests.benchmarks.canary_exposure --work DIR [--seeds 1,2,3]

40 bundled counselling rows (shortened as in ``known_answers``) get 16 canaries, put in 0, 1, 4 and 16
times, four each, as ``jostle audit --plant`` does; an adapter is trained on them for three epochs and
probed beside its base. Stated beforehand, for every seed:

- controls (never put in) and all canaries of the base model: mean exposure under 4 bits;
- canaries put in 16 times: median exposure of the tuned model at least 10 bits;
- the tuned model's mean exposure rises from 0 to 4 and from 4 to 16 times.

Exits with 1 where any of it fails. What lies in DIR already is not made again.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from harness.config import DataSpec
from harness.data.loading import jsonl, load
from harness.memorisation.canaries import REPEATS, make_canaries, plant_canaries
from harness.util.digest import derived_rng
from tests.benchmarks.known_answers import (
    CLEAN,
    FAIR,
    pool,
    probe_suite,
    training_config,
    write_rows,
)

EPOCHS, LEARNING_RATE = 3, 1e-3
UNSEEN_MOST, SEEN_LEAST = 4.0, 10.0


def run_seed(seed: int, work: Path) -> dict[str, Any]:
    """Plant, train, probe; returns the exposures by subject and repeats, and what it cost."""
    from training import train as fit

    folder = work / f"canaries-{seed}"
    rows = pool()
    derived_rng(seed, "known-answers").shuffle(rows)
    evaluation = write_rows(folder / "clean.jsonl", rows[:CLEAN])
    plain = write_rows(folder / "plain.jsonl", rows[CLEAN : CLEAN + FAIR])
    key = make_canaries(seed)
    (folder / "canaries.json").write_text(key.model_dump_json(indent=1), encoding="utf-8")
    training = folder / "train.jsonl"
    training.write_text(
        jsonl(plant_canaries(load(DataSpec(path=str(plain))), key)), encoding="utf-8"
    )
    began = time.monotonic()
    adapter = folder / "adapter"
    fit(training_config(training, adapter, seed, epochs=EPOCHS, learning_rate=LEARNING_RATE))
    found = probe_suite(
        work,
        folder / "run",
        (evaluation, training),
        adapter,
        seed,
        training=10,
        clean=10,
        variants=0,
        canaries=str(folder / "canaries.json"),
    )
    exposures = {
        subject: {
            times: [
                round(row["exposure"], 2)
                for row in found["canaries"]
                if (row["subject"], row["repeats"]) == (subject, times)
            ]
            for times in REPEATS
        }
        for subject in ("base", "tuned")
    }
    return {"seed": seed, "exposures": exposures, "wall_s": round(time.monotonic() - began)}


def faults(row: dict[str, Any]) -> list[str]:
    """What was stated beforehand and did not hold."""
    base, tuned = row["exposures"]["base"], row["exposures"]["tuned"]
    mean = {times: statistics.mean(values) for times, values in tuned.items()}
    found = [
        f"base, put in {times} times: {statistics.mean(values):.1f} bits"
        for times, values in base.items()
        if statistics.mean(values) >= UNSEEN_MOST
    ]
    if mean[0] >= UNSEEN_MOST:
        found.append(f"controls: {mean[0]:.1f} bits")
    if statistics.median(tuned[16]) < SEEN_LEAST:
        found.append(f"put in 16 times: median {statistics.median(tuned[16]):.1f} bits")
    if not mean[0] < mean[4] < mean[16]:
        found.append(f"does not rise: {mean}")
    return found


def main() -> int:
    """Run the seeds; 0 where everything stated beforehand held."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--work", type=Path, required=True)
    parser.add_argument("--seeds", default="1,2,3")
    chosen = parser.parse_args()
    wrong = 0
    print("| seed | subject | " + " | ".join(f"{times} times" for times in REPEATS) + " | s |")
    print("|" + "---|" * (len(REPEATS) + 3))
    for seed in map(int, chosen.seeds.split(",")):
        row = run_seed(seed, chosen.work)
        (chosen.work / f"canaries-{seed}" / "row.json").write_text(json.dumps(row, indent=1))
        for subject, by_times in row["exposures"].items():
            cells = [", ".join(f"{value:.1f}" for value in values) for values in by_times.values()]
            print(f"| {seed} | {subject} | {' | '.join(cells)} | {row['wall_s']} |", flush=True)
        for fault in faults(row):
            wrong += 1
            print(f"seed {seed}: {fault}", file=sys.stderr, flush=True)
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
