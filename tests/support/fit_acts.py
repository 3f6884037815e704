"""Fits what the sentences of an answer do (``judges/regression/acts.safetensors``).

    python -m tests.support.fit_acts GOEMOTIONS

``GOEMOTIONS`` is the folder with ``train.tsv`` and ``emotions.txt`` of the public data set (google-research,
``goemotions/data``; CC BY 4.0). Its comments are not kept here, only the weights. Each act and each
tone is a logistic regression of its own; of the comments, ``EACH`` of every feeling are drawn.
"""

from __future__ import annotations

import random
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file
from sklearn.linear_model import LogisticRegression

from harness.text import embedding
from judges.regression.acts import SENTENCES, WEIGHTS

TONES = [
    "admiration",
    "amusement",
    "anger",
    "annoyance",
    "approval",
    "caring",
    "confusion",
    "curiosity",
    "disappointment",
    "disapproval",
    "disgust",
    "gratitude",
    "joy",
    "love",
    "neutral",
    "optimism",
    "remorse",
    "sadness",
]
EACH, NEUTRAL = 230, 600
ACT_STRENGTH, TONE_STRENGTH = 10.0, 1.0
"""Inverse ridge penalties: the acts were written apart, the comments are noisy."""


def written() -> list[tuple[str, str]]:
    """Return our sentences with their acts."""
    found, act = [], ""
    for line in SENTENCES.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            act = line.strip("[]")
        elif line.strip() and not line.startswith("#"):
            found.append((act, line.strip()))
    return found


def comments(folder: Path) -> list[tuple[frozenset[str], str]]:
    """Draw labelled comments of every feeling; the order of the file does not matter."""
    feelings = (folder / "emotions.txt").read_text(encoding="utf-8").split()
    by_feeling: dict[str, list[tuple[frozenset[str], str]]] = defaultdict(list)
    lines = sorted((folder / "train.tsv").read_text(encoding="utf-8").splitlines())
    random.Random(1).shuffle(lines)
    for line in lines:
        text, numbers, _ = line.split("\t")
        labels = frozenset(feelings[int(number)] for number in numbers.split(","))
        for label in labels:
            by_feeling[label].append((labels, text))
    drawn = {
        row for name, rows in by_feeling.items()
        for row in rows[: NEUTRAL if name == "neutral" else EACH]
    }  # fmt: skip
    return sorted(drawn, key=lambda row: row[1])


def line_of(
    vectors: NDArray[np.float32], told: list[bool], strength: float
) -> tuple[NDArray[np.float64], float]:
    """Fit one logistic regression, both sides of equal weight."""
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
    model.fit(vectors, told)
    return model.coef_[0], float(model.intercept_[0])


def main() -> None:
    """Fit and write the weights."""
    ours, theirs = written(), comments(Path(sys.argv[1]))
    ours_seen = embedding.embed([text for _, text in ours])
    theirs_seen = embedding.embed([text for _, text in theirs])
    lines = {
        act: line_of(ours_seen, [one == act for one, _ in ours], ACT_STRENGTH)
        for act in sorted({one for one, _ in ours})
    }
    for tone in TONES:
        told = [tone in labels for labels, _ in theirs]
        lines[f"tone_{tone}"] = line_of(theirs_seen, told, TONE_STRENGTH)
    save_file(
        {
            "weights": np.array([weights for weights, _ in lines.values()], dtype=np.float32),
            "bias": np.array([bias for _, bias in lines.values()], dtype=np.float32),
        },
        WEIGHTS,
        metadata={"acts": " ".join(lines), "embedding": embedding.VERSION},
    )


if __name__ == "__main__":
    main()
