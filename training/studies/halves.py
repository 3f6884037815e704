"""Random halves of the training rows: families that stay together, and the files that are trained on."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.audit.clusters import cluster_rows, connected
from harness.audit.trained_answers import common_from, find_responses
from harness.data.loading import jsonl
from harness.errors import DataError
from harness.memorisation.halves import numbered
from harness.models.provenance import DataProvenance
from harness.records import Sample
from harness.text.normalise import normalise_prompt
from harness.util.digest import derived_rng
from harness.util.files import make_folder, write_atomically
from harness.util.formatting import plural
from training.data import load_data
from training.masking import turns
from training.studies.config import HALVES, StudyConfig, half_file

LEAST_FAMILIES = 10
"""With fewer families an interval over families says nothing (``least_prompts`` of the verdict)."""

MOST_UNEVEN = 0.6
"""Largest share of the rows that one half may hold."""

SHUFFLES = 100
"""Orders of the families that are drawn at most, to find halves of equal size."""


@dataclass(frozen=True, eq=False)
class HalvedRows:
    """The rows of a halves study, and the half that each is in.

    Attributes:
        described: The rows as the provenance of a training on all of them describes them.
        families: Number of each row's family, length n.
        half: 0 or 1, shape (n, seeds).
        cautions: What may mislead, a line each.
    """

    samples: list[Sample]
    described: DataProvenance
    families: list[int]
    half: NDArray[np.int64]
    cautions: tuple[str, ...]

    def write(self, root: Path, seeds: Sequence[int]) -> None:
        """Write the rows of every half, one JSONL file each; the same rows give the same bytes.

        Raises:
            StoreError: The folder cannot be written.
        """
        for column, seed in enumerate(seeds):
            for number, half in enumerate(HALVES):
                path = half_file(root, seed, half)
                make_folder(path.parent)
                chosen = np.flatnonzero(self.half[:, column] == number)
                write_atomically(path, jsonl(self.samples[index] for index in chosen))


def halve(study: StudyConfig) -> HalvedRows:
    """Read the rows of a study, put them into families, and divide those once a seed.

    Raises:
        DataError: Unreadable rows, a row without a response, too few families, or one that is too
            large to be on one side.
    """
    assert study.halves is not None
    data = load_data(study.whole())
    for sample in data.train:
        next(turns(sample))  # a row without a response is refused here, before any training
    families, cautions = row_families(data.train)
    path, rows = study.whole().train_data.path, len(data.train)
    sizes = Counter(families)
    if len(sizes) < LEAST_FAMILIES:
        raise DataError(
            f"{path}: its {plural(rows, 'row')} fall into {len(sizes)} families of near-duplicates;"
            f" halves need at least {LEAST_FAMILIES}, or no interval can be given"
        )
    half = np.stack([assign(families, seed) for seed in study.halves.seeds], axis=1)
    largest = max(float(half[:, column].mean()) for column in range(half.shape[1]))
    smallest = min(float(half[:, column].mean()) for column in range(half.shape[1]))
    if max(largest, 1 - smallest) > MOST_UNEVEN:
        raise DataError(
            f"{path}: {max(sizes.values())} of {rows} rows are near-duplicates of one another and"
            " cannot be divided between halves; remove most of them (jostle audit lists them)"
        )
    return HalvedRows(data.train, data.train_described, families, half, tuple(cautions))


def row_families(samples: Sequence[Sample]) -> tuple[list[int], list[str]]:
    """Number the family of each row; rows that share a prompt or a response, nearly, are of one.

    So are rows of one group, where ``train_data.group_by`` names a field. A row whose twin lies in
    the other half would be "out" for an adapter that has read its text. What more rows share than
    :func:`harness.audit.trained_answers.common_from` allows is a form of answering and ties nothing:
    it cannot be memorised from one row.

    Returns:
        Families, and a caution where rows of different families give the same response.
    """
    prompts = cluster_rows(samples).of_row
    responses = [normalise_prompt(sample.reference or "") for sample in samples]
    counts = Counter(responses)
    most = common_from(len(samples))
    alike = find_responses(samples, samples, within=True)
    ties = [
        *_ties(prompts),
        *_ties([sample.group for sample in samples]),
        *_ties([text if counts[text] <= most else None for text in responses]),
        *((row, match.row) for row, match in enumerate(alike) if match is not None),
    ]
    families = numbered(connected(len(samples), ties)).tolist()
    within = Counter(zip(families, responses, strict=True))
    shared = sum(
        counts[text] > within[family, text]
        for family, text in zip(families, responses, strict=True)
    )
    cautions = []
    if shared:
        cautions.append(
            f"{shared} of {len(samples)} rows have a response that rows of other families give word"
            " for word: a form of answering, which is learned from either half and counts as"
            " generalising"
        )
    return families, cautions


def assign(families: Sequence[int], seed: int) -> NDArray[np.int64]:
    """Divide families at random into two halves of as equal numbers of rows as they allow.

    Drawn orders of the families are cut where half of the rows are reached; of ``SHUFFLES`` orders
    the first that comes closest to equal halves is taken. So each row is in either half with
    probability one half, and two families meet about half of the time, whatever their sizes.

    Returns:
        0 or 1 for each row, shape (n,).
    """
    rng = derived_rng(seed, "halves")
    sizes = Counter(families)
    order, rows = sorted(sizes), len(families)
    closest, first_half = rows + 1, frozenset[int]()
    for _ in range(SHUFFLES):
        rng.shuffle(order)
        totals = np.cumsum([sizes[family] for family in order])
        cut = int(np.abs(2 * totals - rows).argmin())
        uneven = int(abs(2 * totals[cut] - rows))
        if uneven < closest:
            closest, first_half = uneven, frozenset(order[: cut + 1])
        if closest <= 1:
            break
    side = rng.randrange(2)
    return np.array([side ^ (family in first_half) for family in families], dtype=np.int64)


def _ties(labels: Sequence[int | str | None]) -> list[tuple[int, int]]:
    """Tie each row to the first of the same label; rows without a label are tied to none."""
    first: dict[int | str, int] = {}
    return [
        (first.setdefault(label, row), row) for row, label in enumerate(labels) if label is not None
    ]
