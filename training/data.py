"""Training and validation rows, and the check that no validation prompt is trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.audit import mark_leaked
from harness.audit.trained_answers import find_responses
from harness.config import DataSpec
from harness.data.loading import load, select
from harness.data.rows import HUB
from harness.data.split import split
from harness.errors import DataError
from harness.models.provenance import DataProvenance, describe_data
from harness.records import Sample
from harness.text.normalise import normalise_prompt
from harness.util.resources import resolve
from training.config import TrainingConfig


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
    if config.validation_fraction:
        shares = {"train": 1 - config.validation_fraction, "held_out": config.validation_fraction}
        train, validation = split(train, shares, seed=config.seed).parts.values()
        described = describe_data(f"{spec.path} (held out)", validation, None)
        return TrainingData(train, validation, _describe(spec, train), described, notes, [])
    if config.validation_data is None:
        return TrainingData(train, [], _describe(spec, train), None, notes, [])
    spec = config.validation_data
    rows = load(spec)
    if spec.only == "clean":
        rows, _ = mark_leaked(rows, train)
    validation = _chosen(rows, spec, config.seed, notes)
    warnings = _overlap(config, spec.path, train, validation)
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


def _overlap(
    config: TrainingConfig, path: str, train: Sequence[Sample], validation: Sequence[Sample]
) -> list[str]:
    """Refuse validation rows whose prompt is trained on; warn where the config allows them.

    Raises:
        DataError: One line with the count and what to do.
    """
    exact_keys = {sample.messages for sample in train}
    keys = {_conversation(sample) for sample in train}
    exact = [sample for sample in validation if sample.messages in exact_keys]
    same = [sample for sample in validation if _conversation(sample) in keys]
    others = [sample for sample in validation if _conversation(sample) not in keys]
    answers = [match for match in find_responses(others, train) if match is not None]
    if not same and not answers:
        return []
    counts = f"{len(same)} of {len(validation)} validation rows have a prompt that is in"
    by_answer = f"{len(answers)} have an answer that is there under another prompt"
    if config.allow_overlap:
        return [
            f"{counts} the training data, {by_answer} (allow_overlap): the validation loss measures"
            " memory as well"
        ]
    example = (exact or same or [train[answers[0].row]])[0].prompt[:60]
    raise DataError(
        f"{path}: {counts} {config.train_data.path} ({len(exact)} exactly,"
        f" {len(same) - len(exact)} but for case, punctuation or spacing), and {by_answer} (e.g."
        f" {example!r}): their loss measures memory. Remove them, use"
        " 'validation_data: {path: ..., only: clean}', or set allow_overlap: true"
    )


def _conversation(sample: Sample) -> tuple[str, ...]:
    """Return the normalised texts of the whole conversation: equal for equal prompts.

    A conversation that shares only its last turn ("thanks!") with another is another prompt.
    """
    return tuple(
        f"{message.role}: {normalise_prompt(message.content)}"
        for message in sample.messages
        if message.role != "system"
    )
