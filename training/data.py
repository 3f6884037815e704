"""Training and validation rows, and the check that no validation prompt is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.audit import mark_leaked
from harness.config import DataSpec
from harness.data.loading import load, select
from harness.data.rows import HUB
from harness.errors import DataError
from harness.models.provenance import DataProvenance, describe_data
from harness.records import Sample
from harness.util.resources import resolve
from training.config import TrainingConfig
from training.splits import grouped_split, overlap, refuse_overlap


class TrainingData(NamedTuple):
    """Both sides of the data, and their description in the provenance.

    Attributes:
        notes: Lines for the log: rows that were left out.
        warnings: Overlap that the config allows.
    """

    train: list[Sample]
    validation: list[Sample]
    train_described: DataProvenance
    validation_described: DataProvenance | None
    notes: list[str]
    warnings: list[str]


def load_data(config: TrainingConfig) -> TrainingData:
    """Read, filter and split the data, and refuse validation prompts that are trained on.

    Raises:
        DataError: Unreadable rows, an empty set, or an overlap that the config does not allow.
    """
    notes: list[str] = []
    spec = config.train_data
    train = _chosen(load(spec), spec, config.seed, notes)
    validation: list[Sample] = []
    if config.validation_fraction:
        train, validation = grouped_split(train, config.validation_fraction, config.seed)
        described = describe_data(f"{spec.path} (held out)", validation, None)
        return TrainingData(train, validation, _describe(spec, train), described, notes, [])
    if config.validation_data is None:
        return TrainingData(train, [], _describe(spec, train), None, notes, [])
    spec = config.validation_data
    rows = load(spec)
    if spec.only == "clean":
        rows, _ = mark_leaked(rows, train)
    validation = _chosen(rows, spec, config.seed, notes)
    overlapping = overlap(train, validation)
    warnings = []
    if not config.allow_overlap:
        refuse_overlap(overlapping, train=config.train_data.path, held_out=spec.path)
    elif overlapping.rows:
        warnings.append(
            f"{overlapping.rows} of {overlapping.total} validation rows have a prompt that is in the training"
            " data (allow_overlap): the validation loss measures memory as well"
        )
    sides = _describe(config.train_data, train), _describe(spec, validation)
    return TrainingData(train, validation, *sides, notes, warnings)


def _chosen(samples: Sequence[Sample], spec: DataSpec, seed: int, notes: list[str]) -> list[Sample]:
    chosen, left_out = select(samples, spec, seed)
    notes += [f"{spec.path}: {count} rows left out ({rule})" for rule, count in left_out.items()]
    if not chosen:
        raise DataError(f"{spec.path}: no rows to train on or to validate with are left")
    return chosen


def _describe(spec: DataSpec, samples: Sequence[Sample]) -> DataProvenance:
    file = None if spec.path.startswith(HUB) else resolve(spec.path)
    return describe_data(spec.path, samples, file)
