"""What happens beside the training loop: log, TensorBoard, progress, early stop, warnings."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.models.libraries import import_bitsandbytes
from harness.util.files import write_json
from training.checkpoints import mark_whole
from training.curves import series, stale, turning_point

import_bitsandbytes()  # transformers' trainer imports it, too, and would let it ask the hub
from transformers import TrainerCallback  # noqa: E402

Progress = Callable[[dict[str, Any]], None]


class Logbook(TrainerCallback):
    """Keeps ``training_log.json`` up to date and tells the command line where training stands.

    Args:
        path: The log file.
        head: What stands before the curve (config, counts, sizes).
        progress: Called with one small dictionary an event: ``{"event": "step", "step", "of"}``,
            ``{"event": "log" | "eval", "step", ...figures}``, ``{"event": "warning", "message"}``.
    """

    def __init__(self, path: Path, head: dict[str, Any], progress: Progress | None) -> None:
        self.path = path
        self.head = head
        self.warnings: list[str] = []
        self._progress = progress
        self._began = time.perf_counter()
        self._earlier = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Take up the clock of an earlier sitting."""
        self._earlier = max(
            (float(row.get("seconds", 0.0)) for row in state.log_history), default=0.0
        )
        self._began = time.perf_counter()
        self._tell(state, event="begin", step=state.global_step, of=state.max_steps)

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """A checkpoint is always a logging point, so that a resumed curve has the same points."""
        if control.should_save:
            control.should_log = True
        self._tell(state, event="step", step=state.global_step, of=state.max_steps)

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
        self._tell(state, event=kind, step=state.global_step, of=state.max_steps, **figures)
        self.write("running", state.log_history)

    def warn(self, message: str, state: Any) -> None:
        """A warning that stays in the log."""
        if message not in self.warnings:
            self.warnings.append(message)
            self._tell(state, event="warning", message=message)

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

    def _tell(self, state: Any, **event: Any) -> None:
        if self._progress is not None and state.is_world_process_zero:
            self._progress(event)


class LastEvaluation(TrainerCallback):
    """Evaluates after the last step, too, so that it can be the best one and the curve has an end."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Ask for it, whatever ``eval_steps`` divides."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True


class WholeCheckpoints(TrainerCallback):
    """Marks every checkpoint as whole once all of it is written."""

    def __init__(self, made_from: str) -> None:
        self._made_from = made_from

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Called after the last file of the checkpoint."""
        if state.is_world_process_zero:
            mark_whole(Path(args.output_dir) / f"checkpoint-{state.global_step}", self._made_from)


class EarlyStop(TrainerCallback):
    """Stops after ``patience`` evaluations without improvement by more than ``threshold``.

    It reads the logged curve alone and so has nothing to restore on resume.
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
    """Warns once the validation loss has risen for two evaluations while the training loss fell."""

    def __init__(self, logbook: Logbook) -> None:
        self._logbook = logbook
        self._warned = False

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Compare the last evaluations with the best one."""
        turn = turning_point(state.log_history)
        if turn is not None and not self._warned:
            self._warned = True
            step, best, now = turn
            self._logbook.warn(
                f"the validation loss has turned up: {best:.4f} at step {step}, {now:.4f} at step"
                f" {state.global_step}; the model begins to memorise (load_best_model_at_end: true"
                " keeps the best, early_stopping_patience stops in time)",
                state,
            )


class TensorBoard(TrainerCallback):
    """Writes every logged figure to TensorBoard event files in ``folder``."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writer: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Open the event file; what a killed process wrote beyond the checkpoint is hidden."""
        if state.is_world_process_zero:
            from torch.utils.tensorboard import SummaryWriter

            self._writer = SummaryWriter(str(self._folder), purge_step=state.global_step + 1)

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **kwargs: Any) -> None:
        """One scalar for each figure, under ``train/`` or ``eval/``."""
        for key, value in (logs or {}).items():
            if self._writer is None or not isinstance(value, int | float):
                continue
            name = (
                f"eval/{key.removeprefix('eval_')}" if key.startswith("eval_") else f"train/{key}"
            )
            self._writer.add_scalar(name, value, state.global_step)

    def scalars(self, figures: Mapping[str, Any], step: int) -> None:
        """Figures of the whole training, such as its size."""
        for key, value in figures.items():
            if self._writer is not None and isinstance(value, int | float):
                self._writer.add_scalar(f"summary/{key}", value, step)

    def close(self) -> None:
        """Flush and close; harmless twice."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
