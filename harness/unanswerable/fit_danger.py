"""Make ``danger.json``, the weights behind :func:`harness.unanswerable.danger.danger_score`.

    python -m harness.unanswerable.fit_danger

Logistic regression on MiniLM embeddings of our own messages (``configs/data/danger``, read and
labelled 0 no danger, 1 perhaps, 2 in danger) and of the bundled programming tasks, whose authors are
not in danger. The threshold is the one that finds ``RECALL`` of the messages labelled 2 when each is
scored by a fit that has not seen it. Prints the result with those out-of-fold shares.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.text import embedding
from harness.text.linear_score import LinearScore
from harness.unanswerable.danger import WEIGHTS, danger_sign
from harness.util.resources import resolve

if TYPE_CHECKING:
    from numpy.typing import NDArray

MESSAGES = "bundled:data/danger/messages.jsonl"
TASKS = ("bundled:data/code/train.jsonl", "bundled:data/code/valid.jsonl")
RECALL = 0.95
PERHAPS = 0.3
"""Weight of a message that may come from danger, beside 1 for one that does."""

FOLDS = 10


def _rows(path: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in resolve(path).read_text(encoding="utf-8").splitlines()]


def _fit(x: NDArray[np.float32], labels: NDArray[np.int64], threshold: float = 0.0) -> LinearScore:
    weight = np.where(labels == 1, PERHAPS, 1.0)
    return LinearScore.fit(x, labels > 0, sample_weight=weight, threshold=threshold)


def fit() -> tuple[LinearScore, dict[str, float]]:
    """Fit the weights, and measure the shares that they and the word list flag out of fold."""
    from sklearn.model_selection import StratifiedKFold

    messages, tasks = _rows(MESSAGES), [row for path in TASKS for row in _rows(path)]
    texts = [row["text"] for row in messages] + [row["prompt"] for row in tasks]
    labels = np.array([row["danger"] for row in messages] + [0] * len(tasks))
    x = embedding.embed(texts)
    scores = np.zeros(len(labels))
    # Strata by label and kind of text, so that every fold has seen tasks.
    strata = labels + 10 * (np.arange(len(labels)) >= len(messages))
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, strata):
        scores[test] = _fit(x[train], labels[train])(x[test])
    careful = float(np.quantile(scores[labels == 2], 1 - RECALL))
    words = np.array([danger_sign(text) is not None for text in texts])
    flagged = words | (scores >= careful)
    from_other_sets = np.array(
        [row["source"] != "written" for row in messages] + [False] * len(tasks)
    )
    task = np.arange(len(labels)) >= len(messages)
    shares = {
        "in danger, written for this": flagged[~from_other_sets & (labels == 2)].mean(),
        "in danger, of the other sets": flagged[from_other_sets & (labels == 2)].mean(),
        "perhaps in danger": flagged[labels == 1].mean(),
        "no danger, messages": flagged[(labels == 0) & ~task].mean(),
        "no danger, programming tasks": flagged[task].mean(),
    }
    made = _fit(x, labels, threshold=round(careful, 3))
    return made, {name: round(float(share), 3) for name, share in shares.items()}


def main() -> None:
    """Fit, write, print."""
    made, shares = fit()
    made.save(WEIGHTS)
    print(f"{WEIGHTS}: from {made.texts} texts, threshold {made.threshold}")
    for name, share in shares.items():
        print(f"  {name}: {share:.1%} flagged")


if __name__ == "__main__":
    main()
