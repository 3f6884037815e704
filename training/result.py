"""A finished training: read back from its folder, its sizes, and the events on the way there."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import ConfigError

LOG = "training_log.json"

EventHandler = Callable[[dict[str, Any]], None]
"""Handler of a training's events: ``{"event": "begin" | "step", "step", "of"}``, ``{"event": "log" |
"eval", "step", ...figures}``, ``{"event": "warning", "message"}``."""


@dataclass(frozen=True)
class TrainingResult:
    """Folder, figures and curve of a finished training.

    Attributes:
        output_dir: Folder with the adapter (or the model), log, provenance and card.
        summary: Every figure: losses before and after, tokens per second, sizes, counts.
        curve: The logged rows, in order; each has ``step``.
        resumed_from: Step from which an interrupted training went on, or None.
    """

    output_dir: Path
    steps: int
    summary: dict[str, Any]
    curve: list[dict[str, Any]]
    warnings: list[str]
    resumed_from: int | None = None


def finished(output: Path, made_from: str | None = None) -> TrainingResult | None:
    """Read the result of a complete training in ``output`` from its log; None if there is none.

    Raises:
        ConfigError: The training there is of another config or other data.
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
            " choose another output_dir, or replace it with --fresh"
        )
    return TrainingResult(
        output, log["summary"]["steps"], log["summary"], log["curve"], log["warnings"]
    )


def model_figures(model: Any) -> dict[str, int]:
    """Count a model's parameters, those that are trained, and its bytes in memory."""
    parameters = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return {
        "trainable_parameters": sum(n for n, trainable in parameters if trainable),
        "parameters": sum(n for n, _ in parameters),
        "memory_footprint_bytes": int(model.get_memory_footprint()),
    }


def weights_bytes(folder: Path) -> int:
    """Return the bytes on disk of a folder's weight files."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
