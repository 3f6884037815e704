"""Fits the judge that is shipped (``judges/shipped/counseling.safetensors``) and checks it.

    python -m tests.support.fit_judge                     # fit again from the repository
    python -m tests.support.fit_judge --add READ.jsonl    # take in replies that were read first

It is fitted on the authors' letters (``configs/data/labels/counseling_answers.jsonl``, part ``fit``) and on
replies of other sources that language-model readers rated, each alone and blind. A line of
``READ.jsonl`` is one reply: ``{"id", "source", "kind", "question", "answer", "ours", "read": {reader:
{dimension: score}}}``. Ratings are kept in ``tests/golden/judge/readings.csv`` and what the fit needs
of the texts, as numbers, in ``features.safetensors`` beside it; the texts only where they are ours
(``configs/data/labels/read_replies.jsonl``). Where features change, all must be added again.

Replies to questions of the part ``check`` are never fitted on. Readers differ in strictness, and got
their replies at random: each reader's ratings are brought to the mean and spread of all readers'.
"""

from __future__ import annotations

import argparse
import csv
import json
import random
from collections import defaultdict
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import load_file, save_file

from harness.judging.calibration import calibrate
from harness.judging.labels import Labels, read_labels
from harness.text import embedding
from harness.util.digest import canonical_json
from harness.util.files import write_atomically
from harness.util.resources import resolve
from judges.fitted import SHIPPED, Fitted, beside
from judges.regression.features import BLOCKS, WIDTH, features
from judges.regression.model import FittedCard, FittedModel, LabelTable, fit_table, label_table

LETTERS = "bundled:data/labels/counseling_answers.jsonl"
OURS = resolve(LETTERS).with_name("read_replies.jsonl")
FOLDER = Path(__file__).resolve().parent.parent / "golden" / "judge"
READINGS, NUMBERS = FOLDER / "readings.csv", FOLDER / "features.safetensors"
DIMENSIONS = ("empathy", "relevance")
LOWEST, HIGHEST = 1.0, 5.0

_FIGURES = BLOCKS["product"].stop
"""First column after the embeddings."""


def add(path: Path) -> None:
    """Measure the replies of a file and keep their ratings and numbers, and the texts of ours."""
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    rows.sort(key=lambda row: row["id"])
    ratings = [
        [row["id"], row["source"], row["kind"], row["part"], reader]
        + [str(row["read"][reader][name]) for name in DIMENSIONS]
        for row in rows
        for reader in sorted(row["read"])
    ]
    FOLDER.mkdir(exist_ok=True)
    lines = [["id", "source", "kind", "part", "annotator", *DIMENSIONS], *ratings]
    write_atomically(READINGS, "".join(",".join(line) + "\n" for line in lines))
    asked, answers = [row["question"] for row in rows], [row["answer"] for row in rows]
    once = features(asked, answers)
    twice = features(asked, [f"{answer}\n{answer}" for answer in answers])
    numbers = {
        "answer": _bytes(once[:, BLOCKS["answer"]]),
        "question": _bytes(embedding.embed(asked)),
        "figures": once[:, _FIGURES:].astype(np.float16),
        "figures_twice": twice[:, _FIGURES:].astype(np.float16),
    }
    save_file(numbers, NUMBERS, metadata={"ids": " ".join(row["id"] for row in rows)})
    ours = [
        {
            "id": row["id"],
            "question": row["question"],
            "answer": row["answer"],
            "split": row["part"],
            "annotator": reader,
            "labels": row["read"][reader],
            "kind": row["kind"],
            "source": row["source"],
        }
        for row in rows
        if row["ours"]
        for reader in sorted(row["read"])
    ]
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in ours)
    write_atomically(OURS, text)


def _bytes(vectors: NDArray[Any]) -> NDArray[np.int8]:
    """Keep unit vectors in steps of 1/254, which is what a fit can tell apart."""
    return np.asarray(np.clip(np.round(vectors * 254), -127, 127), dtype=np.int8)


