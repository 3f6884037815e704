"""Killed and started again: the same curve, the same weights."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.errors import ConfigError
from training import checkpoints, train
from training.config import TrainingConfig

Make = Callable[..., TrainingConfig]

KILLED = """
import os, signal, sys
from training import callbacks
from training.config import TrainingConfig
from training import train

config = TrainingConfig.model_validate_json(sys.stdin.read())
mark = callbacks.mark_whole

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def run(at_step, before_mark):
    def mark_or_die(folder, made_from):
        if folder.name == f"checkpoint-{before_mark}":
            die()
        mark(folder, made_from)

    callbacks.mark_whole = mark_or_die
    train(config, progress=lambda e: die() if e["event"] == "step" and e["step"] == at_step else 0)

for death in sys.argv[1:]:
    # A fork before torch has computed anything saves importing it all again.
    child = os.fork()
    if child == 0:
        run(*map(int, death.split(",")))
        os._exit(1)
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL, status
"""

COMPARED = ("loss", "learning_rate", "grad_norm", "eval_loss", "tokens", "epoch")


def curve(result: Any) -> list[tuple[Any, ...]]:
    return [
        (row["step"], *(row.get(key) for key in COMPARED))
        for row in result.curve
        if "loss" in row or "eval_loss" in row
    ]


def run_until_killed(config: TrainingConfig, *deaths: str) -> None:
    """Start the training once for each death: ``at_step,before_marking_checkpoint``."""
    done = subprocess.run(
        [sys.executable, "-c", KILLED, *deaths],
        input=config.model_dump_json(),
        text=True,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr


def test_killed_twice_and_resumed_to_the_same_curve(make_config: Make, tmp_path: Path) -> None:
    fields: dict[str, Any] = {
        "max_steps": 11,
        "lora_dropout": 0.2,
        "gradient_accumulation_steps": 2,
        "per_device_train_batch_size": 2,
        "logging_steps": 2,  # Does not divide save_steps: a checkpoint is a logging point by itself.
        "eval_steps": 3,
        "save_steps": 3,
    }
    whole = train(make_config(**fields, output_dir=str(tmp_path / "whole")))
    broken = make_config(**fields, output_dir=str(tmp_path / "broken"))
    # The second time checkpoint 6 is written, but the process dies before it is declared whole.
    run_until_killed(broken, "5,-1", "-1,6")
    assert (tmp_path / "broken" / "checkpoint-6").is_dir()
    resumed = train(broken)
    assert resumed.resumed_from == 3
    assert curve(resumed) == curve(whole)
    assert resumed.summary["eval_loss_before"] == whole.summary["eval_loss_before"]
    weights = [tmp_path / name / "adapter_model.safetensors" for name in ("whole", "broken")]
    assert weights[0].read_bytes() == weights[1].read_bytes()


def test_checkpoints_of_another_training_are_refused(make_config: Make, tmp_path: Path) -> None:
    checkpoint = tmp_path / "out" / "checkpoint-3"
    checkpoint.mkdir(parents=True)
    checkpoints.mark_whole(checkpoint, "another")
    with pytest.raises(ConfigError, match=r"checkpoints of another training.*--fresh"):
        train(make_config())
    assert checkpoint.is_dir()
    train(make_config(max_steps=1), fresh=True)
    assert not checkpoint.exists()


def test_only_checkpoints_are_ever_removed(tmp_path: Path) -> None:
    for name in ("checkpoint-notes", "checkpoint-12", "mine"):
        (tmp_path / name).mkdir()
    (tmp_path / "checkpoint-7").write_text("a file")
    assert checkpoints.latest(tmp_path, "x") is None
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint-7",
        "checkpoint-notes",
        "mine",
    ]
    (tmp_path / "checkpoint-12").mkdir()
    checkpoints.remove_all(tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "checkpoint-7",
        "checkpoint-notes",
        "mine",
    ]
