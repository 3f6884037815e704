"""``accelerate launch`` with two CPU processes: the same training as one process with twice the batch."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.util.resources import configs_root
from training import train
from training.config import TrainingConfig
from training.curves import series


def launch(config: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "accelerate.commands.launch", "--config_file",
         str(configs_root() / "accelerate" / "ddp-cpu.yaml"), "--main_process_port", "0",
         "-m", "harness.cli", "train", str(config)],
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_two_processes_make_the_same_curve(
    make_config: Callable[..., TrainingConfig], tmp_path: Path
) -> None:
    one = train(make_config(per_device_train_batch_size=4, output_dir=str(tmp_path / "one")))
    config = make_config(per_device_train_batch_size=2, output_dir=str(tmp_path / "two"))
    path = tmp_path / "two.yaml"
    path.write_text(yaml.safe_dump(json.loads(config.model_dump_json(exclude_unset=True))))
    launch(path)
    log: dict[str, Any] = json.loads((tmp_path / "two" / "training_log.json").read_text())
    assert log["status"] == "complete"
    for key in ("loss", "eval_loss"):
        expected, found = series(one.curve, key), series(log["curve"], key)
        assert [step for step, _ in found] == [step for step, _ in expected]
        assert [v for _, v in found] == pytest.approx([v for _, v in expected], rel=1e-4), key


@pytest.mark.parametrize(
    "path", sorted((configs_root() / "accelerate").glob("*.yaml")), ids=lambda p: p.stem
)
def test_shipped_configs_are_accelerates(path: Path) -> None:
    from accelerate.commands.config.config_args import ClusterConfig

    ClusterConfig.from_yaml_file(str(path))
    text = path.read_text()
    assert text.startswith(f"# accelerate launch --config_file configs/accelerate/{path.name}")