def read_table() -> tuple[LabelTable, list[str]]:
    """Return the replies that were read and may be fitted on, and who read them."""
    numbers = load_file(NUMBERS)
    answer = numbers["answer"].astype(np.float64) / 254
    question = numbers["question"].astype(np.float64) / 254
    tables = []
    for name in ("figures", "figures_twice"):
        x = np.empty((len(answer), WIDTH))
        x[:, BLOCKS["answer"]], x[:, BLOCKS["product"]] = answer, answer * question
        x[:, _FIGURES:] = numbers[name].astype(np.float64)
        tables.append(x)
    with READINGS.open(encoding="utf-8") as file:
        ratings = list(csv.DictReader(file))
    order = list(dict.fromkeys(row["id"] for row in ratings))
    about = {row["id"]: row for row in ratings}
    kept = [at for at, one in enumerate(order) if about[one]["part"] == "fit"]
    scores = _levelled(ratings)
    keys = [question[at].tobytes().hex() for at in kept]  # names of questions without their texts
    return (
        LabelTable(
            x=tables[0][kept],
            twice=tables[1][kept],
            scores={
                name: np.array([np.mean(scores[order[at], name]) for at in kept])
                for name in DIMENSIONS
            },
            questions=tuple(keys),
            sources=tuple(about[order[at]]["source"] for at in kept),
            made=(False,) * len(kept),
        ),
        sorted({row["annotator"] for row in ratings}),
    )


def _levelled(ratings: list[dict[str, str]]) -> dict[tuple[str, str], list[float]]:
    """Return the ratings of each item and dimension, all readers at one mean and spread."""
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for name in DIMENSIONS:
        of_reader: dict[str, list[tuple[str, float]]] = defaultdict(list)
        for row in ratings:
            of_reader[row["annotator"]].append((row["id"], float(row[name])))
        means = {one: np.mean([v for _, v in rows]) for one, rows in of_reader.items()}
        spreads = {one: np.std([v for _, v in rows]) for one, rows in of_reader.items()}
        mean, spread = np.mean(list(means.values())), np.mean(list(spreads.values()))
        for reader, rows in of_reader.items():
            for item, value in rows:
                level = (value - means[reader]) / spreads[reader] * spread + mean
                found[item, name].append(float(np.clip(level, LOWEST, HIGHEST)))
    return found


def nonsense(letters: Labels) -> LabelTable:
    """Make answers that say nothing, by rule, of every third letter: they are worth the lowest score.

    The words of the answer in random order, and the question handed back. Nobody wrote or read them,
    so no agreement counts them.
    """
    asked, answers = [], []
    for number, item in enumerate(letters.items):
        if number % 3 == 0:
            words = [word.strip(".,;:!?") for word in (item.first.answer or "").split()]
            random.Random(canonical_json(["nonsense", item.first.id])).shuffle(words)
            asked += [item.first.question] * 2
            answers += [" ".join(words), item.first.question]
    lowest = np.full(len(asked), LOWEST)
    return LabelTable(
        x=features(asked, answers),
        twice=features(asked, [f"{answer}\n{answer}" for answer in answers]),
        scores=dict.fromkeys(DIMENSIONS, lowest),
        questions=tuple(asked),
        sources=(letters.sources[0],) * len(asked),
        made=(True,) * len(asked),
    )


def refit(only: Collection[str] = ()) -> FittedModel:
    """Fit from what is in the repository: every dimension, or those named."""
    ours = read_labels(LETTERS).part("fit")
    read, readers = read_table()
    card = FittedCard(
        name="counseling",
        labels=LETTERS,
        labels_digest=ours.digest,
        split=ours.split,
        annotators=(*ours.annotators, *readers),
        own=False,
        dimensions=(),
    )
    table = label_table(ours).joined(nonsense(ours)).joined(read)
    chosen = {name: scores for name, scores in table.scores.items() if not only or name in only}
    return fit_table(table._replace(scores=chosen), LETTERS, card)


def main() -> None:
    """Take in, fit, save and check."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--add", type=Path)
    options = parser.parse_args()
    if options.add:
        add(options.add)
    path = SHIPPED / "counseling.safetensors"
    model = refit()
    model.save(path)
    held_out = read_labels(LETTERS).part("check")
    calibration = calibrate(Fitted(str(path)), held_out, name="fitted")
    write_atomically(beside(path), calibration.model_dump_json(indent=1) + "\n")
    for dimension in model.card.dimensions:
        print(dimension.name, dimension.mix, dimension.strength, dimension.cross_validated)
        for one in dimension.left_out:
            print("  ", one.figure, one.items, one.length_rho, one.labels_length_rho)
    for agreement in calibration.dimensions:
        print(agreement.sentence)


if __name__ == "__main__":
    main()
