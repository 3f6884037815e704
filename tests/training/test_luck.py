"""Bad luck: losses that are no numbers, full disks; and the stops and warnings that are asked for."""

from __future__ import annotations

import errno
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trl import SFTTrainer

from harness.errors import StoreError
from training import train
from training.config import TrainingConfig
from training.curves import series, stale, turning_point
from training.trainer import NonFiniteLoss, ResponseTrainer

Make = Callable[..., TrainingConfig]


def break_loss(monkeypatch: pytest.MonkeyPatch, at: int, value: float) -> None:
    """Make the loss of training step ``at`` (from 1) ``value``."""
    loss, calls = ResponseTrainer.compute_loss, iter(range(1, 1000))

    def broken(self: Any, model: Any, inputs: Any, *args: Any, **kwargs: Any) -> Any:
        found = loss(self, model, inputs, *args, **kwargs)
        return found * value if model.training and next(calls) == at else found

    monkeypatch.setattr(ResponseTrainer, "compute_loss", broken)


def test_a_loss_that_is_no_number_stops_before_the_step(
    make_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        break_loss(patch, at=5, value=float("nan"))
        with pytest.raises(NonFiniteLoss, match=r"step 5: the loss is nan.*checkpoint-3") as raised:
            train(make_config())
    assert "\n" not in str(raised.value)
    log = json.loads((tmp_path / "out" / "training_log.json").read_text())
    assert log["status"] == "failed"
    assert "checkpoint-3" in log["reason"]
    # The bad luck over, the same command goes on to the same end.
    assert train(make_config()).resumed_from == 3
    assert (
        (tmp_path / "out" / "adapter_model.safetensors").read_bytes()
        == (train(make_config(output_dir=str(tmp_path / "whole"))).output_dir
            / "adapter_model.safetensors").read_bytes()
    )  # fmt: skip


def test_a_gradient_that_is_no_number_stops_too(
    make_config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = SFTTrainer
    norm = base._get_grad_norm
    monkeypatch.setattr(
        base,
        "_get_grad_norm",
        lambda self, *a, **k: norm(self, *a, **k) * (float("inf") if self.state.global_step else 1),
    )
    with pytest.raises(NonFiniteLoss, match=r"step 2: the gradient is inf.*no checkpoint yet"):
        train(make_config())


@pytest.mark.parametrize(
    "error",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("[enforce fail at inline_container.cc:858] . PytorchStreamWriter failed"
                     " writing file data/0: file write failed"),
    ],
)  # fmt: skip
def test_a_full_disk_is_one_line(
    make_config: Make, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def full(self: Any, *args: Any, **kwargs: Any) -> None:
        raise error

    monkeypatch.setattr(ResponseTrainer, "_save_optimizer_and_scheduler", full)
    with pytest.raises(StoreError, match=r"no space left on the disk.*same command") as raised:
        train(make_config())
    assert "\n" not in str(raised.value)


def test_other_errors_are_not_taken_for_a_full_disk(
    make_config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def wrong(self: Any, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(ResponseTrainer, "_save_optimizer_and_scheduler", wrong)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        train(make_config())


def fake_losses(monkeypatch: pytest.MonkeyPatch, *values: float) -> None:
    """Validation losses by script, in the order of the evaluations."""
    evaluate, script = ResponseTrainer.evaluation_loop, iter(values)

    def scripted(self: Any, *args: Any, **kwargs: Any) -> Any:
        output = evaluate(self, *args, **kwargs)
        output.metrics["eval_loss"] = next(script)
        return output

    monkeypatch.setattr(ResponseTrainer, "evaluation_loop", scripted)


def test_early_stop_and_best_model(
    make_config: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_losses(monkeypatch, 5.0, 3.0, 4.0, 4.1, 4.2, 4.3)
    result = train(
        make_config(max_steps=10, eval_steps=2, save_steps=2, early_stopping_patience=2,
                    load_best_model_at_end=True)
    )  # fmt: skip
    assert result.steps == 6
    assert result.summary["best_step"] == 2
    assert result.summary["eval_loss_after"] == 3.0
    kept = (tmp_path / "out" / "adapter_model.safetensors").read_bytes()
    best = tmp_path / "out" / "checkpoint-2" / "adapter_model.safetensors"
    last = tmp_path / "out" / "checkpoint-6" / "adapter_model.safetensors"
    assert kept == best.read_bytes() != last.read_bytes()


def test_the_last_step_competes_for_the_best(make_config: Make, tmp_path: Path) -> None:
    """Shorter than ``eval_steps``, or no multiple of it: the end is evaluated all the same."""
    result = train(make_config(max_steps=4, load_best_model_at_end=True))
    losses = dict(series(result.curve, "eval_loss"))
    assert sorted(losses) == [0, 3, 4]
    assert losses[4] < losses[3]
    assert result.summary["best_step"] == 4
    assert result.summary["eval_loss_after"] == losses[4]
    kept = (tmp_path / "out" / "adapter_model.safetensors").read_bytes()
    assert kept == (tmp_path / "out" / "checkpoint-4" / "adapter_model.safetensors").read_bytes()
    short = make_config(max_steps=2, load_best_model_at_end=True, output_dir=str(tmp_path / "2"))
    assert train(short).summary["eval_loss_after"] < losses[0]


def test_a_loss_that_turns_up_is_warned_of_once(
    make_config: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_losses(monkeypatch, 5.0, 3.0, 3.5, 3.6, 3.7)
    events: list[dict[str, Any]] = []
    result = train(make_config(max_steps=8, eval_steps=2, save_steps=8), progress=events.append)
    warned = [event["message"] for event in events if event["event"] == "warning"]
    assert warned == result.warnings
    assert len(warned) == 1
    assert "turned up: 3.0000 at step 2, 3.6000 at step 6" in warned[0]


def test_turning_point() -> None:
    def history(training: list[float], validation: list[float]) -> list[dict[str, Any]]:
        return [{"step": i + 1, "loss": x} for i, x in enumerate(training)] + [
            {"step": i, "eval_loss": x} for i, x in enumerate(validation)
        ]

    falling = [3.0, 2.5, 2.0, 1.5]
    assert turning_point(history(falling, [3.0, 2.0, 2.1, 2.2])) == (1, 2.0, 2.2)
    assert turning_point(history(falling, [3.0, 2.0, 2.1])) is None
    assert turning_point(history(falling, [3.0, 2.0, 2.1, 1.9])) is None
    # Both rise: that is divergence, not memorising.
    assert turning_point(history([3.0, 2.5, 2.7, 3.2], [3.0, 2.0, 2.1, 2.2])) is None


def test_stale() -> None:
    assert stale([1, 2, 3]) == 0
    assert stale([1, 3, 2, 3]) == 2
    assert stale([1.0, 1.05, 1.1], threshold=0.2) == 2
