"""Callbacks of the training loop: log, TensorBoard, events, early stop, warnings."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.models.libraries import import_bitsandbytes
from harness.util.files import write_json
from training.checkpoints import mark_complete
from training.config import TrainingConfig
from training.curves import series, stale, turning_point
from training.result import EventHandler

import_bitsandbytes()  # transformers' trainer imports it too, and would let it ask the hub
from transformers import TrainerCallback  # noqa: E402


class Logbook(TrainerCallback):
    """Callback that writes ``training_log.json``, marks checkpoints and emits the training's events.

    Args:
        path: The log file.
        head: First fields of the log (``made_from``, config, counts, notes).
        warnings: Warnings before the first step.
        handler: Gets every event.
    """

    def __init__(
        self, path: Path, head: dict[str, Any], warnings: list[str], handler: EventHandler | None
    ) -> None:
        self.warnings = warnings
        self._path, self._head, self._handler = path, head, handler
        self._turned = False
        self._began = time.perf_counter()
        self._earlier = 0.0

    def on_train_begin(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Continue the clock of an earlier process."""
        self._earlier = max((row.get("seconds", 0.0) for row in state.log_history), default=0.0)
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
        figures = {k: value for k, value in (logs or {}).items() if isinstance(value, int | float)}
        kind = "eval" if any(key.startswith("eval_") for key in figures) else "log"
        self._emit(state, event=kind, step=state.global_step, of=state.max_steps, **figures)
        self.write("running", state.log_history)

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Warn once of two evaluations with a rising validation and falling training loss."""
        turn = turning_point(state.log_history)
        if turn is None or self._turned:
            return
        self._turned = True
        step, best, latest = turn
        self.warnings.append(
            f"the validation loss has turned up: {best:.4f} at step {step}, {latest:.4f} at step"
            f" {state.global_step}; the model begins to memorise (load_best_model_at_end: true"
            " keeps the best, early_stopping_patience stops in time)"
        )
        self._emit(state, event="warning", message=self.warnings[-1])

    def on_save(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Mark the checkpoint as complete: its last file is written."""
        if state.is_world_process_zero:
            folder = Path(args.output_dir) / f"checkpoint-{state.global_step}"
            mark_complete(folder, self._head["made_from"])

    def write(self, status: str, history: Sequence[Mapping[str, Any]], **tail: Any) -> None:
        """Write the whole log."""
        log = {"status": status, **self._head, **tail}
        write_json(self._path, log | {"warnings": self.warnings, "curve": list(history)})

    def _emit(self, state: Any, **event: Any) -> None:
        if self._handler is not None and state.is_world_process_zero:
            self._handler(event)


class LastEvaluation(TrainerCallback):
    """Callback that also evaluates after the last step: it can be the best, and the curve has an end."""

    def on_step_end(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Request the evaluation, whatever ``eval_steps`` is."""
        if state.global_step >= state.max_steps:
            control.should_evaluate = True


class EarlyStop(TrainerCallback):
    """Callback that stops after ``patience`` evaluations without improvement beyond the threshold.

    It reads the logged curve alone, so there is nothing to restore on resume.
    """

    def __init__(self, config: TrainingConfig, patience: int) -> None:
        self._config, self._patience = config, patience

    def on_evaluate(self, args: Any, state: Any, control: Any, **kwargs: Any) -> None:
        """Look back over the evaluations so far."""
        sign = 1.0 if self._config.higher_metric_is_better else -1.0
        values = [sign * value for _, value in series(state.log_history, self._config.best_metric)]
        if stale(values, self._config.early_stopping_threshold) >= self._patience:
            control.should_training_stop = True


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
            side = "eval" if key.startswith("eval_") else "train"
            self.scalars({key.removeprefix("eval_"): value}, state.global_step, side)

    def scalars(self, figures: Mapping[str, Any], step: int, section: str = "summary") -> None:
        """Write the figures of a step, by default those of the whole training, such as its size."""
        for key, value in figures.items():
            if self._writer is not None and isinstance(value, int | float):
                self._writer.add_scalar(f"{section}/{key}", value, step)

    def close(self) -> None:
        """Flush and close; harmless twice."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
