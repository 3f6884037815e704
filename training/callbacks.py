"""Callbacks of the training loop: log, TensorBoard, events, early stop, warnings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.models.libraries import import_bitsandbytes
from harness.util.files import write_json
from training.checkpoints import mark_complete
from training.curves import series, stale, turning_point
from training.result import EventHandler

import_bitsandbytes()  # transformers' trainer imports it too, and would let it ask the hub
from transformers import TrainerCallback  # noqa: E402


class Logbook(TrainerCallback):
    """Callback that writes ``training_log.json`` and emits the training's events.

    Args:
        path: The log file.
        head: First fields of the log (config, counts, sizes).
        handler: Gets every event.
    """

    def __init__(self, path: Path, head: dict[str, Any], handler: EventHandler | None) -> None:
        self.path = path
        self.head = head
        self.warnings: list[str] = []
        self._handler = handler
        self._began = time.perf_counter()
        self._earlier = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Continue the clock of an earlier process."""
        self._earlier = max(
            (float(row.get("seconds", 0.0)) for row in state.log_history), default=0.0
        )
        self._began = time.perf_counter()
        self._emit(state, event="begin", step=state.global_step, of=state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Log at every checkpoint, so that a resumed curve has the same points."""
        if control.should_save:
            control.should_log = True
        self._emit(state, event="step", step=state.global_step, of=state.max_steps)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Add the time, write the log."""
        seconds = self._earlier + time.perf_counter() - self._began
        if state.log_history:
            state.log_history[-1]["seconds"] = seconds
        if logs is not None:
            logs["seconds"] = seconds  # For TensorBoard, which comes after this.
        if not state.is_world_process_zero:
            return
        figures = {
            key: value for key, value in (logs or {}).items() if isinstance(value, int | float)
        }
        kind = "eval" if any(key.startswith("eval_") for key in figures) else "log"
        self._emit(state, event=kind, step=state.global_step, of=state.max_steps, **figures)
        self.write("running", state.log_history)

    def warn(self, message: str, state: Any) -> None:
        """Emit a warning once and write it into the log."""
        if message not in self.warnings:
            self.warnings.append(message)
            self._emit(state, event="warning", message=message)

    def write(self, status: str, history: Sequence[Mapping[str, Any]], **tail: Any) -> None:
        """Write the whole log."""
        write_json(
            self.path,
            {
                "status": status,
                **self.head,
                **tail,
                "warnings": self.warnings,
                "curve": list(history),
            },
        )

    def _emit(self, state: Any, **event: Any) -> None:
        if self._handler is not None and state.is_world_process_zero:
            self._handler(event)


class LastEvaluation(TrainerCallback):
    """Callback that also evaluates after the last step: it can be the best, and the curve has an end."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Request the evaluation, whatever ``eval_steps`` is."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True


class MarkCheckpoints(TrainerCallback):
    """Callback that marks every checkpoint as complete once all of it is written."""

    def __init__(self, made_from: str) -> None:
        self._made_from = made_from

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint; its last file is written."""
        if state.is_world_process_zero:
            mark_complete(
                Path(args.output_dir) / f"checkpoint-{state.global_step}", self._made_from
            )


class EarlyStop(TrainerCallback):
    """Callback that stops after ``patience`` evaluations without improvement beyond ``threshold``.

    It reads the logged curve alone, so there is nothing to restore on resume.
    """

    def __init__(
        self, metric: str, *, higher_is_better: bool, patience: int, threshold: float
    ) -> None:
        self._metric = metric
        self._sign = 1.0 if higher_is_better else -1.0
        self._patience = patience
        self._threshold = threshold

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look back over the evaluations so far."""
        values = [self._sign * value for _, value in series(state.log_history, self._metric)]
        if stale(values, self._threshold) >= self._patience:
            control.should_training_stop = True


class OverfitWarning(TrainerCallback):
    """Callback that warns of two evaluations with a rising validation and falling training loss."""

    def __init__(self, logbook: Logbook) -> None:
        self._logbook = logbook
        self._warned = False

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Compare the last evaluations with the best one."""
        turn = turning_point(state.log_history)
        if turn is not None and not self._warned:
            self._warned = True
            step, best, latest = turn
            self._logbook.warn(
                f"the validation loss has turned up: {best:.4f} at step {step}, {latest:.4f} at step"
                f" {state.global_step}; the model begins to memorise (load_best_model_at_end: true"
                " keeps the best, early_stopping_patience stops in time)",
                state,
            )


class TensorBoard(TrainerCallback):
    """Callback that writes every logged figure to TensorBoard event files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the event file; hide what a killed process wrote beyond the checkpoint."""
        if state.is_world_process_zero:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=state.global_step + 1)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """Write one scalar for each figure, under ``train/`` or ``eval/``."""
        for key, value in (logs or {}).items():
            if self._writer is None or not isinstance(value, int | float):
                continue
            name = (
                f"eval/{key.removeprefix('eval_')}" if key.startswith("eval_") else f"train/{key}"
            )
            self._writer.add_scalar(name, value, state.global_step)

    def scalars(self, figures: Mapping[str, Any], step: int) -> None:
        """Write figures of the whole training, such as its size."""
        for key, value in figures.items():
            if self._writer is not None and isinstance(value, int | float):
                self._writer.add_scalar(f"summary/{key}", value, step)

    def close(self) -> None:
        """Flush and close; harmless twice."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
