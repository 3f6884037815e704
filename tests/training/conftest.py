"""A small data set and a config over the tiny model, quick enough for every test."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import JostleError
from training import train
from training.config import TrainingConfig
from training.studies import engines
from training.studies.cell import CellOutcome

QUESTIONS = ("sad", "tired", "lost", "late", "new here", "worried", "alone", "angry")


def rows(n: int, word: str = "I feel") -> list[dict[str, str]]:
    return [
        {
            "prompt": f"{word} {QUESTIONS[i % len(QUESTIONS)]} number {i}",
            "response": f"It sounds tiring. Say more about {i % 5}.",
        }
        for i in range(n)
    ]


def write_jsonl(path: Path, items: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(item) + "\n" for item in items), encoding="utf-8")
    return path


@pytest.fixture
def make_config(tiny_llama: Path, tmp_path: Path) -> Callable[..., TrainingConfig]:
    """``make_config(**fields)``: a LoRA training of 6 steps on 24 rows, validated on 6."""
    train = write_jsonl(tmp_path / "train.jsonl", rows(24))
    valid = write_jsonl(tmp_path / "valid.jsonl", rows(6, "Why am I"))

    def make(**fields: Any) -> TrainingConfig:
        given: dict[str, Any] = {
            "model": str(tiny_llama),
            "output_dir": str(tmp_path / "out"),
            "train_data": str(train),
            "validation_data": str(valid),
            "template": "Q: {prompt}\nA:",
            "max_length": 96,
            "max_steps": 6,
            "learning_rate": 1e-2,
            "r": 4,
            "lora_alpha": 8,
            "logging_steps": 1,
            "eval_steps": 3,
            "save_steps": 3,
            "report_to": "none",
            "use_cpu": True,
        }
        return TrainingConfig(**{**given, **fields})

    return make


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Train in this process: a fresh one costs a dozen seconds of imports."""

    def run(name: str, config: TrainingConfig, events: Any = None) -> CellOutcome:
        try:
            train(config, progress=events)
        except JostleError as error:
            return CellOutcome(name, Path(config.output_dir), str(error))
        return CellOutcome(name, Path(config.output_dir))

    monkeypatch.setattr(engines, "run_cell", run)
