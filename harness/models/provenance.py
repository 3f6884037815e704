"""Provenance of trained weights: written beside them, checked when they are put under test."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.errors import ModelError
from harness.records import Sample
from harness.util.digest import digest, file_digest
from harness.util.environment import git_state, hardware, package_versions
from harness.util.files import write_atomically

FILE = "provenance.json"


class DataProvenance(BaseModel):
    """Data set as a training used it.

    Attributes:
        path: As the config names it.
        rows: Rows used.
        content_sha256: Digest over the digests of those rows, in order.
        file_sha256: Of the file's bytes; None for a hub data set or a split of the training file.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    path: str
    rows: int
    content_sha256: str
    file_sha256: str | None = None


class Provenance(BaseModel):
    """Everything that decided a training's weights.

    Attributes:
        base: The base model's name, revision and ``weights_sha256`` (None where not known).
        rendering: Fingerprint of the prompt renderer.
        made_from: Digest of config, data and base: two trainings with one ``made_from``, package
            versions and kind of machine give the same weights.
        weights: SHA-256 of every weight file in the folder, by name.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    schema_version: int = 1
    created: str
    objective: str
    method: str
    config: dict[str, Any]
    seed: int
    base: dict[str, Any]
    rendering: str
    train: DataProvenance
    validation: DataProvenance | None = None
    made_from: str
    weights: dict[str, str] = {}
    packages: dict[str, str] = {}
    git: dict[str, Any] = {}
    hardware: dict[str, Any] = {}


def describe_data(path: str, samples: Sequence[Sample], file: Path | None) -> DataProvenance:
    """Describe a data set: the rows used, by content, and the file, by its bytes."""
    return DataProvenance(
        path=path,
        rows=len(samples),
        content_sha256=digest([sample.made_from for sample in samples]),
        file_sha256=file_digest(file) if file is not None and file.is_file() else None,
    )


def write(folder: Path, **fields: Any) -> Provenance:
    """Write ``provenance.json`` for the weights in ``folder`` as they are now."""
    made = Provenance(
        created=datetime.now(UTC).isoformat(timespec="seconds"),
        weights={file.name: file_digest(file) for file in sorted(folder.glob("*.safetensors"))},
        packages=package_versions(),
        git=git_state(),
        hardware=hardware(),
        **fields,
    )
    write_atomically(folder / FILE, made.model_dump_json(indent=2) + "\n")
    return made


def read(folder: Path) -> Provenance | None:
    """Read the provenance of an adapter folder; None where it has none (made by another tool)."""
    path = folder / FILE
    if not path.is_file():
        return None
    try:
        return Provenance.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError) as error:
        first = str(error).splitlines()[0]
        raise ModelError(f"{path}: cannot be read ({first}); remove it or train again") from error


def mismatches(
    folder: Path,
    *,
    base_weights_sha256: str | None = None,
    rendering: str | None = None,
    training_data: Sequence[str] = (),
) -> list[str]:
    """List, one line each, where the adapter in ``folder`` and its use do not agree.

    Args:
        folder: The adapter's folder.
        base_weights_sha256: Digest of the base it is put on.
        rendering: Fingerprint of the renderer that it is used with.
        training_data: ``file_sha256`` or ``content_sha256`` of the suite's training data.

    Raises:
        ModelError: The provenance file cannot be read.
    """
    made = read(folder)
    if made is None:
        return []
    problems = []
    for name, expected in made.weights.items():
        file = folder / name
        if not file.is_file() or file_digest(file) != expected:
            problems.append(f"{file}: the weights are not those that {FILE} was written for")
    trained_on = made.base.get("weights_sha256")
    if base_weights_sha256 and trained_on and base_weights_sha256 != trained_on:
        problems.append(
            f"{folder}: trained on other base weights ({made.base.get('model')},"
            f" {trained_on[:12]}) than it is put on ({base_weights_sha256[:12]})"
        )
    if rendering and rendering != made.rendering:
        problems.append(
            f"{folder}: trained with another prompt format than it is used with; give the subject the"
            " template and system_prompt of its training config"
        )
    if training_data and not {made.train.file_sha256, made.train.content_sha256} & set(
        training_data
    ):
        problems.append(
            f"{folder}: trained on {made.train.path} ({made.train.rows} rows), which is not the"
            " training_data that this suite checks for leakage"
        )
    return problems
