"""Fits the weights of the linear scores that are shipped: refusals and messages from danger.

    python -m tests.support.fit_weights [refusals|danger|meaning ...]

Writes ``harness/text/refusals.json``, ``danger.json`` and ``danger_meaning.json``, all logistic
regressions on MiniLM embeddings.

refusals: on the mean embedding of an answer's first sentences, from the 340 labelled answers of
``configs/data/refusals``; an invented name is replaced by "it". :func:`shares` measures a detector;
the tests apply it to answers that nothing was fitted on.

danger: on our own messages (``configs/data/danger``, read and labelled 0 no danger, 1 perhaps, 2 in
danger) and on the bundled programming tasks, whose authors are not in danger. The threshold is the
one that finds ``RECALL`` of the messages labelled 2 when each is scored by a fit that has not seen
it. Prints the result with those out-of-fold shares.

meaning: on the statements of ``danger_bank.txt`` and ``danger_sentences.txt`` beside it, on the same
messages (those labelled 0 or 2) and on some of the tasks. The
threshold was chosen on real messages (``perturbations/README.md``).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold

from harness.text import danger, danger_meaning, embedding, refusals
from harness.text.embedding import LinearScore
from harness.text.phrases import sentences
from harness.util.files import write_atomically
from harness.util.resources import resolve

ANSWERS = "bundled:data/refusals/answers.jsonl"
MESSAGES = "bundled:data/danger/messages.jsonl"
TASKS = ("bundled:data/code/train.jsonl", "bundled:data/code/valid.jsonl")
RECALL = 0.95
PERHAPS = 0.3
"""Weight of a message that may come from danger, beside 1 for one that does."""

FOLDS = 10

MEANING = 0.6
"""Threshold of ``danger_meaning.json``."""

SOME_TASKS = 40


def rows(path: Path) -> list[dict[str, Any]]:
    """Read a file of labelled texts."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]


def fit(
    x: NDArray[np.float32],
    yes: NDArray[np.bool_],
    *,
    sample_weight: NDArray[np.float64] | None = None,
    threshold: float = 0.0,
) -> LinearScore:
    """Fit a score to labelled embeddings, both classes with equal weight; to 5 decimals."""
    model = LogisticRegression(C=1.0, class_weight="balanced", max_iter=3000)
    model.fit(x, yes, sample_weight=sample_weight)
    return LinearScore(
        embedding=embedding.VERSION,
        weights=tuple(round(float(value), 5) for value in model.coef_[0]),
        bias=round(float(model.intercept_[0]), 5),
        threshold=threshold,
        texts=len(x),
    )


def fit_refusals() -> LinearScore:
    """Fit the weights behind :class:`harness.text.refusals.Likeness`."""
    labelled = rows(resolve(ANSWERS))
    texts = [
        refusals.mask_names([row["name"]] if row["name"] else [], row["answer"]) for row in labelled
    ]
    x = refusals.opening_vectors([sentences(text) for text in texts], embedding.embed)
    return fit(x, np.array([row["refuses"] for row in labelled]))


def shares(detects: Callable[[str, list[str]], bool], path: Path) -> dict[str, float]:
    """Return the shares that a detector finds among the refusals and others of a file, by kind."""
    hits: dict[str, list[bool]] = {}
    for row in rows(path):
        kind = "about a name" if row["name"] else "general"
        label = "refusals" if row["refuses"] else "others"
        hit = detects(row["answer"], [row["name"]] if row["name"] else [])
        hits.setdefault(f"{label} {kind}", []).append(hit)
    return {name: round(float(np.mean(values)), 3) for name, values in sorted(hits.items())}


def _fit_danger(
    x: NDArray[np.float32], labels: NDArray[np.int64], threshold: float = 0.0
) -> LinearScore:
    weight = np.where(labels == 1, PERHAPS, 1.0)
    return fit(x, labels > 0, sample_weight=weight, threshold=threshold)


def fit_danger() -> tuple[LinearScore, dict[str, float]]:
    """Fit the weights behind :func:`harness.text.danger.danger_score`.

    Also measures the shares that they and the word list flag out of fold.
    """
    messages = rows(resolve(MESSAGES))
    tasks = [row for path in TASKS for row in rows(resolve(path))]
    texts = [row["text"] for row in messages] + [row["prompt"] for row in tasks]
    labels = np.array([row["danger"] for row in messages] + [0] * len(tasks))
    x = embedding.embed(texts)
    scores = np.zeros(len(labels))
    task = np.arange(len(labels)) >= len(messages)
    strata = labels + 10 * task  # by label and kind of text, so that every fold has seen tasks
    for train, test in StratifiedKFold(FOLDS, shuffle=True, random_state=0).split(x, strata):
        scores[test] = _fit_danger(x[train], labels[train])(x[test])
    careful = float(np.quantile(scores[labels == 2], 1 - RECALL))
    words = np.array([danger.danger_sign(text) is not None for text in texts])
    flagged = words | (scores >= careful)
    from_other_sets = np.array(
        [row["source"] != "written" for row in messages] + [False] * len(tasks)
    )
    flagged_shares = {
        "in danger, written for this": flagged[~from_other_sets & (labels == 2)].mean(),
        "in danger, of the other sets": flagged[from_other_sets & (labels == 2)].mean(),
        "perhaps in danger": flagged[labels == 1].mean(),
        "no danger, messages": flagged[(labels == 0) & ~task].mean(),
        "no danger, programming tasks": flagged[task].mean(),
    }
    score = _fit_danger(x, labels, threshold=round(careful, 3))
    return score, {name: round(float(share), 3) for name, share in flagged_shares.items()}


def labelled_sentences() -> list[tuple[str, bool]]:
    """Read the labelled statements beside this file, each with whether it is one of danger."""
    labelled: list[tuple[str, bool]] = []
    label = ""
    for name in ("danger_bank.txt", "danger_sentences.txt"):
        for line in Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines():
            if line.startswith("## "):
                label = line.rpartition(" | ")[2]
            elif line and not line.startswith("#"):
                labelled.append((line, label == "danger"))
    return labelled


def fit_meaning() -> LinearScore:
    """Fit the weights behind :func:`harness.text.danger_meaning.flag_messages`."""
    statements = labelled_sentences()
    messages = [row for row in rows(resolve(MESSAGES)) if row["danger"] != 1]
    tasks = rows(resolve(TASKS[1]))[:SOME_TASKS]
    texts = [text for text, _ in statements] + [row["text"] for row in messages]
    yes = [label for _, label in statements] + [row["danger"] == 2 for row in messages]
    others = [row["prompt"] for row in tasks]
    x = embedding.embed(texts + others)
    return fit(x, np.array(yes + [False] * len(others)), threshold=MEANING)


def save(score: LinearScore, path: Path) -> None:
    """Write a score to its file."""
    write_atomically(path, score.model_dump_json() + "\n")
    print(f"{path}: from {score.texts} texts, threshold {score.threshold}")


def main() -> None:
    """Fit, write, print."""
    wanted = sys.argv[1:] or ["refusals", "danger", "meaning"]
    if "refusals" in wanted:
        save(fit_refusals(), refusals.WEIGHTS)
    if "meaning" in wanted:
        save(fit_meaning(), danger_meaning.WEIGHTS)
    if "danger" in wanted:
        score, flagged_shares = fit_danger()
        save(score, danger.WEIGHTS)
        for name, share in flagged_shares.items():
            print(f"  {name}: {share:.1%} flagged")


if __name__ == "__main__":
    main()
