"""One running training: the trainer with its callbacks, its log and the files that it leaves."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness.errors import JostleError
from harness.models import provenance
from harness.util.files import file_error, readable_os_errors, write_atomically, write_json
from training import checkpoints
from training.callbacks import EarlyStop, LastEvaluation, Logbook, TensorBoard
from training.card import model_card
from training.config import TrainingConfig
from training.curves import loss_figures, series
from training.loading import TrainableModel, renderer_of
from training.objectives import make_trainer
from training.result import LOG, EventHandler, model_figures, weights_bytes
from training.spec import TrainingSpec
from training.throughput import cost_figures

MANY_CUT = 0.2
"""Share of cut responses from which the log warns; it always has the counts."""


class Job:
    """A training from its first step, or from a checkpoint, to the finished folder."""

    def __init__(
        self, spec: TrainingSpec, trainable: TrainableModel, handler: EventHandler | None
    ) -> None:
        self._spec, self._trainable = spec, trainable
        config, data = spec.config, spec.data
        self._trainer, counts = make_trainer(config, trainable, data)
        head = {
            "made_from": spec.made_from,
            "config": config.model_dump(mode="json"),
            "examples": counts,
            "notes": data.notes,
        }
        self.warnings = [*data.warnings, *_cut(counts, config.max_length)]
        self._logbook = Logbook(spec.output / LOG, head, self.warnings, handler)
        self._board = TensorBoard(spec.output / "tensorboard")
        self._add_callbacks()

    @property
    def history(self) -> list[dict[str, Any]]:
        """Return the logged rows so far."""
        return list(self._trainer.state.log_history)

    def fit(self, start: Path | None) -> None:
        """Run the loop from ``start``, a checkpoint, or from the beginning.

        Raises:
            JostleError: A loss that is not finite, or a full disk; the log records it too.
        """
        if start is not None:
            self._trainer.args.eval_on_start = False
        try:
            self._trainer.train(resume_from_checkpoint=None if start is None else str(start))
        except JostleError as error:
            raise self._failed(type(error), str(error)) from error
        except (OSError, RuntimeError) as error:
            problem = _disk_full(error, self._spec.output)
            if problem is None:
                raise
            raise self._failed(type(problem), str(problem)) from error

    def close(self) -> None:
        """Close the event file."""
        self._board.close()

    def save(self) -> dict[str, Any]:
        """Write weights, provenance, card and, last, the log; return every figure of the training.

        Raises:
            StoreError: No space left, or the folder cannot be written.
        """
        summary = self._figures()
        gathered = self._gathered()
        if not self._trainer.is_world_process_zero():
            return summary
        spec, config = self._spec, self._spec.config
        self._save_weights(gathered)
        summary["weights_bytes"] = weights_bytes(spec.output)
        if config.method != "full":
            summary["base_bytes"] = weights_bytes(spec.folder)
        provenance.write(
            spec.output,
            objective=config.objective,
            method=config.method,
            config=config.model_dump(mode="json"),
            seed=config.seed,
            base=spec.base,
            rendering=renderer_of(config, self._trainable.tokenizer).fingerprint,
            train=spec.data.train_described,
            validation=spec.data.validation_described,
            made_from=spec.made_from,
        )
        self._board.scalars(summary, summary["steps"])
        write_atomically(spec.output / "README.md", model_card(config, summary, self.warnings))
        self._logbook.write("complete", self.history, summary=summary)
        return summary

    def _gathered(self) -> dict[str, Any] | None:
        """Return the whole weights under FSDP, for which every process gives its shards; else None."""
        accelerator = self._trainer.accelerator
        if str(accelerator.distributed_type.value) != "FSDP":
            return None
        state: dict[str, Any] = accelerator.get_state_dict(self._trainer.model)
        return state

    def _save_weights(self, gathered: dict[str, Any] | None) -> None:
        output = self._spec.output
        with readable_os_errors(output, "be written"):
            self._model.save_pretrained(str(output), state_dict=gathered)
            if self._spec.config.method == "full":
                self._trainable.tokenizer.save_pretrained(str(output))
            else:
                _name_base(output / "adapter_config.json", self._spec.config)

    @property
    def _model(self) -> Any:
        return self._trainer.accelerator.unwrap_model(self._trainer.model)

    def _add_callbacks(self) -> None:
        from transformers.trainer_callback import PrinterCallback

        config = self._spec.config
        self._trainer.remove_callback(PrinterCallback)
        self._trainer.add_callback(self._logbook)
        if config.report_to == "tensorboard":
            self._trainer.add_callback(self._board)
        if self._spec.data.validation and config.eval_strategy != "no":
            self._trainer.add_callback(LastEvaluation())
        if config.early_stopping_patience is not None:
            self._trainer.add_callback(EarlyStop(config, config.early_stopping_patience))

    def _failed(self, kind: type[JostleError], message: str) -> JostleError:
        last = checkpoints.latest(self._spec.output, self._spec.made_from, clean=False)
        tail = f" (last good checkpoint: {last})" if last else " (there is no checkpoint yet)"
        # With a full disk the log cannot be written; the line on the terminal remains.
        with suppress(JostleError):
            if is_first_process():
                self._logbook.write("failed", self.history, reason=message + tail)
        return kind(message + tail)

    def _figures(self) -> dict[str, Any]:
        state, data = self._trainer.state, self._spec.data
        restores_best = self._spec.config.load_best_model_at_end
        measured = {step for step, _ in series(self.history, "eval_loss")}
        if data.validation and state.global_step not in measured and not restores_best:
            self._trainer.evaluate()
        best_step = (state.best_global_step or None) if restores_best else None
        return {
            "steps": state.global_step,
            "train_rows": len(data.train),
            "validation_rows": len(data.validation),
            **loss_figures(self.history, best_step),
            **cost_figures(self.history),
            **model_figures(self._model),
            "device": self._trainable.device,
        }


def is_first_process() -> bool:
    """Return whether this process writes the files; ``accelerate launch`` starts several."""
    return os.environ.get("RANK", "0") == "0"


def _cut(counts: dict[str, dict[str, int]], max_length: int) -> Iterator[str]:
    """Warn where ``max_length`` cuts more than a few examples."""
    for side, n in counts.items():
        cut = n["responses_cut"] + n["dropped"]
        if cut > MANY_CUT * n["examples"]:
            yield (
                f"{side}: {cut} of {n['examples']} responses do not fit into max_length {max_length}"
                f" and are cut or left out ({n['prompts_cut']} prompts are shortened)"
            )


def _name_base(path: Path, config: TrainingConfig) -> None:
    """Name the base as the config does: a folder of this machine means nothing elsewhere.

    Only at the end: PEFT looks up the base by this name at every checkpoint, on the hub too.
    """
    adapter = json.loads(path.read_text(encoding="utf-8"))
    adapter |= {"base_model_name_or_path": config.model, "revision": config.revision}
    write_json(path, adapter)


def _disk_full(error: Exception, folder: Path) -> JostleError | None:
    """Return a clear error if ``error`` is a full disk; torch and safetensors hide the errno."""
    if isinstance(error, OSError) and error.errno is not None:
        return file_error(folder, "be written", error)
    writing = any(word in str(error) for word in ("No space left", "file write failed"))
    if writing or shutil.disk_usage(folder).free < 2**20:
        return file_error(folder, "be written", OSError(errno.ENOSPC, "No space left on device"))
    return None
