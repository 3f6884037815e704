"""Scripted halves studies: adapters whose memorisation and learning are known."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.analysis.test_family import BootstrapSettings
from harness.memorisation.counterfactual import Counterfactual, CounterfactualBase
from harness.memorisation.halves import HalfScores, HalvesTrainings, ScoredRows, counterfactual
from harness.models.provenance import DataProvenance
from harness.records import Message, Sample

BASE = CounterfactualBase(model="scripted", revision=None, weights_sha256="b" * 64)
TRAINING = DataProvenance(
    path="train.jsonl", rows=60, content_sha256="c" * 64, file_sha256="f" * 64
)
RECIPE: dict[str, Any] = {"num_train_epochs": 3.0, "learning_rate": 1e-3}


def half_scores(
    rng: np.random.Generator,
    *,
    rows: int,
    memorised: float,
    learned: float = 0.3,
    seeds: int = 2,
    luck: float = 0.05,
) -> HalfScores:
    """Nats a token: out gains ``learned`` over the base, in gains ``memorised`` more.

    ``luck`` is the spread of how much better one adapter is than another, on every row.
    """
    base = rng.normal(-3.0, 0.5, size=rows)
    half = np.stack([rng.permutation(rows) % 2 for _ in range(seeds)], axis=1)
    adapters = (
        base[:, None, None]
        + learned
        + rng.normal(0, luck, size=(1, seeds, 2))
        + rng.normal(0, 0.1, size=(rows, seeds, 2))
    )
    own = half[:, :, None] == np.arange(2)
    return HalfScores(base, adapters + memorised * own, half)


def counterfactual_record(
    *, rows: int, memorised: float, learned: float, seed: int = 1, tokens: int = 20
) -> Counterfactual:
    """A whole record of such a study."""
    scores = half_scores(
        np.random.default_rng(seed), rows=rows, memorised=memorised, learned=learned
    )
    lengths = np.full(rows, float(tokens))
    samples = [
        Sample(
            id=f"row{i}",
            messages=(Message(role="user", content=f"Question {i}?"),),
            reference=f"Answer {i}.",
        )
        for i in range(rows)
    ]
    trainings = HalvesTrainings("scripted", BASE, TRAINING, RECIPE, (1, 2))
    return counterfactual(
        trainings,
        ScoredRows(samples, list(range(rows)), lengths, scores.divided(1 / lengths)),
        0.1,
        BootstrapSettings(seed, resamples=500),
    )
