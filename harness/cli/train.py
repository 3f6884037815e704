"""``jostle train``: make an adapter."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.common import overrides_argument

if TYPE_CHECKING:
    from harness.util.progress import Progress, Task
    from training.config import TrainingConfig
    from training.result import TrainingResult


@click.command(short_help="Make an adapter.")
@click.argument("config", type=click.Path(path_type=Path))
@overrides_argument
@click.option("--fresh", is_flag=True, help="Remove an earlier training in the folder first.")
def command(config: Path, overrides: tuple[str, ...], fresh: bool) -> int:
    """Train as CONFIG says (a YAML file, or the name of a shipped training config).

    Fields are those of Hugging Face TrainingArguments and PEFT LoraConfig, and any can be set from
    here: learning_rate=1e-5 max_steps=60. An interrupted training resumes from its last checkpoint;
    a finished one is not repeated.
    """
    from harness.cli.show import reporter
    from harness.util.resources import shipped
    from training.config import load_training

    result = train_with_progress(
        load_training(shipped(config, "training"), overrides), reporter(), fresh=fresh
    )
    click.echo(describe(result))
    return 0


def train_with_progress(
    config: TrainingConfig, progress: Progress, *, fresh: bool = False
) -> TrainingResult:
    """Train with a progress bar over the steps, and the losses as notes."""
    from training import train

    with ExitStack() as stack:
        watch = _Watch(progress, stack)
        progress.note(f"training {config.method} on {config.train_data.path}")
        result = train(config, progress=watch, fresh=fresh)
    if not watch.began:
        progress.note(f"{result.output_dir}: already trained ({result.steps} steps)")
    return result


def describe(result: TrainingResult) -> str:
    """Return one line: folder, steps and validation loss."""
    before, after = (result.summary.get(f"eval_loss_{when}") for when in ("before", "after"))
    losses = ""
    if after is not None:
        losses = f", validation loss {after:.3f}"
        if before is not None:
            losses = f", validation loss {before:.3f} -> {after:.3f}"
    return f"{result.output_dir}: {result.steps} steps{losses}"


class _Watch:
    """Handler that shows a training's events as a progress bar and notes."""

    def __init__(self, progress: Progress, stack: ExitStack) -> None:
        self._progress, self._stack = progress, stack
        self._task: Task | None = None
        self._step = 0

    @property
    def began(self) -> bool:
        """Return whether any training took place."""
        return self._task is not None

    def __call__(self, event: dict[str, Any]) -> None:
        if event["event"] == "begin":
            stage = self._progress.stage("train", int(event["of"]))
            self._task = self._stack.enter_context(stage)
        if event["event"] == "warning":
            self._progress.note(f"warning: {event['message']}")
        if event["event"] == "eval" and "eval_loss" in event:
            self._progress.note(f"step {event['step']}: validation loss {event['eval_loss']:.3f}")
        if self._task is not None and event.get("step", 0) > self._step:
            self._task.advance(int(event["step"]) - self._step)
            self._step = int(event["step"])
