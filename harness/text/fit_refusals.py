"""Fits ``refusals.json``, the weights behind :class:`harness.text.refusals.Likeness`.

    python -m harness.text.fit_refusals

Logistic regression on the mean MiniLM embedding of an answer's first sentences, fitted on the 340
labelled answers of ``configs/data/refusals``; an invented name is replaced by "it". :func:`shares`
measures a detector; the tests apply it to answers that nothing was fitted on.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from harness.text import embedding
from harness.text.linear_score import LinearScore
from harness.text.phrases import sentences
from harness.text.refusals import WEIGHTS, mask_names, opening_vectors
from harness.util.resources import resolve

ANSWERS = "bundled:data/refusals/answers.jsonl"


def rows(path: Path) -> list[dict[str, Any]]:
    """Read the labelled answers of a file: ``answer``, ``name`` (or empty), ``refuses``."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def fit() -> LinearScore:
    """Fit the weights."""
    labelled = rows(resolve(ANSWERS))
    texts = [mask_names([row["name"]] if row["name"] else [], row["answer"]) for row in labelled]
    x = opening_vectors([sentences(text) for text in texts], embedding.embed)
    return LinearScore.fit(x, np.array([row["refuses"] for row in labelled]))


def shares(detects: Callable[[str, list[str]], bool], path: Path) -> dict[str, float]:
    """Return the shares that a detector finds among the refusals and others of a file, by kind."""
    hits: dict[str, list[bool]] = {}
    for row in rows(path):
        kind = "about a name" if row["name"] else "general"
        label = "refusals" if row["refuses"] else "others"
        hit = detects(row["answer"], [row["name"]] if row["name"] else [])
        hits.setdefault(f"{label} {kind}", []).append(hit)
    return {name: round(float(np.mean(values)), 3) for name, values in sorted(hits.items())}


def main() -> None:
    """Fit and write."""
    score = fit()
    score.save(WEIGHTS)
    print(f"{WEIGHTS}: from {score.texts} answers")


if __name__ == "__main__":
    main()
