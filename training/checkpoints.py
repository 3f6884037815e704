"""Checkpoints of a training: which are complete, and which training they belong to."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

from harness.errors import ConfigError
from harness.util.files import write_json

MARK = "whole.json"
"""Written into a checkpoint last: a killed process leaves none."""

_NAME = re.compile(r"checkpoint-\d+")


def mark_complete(folder: Path, made_from: str) -> None:
    """Mark a checkpoint as complete, with the digest of its training."""
    write_json(folder / MARK, {"made_from": made_from})


def latest(output_dir: Path, made_from: str, *, clean: bool = True) -> Path | None:
    """Return the newest complete checkpoint of this training; ``clean`` removes incomplete ones.

    Raises:
        ConfigError: The checkpoints there belong to another config or other data.
    """
    complete = []
    for folder in _folders(output_dir):
        owner = _owner(folder)
        if owner is None:
            if clean:
                shutil.rmtree(folder, ignore_errors=True)
        elif owner != made_from:
            raise ConfigError(
                f"{output_dir} has checkpoints of another training (config or data have changed);"
                " choose another output_dir, or remove them with --fresh"
            )
        else:
            complete.append(folder)
    return max(complete, key=step_of, default=None)


def step_of(checkpoint: Path) -> int:
    """Return the step after which a checkpoint was written."""
    return int(checkpoint.name.rpartition("-")[2])


def remove_all(output_dir: Path) -> None:
    """Remove every checkpoint in ``output_dir``, and nothing else."""
    for folder in _folders(output_dir):
        shutil.rmtree(folder)


def _folders(output_dir: Path) -> list[Path]:
    folders = output_dir.glob("checkpoint-*")
    return [folder for folder in folders if _NAME.fullmatch(folder.name) and folder.is_dir()]


def _owner(folder: Path) -> str | None:
    try:
        return str(json.loads((folder / MARK).read_text(encoding="utf-8"))["made_from"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
