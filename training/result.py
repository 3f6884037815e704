"""A finished training, and how to read one back from its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError

LOG = "training_log.json"


@dataclass(frozen=True)
class TrainingResult:
    """A finished training.

    Attributes:
        output_dir: Folder with the adapter (or the model), log, provenance and card.
        steps: Optimizer steps taken.
        summary: Every figure: losses before and after, tokens per second, sizes, counts.
        curve: The logged rows, in order; each has ``step``.
        warnings: Lines that stay in the log and on the card.
        resumed_from: Step from which an interrupted training went on, or None.
    """

    output_dir: Path
    steps: int
    summary: dict[str, Any]
    curve: list[dict[str, Any]]
    warnings: list[str]
    resumed_from: int | None = None


def finished(output: Path, made_from: str | None = None) -> TrainingResult | None:
    """The result of a complete training in ``output``, read from its log; None if there is none.

    Raises:
        ConfigError: A complete training of another config or other data lies there.
    """
    try:
        log = json.loads((output / LOG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if log.get("status") != "complete":
        return None
    if made_from is not None and log.get("made_from") != made_from:
        raise ConfigError(
            f"{output} holds a finished training of another config or other data;"
            " choose another output_dir, or train anew with --fresh"
        )
    return TrainingResult(
        output, log["summary"]["steps"], log["summary"], log["curve"], log["warnings"]
    )
