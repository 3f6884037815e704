"""One training at work: the trainer with its callbacks, its log and what it leaves behind."""

from __future__ import annotations

import errno
import json
import os
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import JostleError
from harness.models import provenance
from harness.util.files import file_error, readable_os_errors, write_atomically, write_json
from training import checkpoints
from training.arguments import training_arguments
from training.callbacks import (
    EarlyStop,
    LastEvaluation,
    Logbook,
    OverfitWarning,
    Progress,
    TensorBoard,
    WholeCheckpoints,
)
from training.card import model_card
from training.config import TrainingConfig
from training.curves import series
from training.figures import cost_figures, loss_figures, model_figures, weights_bytes
from training.loading import Loaded, renderer_of
from training.objective import Objective
from training.result import LOG
from training.spec import Order

MANY_CUT = 0.2
"""Share of responses cut from which the log warns; the counts are always there."""


class Job:
    """A training from its first step, or from a checkpoint, to the finished folder.

    Args:
        order: What to make.
        objective: What kind of training it is.
        loaded: Model and tokenizer.
        progress: Told of every event.
    """

    def __init__(
        self, order: Order, objective: Objective, loaded: Loaded, progress: Progress | None
    ) -> None:
        self._order, self._objective, self._loaded = order, objective, loaded
        config, data = order.config, order.data
        arguments = training_arguments(config, loaded.device)
        self._trainer = objective.trainer(config, loaded, data, arguments)
        self._logbook = Logbook(order.output / LOG, self._head(), progress)
        self._logbook.warnings += [*data.warnings, *self._cut()]
        self._board = TensorBoard(order.output / "tensorboard")
        self._add_callbacks()

    @property
    def warnings(self) -> list[str]:
        """What the log warns of."""
        return self._logbook.warnings

    @property
    def history(self) -> list[dict[str, Any]]:
        """The logged rows so far."""
        return list(self._trainer.state.log_history)

    def fit(self, start: Path | None) -> None:
        """Run the loop from ``start``, a checkpoint, or from the beginning.

        Raises:
            JostleError: A loss that is not finite, a full disk; the log says so too.
        """
        if start is not None:
            self._trainer.args.eval_on_start = False
        try:
            self._trainer.train(resume_from_checkpoint=None if start is None else str(start))
        except JostleError as error:
            raise self._failed(type(error), str(error)) from error
        except (OSError, RuntimeError) as error:
            problem = _disk_full(error, self._order.output)
            if problem is None:
                raise
            raise self._failed(type(problem), str(problem)) from error

    def close(self) -> None:
        """Close the event file."""
        self._board.close()

    def save(self) -> dict[str, Any]:
        """Write weights, provenance, card and, last, the log with status ``complete``.

        Returns:
            Every figure of the training.

        Raises:
            StoreError: No space left, or the folder cannot be written.
        """
        summary = self._figures()
        gathered = self._gathered()
        if not self._trainer.is_world_process_zero():
            return summary
        order, config = self._order, self._order.config
        self._save_weights(gathered)
        summary["weights_bytes"] = weights_bytes(order.output)
        if config.method != "full":
            summary["base_bytes"] = weights_bytes(order.folder)
        provenance.write(
            order.output,
            objective=config.objective,
            method=config.method,
            config=config.model_dump(mode="json"),
            seed=config.seed,
            base=order.base,
            rendering=renderer_of(config, self._loaded.tokenizer).fingerprint,
            train=order.data.train_described,
            validation=order.data.validation_described,
            made_from=order.made_from,
        )
        self._board.scalars(summary, summary["steps"])
        write_atomically(order.output / "README.md", model_card(config, summary, self.warnings))
        self._logbook.write("complete", self.history, summary=summary)
        return summary

    def _gathered(self) -> dict[str, Any] | None:
        """Under FSDP the whole weights, to which every process must bring its shards; else None."""
        accelerator = self._trainer.accelerator
        if str(accelerator.distributed_type.value) != "FSDP":
            return None
        state: dict[str, Any] = accelerator.get_state_dict(self._trainer.model)
        return state

    def _save_weights(self, gathered: dict[str, Any] | None) -> None:
        output = self._order.output
        with readable_os_errors(output, "be written"):
            self._model.save_pretrained(str(output), state_dict=gathered)
            if self._order.config.method == "full":
                self._loaded.tokenizer.save_pretrained(str(output))
            else:
                _name_base(output / "adapter_config.json", self._order.config)

    @property
    def _model(self) -> Any:
        return self._trainer.accelerator.unwrap_model(self._trainer.model)

    def _add_callbacks(self) -> None:
        from transformers.trainer_callback import PrinterCallback

        config = self._order.config
        self._trainer.remove_callback(PrinterCallback)
        self._trainer.add_callback(self._logbook)
        self._trainer.add_callback(WholeCheckpoints(self._order.made_from))
        self._trainer.add_callback(OverfitWarning(self._logbook))
        if config.report_to == "tensorboard":
            self._trainer.add_callback(self._board)
        if self._order.data.validation and config.eval_strategy != "no":
            self._trainer.add_callback(LastEvaluation())
        if config.early_stopping_patience is not None:
            self._trainer.add_callback(
                EarlyStop(
                    config.best_metric,
                    higher_is_better=config.higher_metric_is_better,
                    patience=config.early_stopping_patience,
                    threshold=config.early_stopping_threshold,
                )
            )

    def _head(self) -> dict[str, Any]:
        return {
            "made_from": self._order.made_from,
            "config": self._order.config.model_dump(mode="json"),
            "examples": self._objective.counts,
            "notes": self._order.data.notes,
        }

    def _cut(self) -> list[str]:
        """Warnings where ``max_length`` cuts more than the odd example."""
        limit = self._order.config.max_length
        return [
            f"{side}: {n['responses_cut'] + n['dropped']} of {n['examples']} responses do not fit into"
            f" max_length {limit} and are cut or left out ({n['prompts_cut']} prompts are shortened)"
            for side, n in self._objective.counts.items()
            if n["responses_cut"] + n["dropped"] > MANY_CUT * n["examples"]
        ]

    def _failed(self, kind: type[JostleError], message: str) -> JostleError:
        last = checkpoints.latest(self._order.output, self._order.made_from, clean=False)
        kept = f" (last good checkpoint: {last})" if last else " (there is no checkpoint yet)"
        # With a full disk the line on the terminal has to do.
        with suppress(JostleError):
            if is_first_process():
                self._logbook.write("failed", self.history, reason=message + kept)
        return kind(message + kept)

    def _figures(self) -> dict[str, Any]:
        state, data = self._trainer.state, self._order.data
        kept_best = self._order.config.load_best_model_at_end
        measured = {step for step, _ in series(self.history, "eval_loss")}
        if data.validation and state.global_step not in measured and not kept_best:
            self._trainer.evaluate()
        return {
            "steps": state.global_step,
            "train_rows": len(data.train),
            "validation_rows": len(data.validation),
            **loss_figures(self.history, (state.best_global_step or None) if kept_best else None),
            **cost_figures(self.history),
            **model_figures(self._model),
            "device": self._loaded.device,
        }


def is_first_process() -> bool:
    """Whether this is the process that writes files; ``accelerate launch`` starts several."""
    return os.environ.get("RANK", "0") == "0"


def _name_base(path: Path, config: TrainingConfig) -> None:
    """Name the base as the config does: a folder of this machine means nothing elsewhere.

    Not before: PEFT looks for the base under this name at every checkpoint, on the hub too.
    """
    adapter = json.loads(path.read_text(encoding="utf-8"))
    adapter |= {"base_model_name_or_path": config.model, "revision": config.revision}
    write_json(path, adapter)


def _disk_full(error: Exception, folder: Path) -> JostleError | None:
    """The clear line, if ``error`` is a full disk; torch and safetensors hide the errno."""
    if isinstance(error, OSError) and error.errno is not None:
        return file_error(folder, "be written", error)
    writing = any(word in str(error) for word in ("No space left", "file write failed"))
    if writing or shutil.disk_usage(folder).free < 2**20:
        return file_error(folder, "be written", OSError(errno.ENOSPC, "No space left on device"))
    return None
