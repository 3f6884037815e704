"""One training from its config to the finished folder, whatever its objective."""

from __future__ import annotations

import json
import os
import shutil
from abc import ABC, abstractmethod
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.digest import digest
from harness.errors import ConfigError, JostleError
from harness.models.digests import weights_digest
from harness.prompting import Renderer
from training import checkpoints, provenance
from training.callbacks import (
    EarlyStop,
    Logbook,
    OverfitWarning,
    Progress,
    TensorBoard,
    WholeCheckpoints,
    series,
)
from training.card import model_card
from training.config import TrainingConfig
from training.data import TrainingData, load_data
from training.files import cannot_write, write_json, write_text
from training.loading import Loaded, base_folder, load
from training.quiet import own_randomness, quiet

LOG = "training_log.json"
MANY_CUT = 0.2
"""Share of responses cut from which the log warns; the counts are always there."""


@dataclass(frozen=True)
class TrainingResult:
    """A finished training.

    Attributes:
        output_dir: Folder with the adapter (or the model), log, provenance and card.
        steps: Optimizer steps taken.
        summary: Every figure: losses before and after, tokens per second, sizes, counts.
        curve: The logged rows, in order; each has ``step``.
        warnings: Lines that stay in the log and on the card.
        resumed_from: Step from which an interrupted training went on, or None.
    """

    output_dir: Path
    steps: int
    summary: dict[str, Any]
    curve: list[dict[str, Any]]
    warnings: list[str]
    resumed_from: int | None = None


class Objective(ABC):
    """What differs between fine-tuning, preference tuning and reward modelling.

    Attributes:
        counts: For each side of the data, what became of its rows; filled by :meth:`trainer`.
    """

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}

    @abstractmethod
    def trainer(
        self, config: TrainingConfig, loaded: Loaded, data: TrainingData, arguments: dict[str, Any]
    ) -> Any:
        """A ``transformers`` trainer for these data."""


def run(
    config: TrainingConfig, objective: Objective, *, progress: Progress | None, fresh: bool
) -> TrainingResult:
    """Train, resume or return what is complete; see :func:`training.sft.train`.

    Raises:
        JostleError: One line that says what to do.
    """
    output = Path(config.output_dir).expanduser()
    data = load_data(config)
    folder = base_folder(config)
    base = {
        "model": config.model,
        "revision": config.revision,
        "weights_sha256": weights_digest(folder),
    }
    made_from = _made_from(config, data, base)
    if fresh and is_first_process():
        checkpoints.remove_all(output)
        (output / LOG).unlink(missing_ok=True)
    done = None if fresh else finished(output, made_from)
    if done is not None:
        return done
    try:
        output.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_write(output, error) from error
    start = None if fresh else checkpoints.latest(output, made_from, clean=is_first_process())
    with quiet(), own_randomness(config.seed):
        loaded = load(config, folder)
        job = _Job(config, objective, loaded, data, output, made_from, progress)
        try:
            job.fit(start)
            summary = job.save(base)
        finally:
            job.board.close()
    return TrainingResult(
        output_dir=output,
        steps=summary["steps"],
        summary=summary,
        curve=job.history,
        warnings=job.logbook.warnings,
        resumed_from=_step(start),
    )


def is_first_process() -> bool:
    """Whether this is the process that writes files; ``accelerate launch`` starts several."""
    return os.environ.get("RANK", "0") == "0"


def finished(output: Path, made_from: str | None = None) -> TrainingResult | None:
    """The result of a complete training in ``output``, read from its log; None if there is none.

    Raises:
        ConfigError: A complete training of another config or other data lies there.
    """
    try:
        log = json.loads((output / LOG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if log.get("status") != "complete":
        return None
    if made_from is not None and log.get("made_from") != made_from:
        raise ConfigError(
            f"{output} holds a finished training of another config or other data;"
            " choose another output_dir, or train anew with --fresh"
        )
    return TrainingResult(
        output, log["summary"]["steps"], log["summary"], log["curve"], log["warnings"]
    )


class _Job:
    """The trainer with its callbacks, its log and what it leaves behind."""

    def __init__(
        self,
        config: TrainingConfig,
        objective: Objective,
        loaded: Loaded,
        data: TrainingData,
        output: Path,
        made_from: str,
        progress: Progress | None,
    ) -> None:
        self.config = config
        self.objective = objective
        self.loaded = loaded
        self.data = data
        self.output = output
        self.made_from = made_from
        self.trainer = objective.trainer(config, loaded, data, _arguments(config, loaded.device))
        self.logbook = Logbook(output / LOG, self._head(), progress)
        self.logbook.warnings += [*data.warnings, *self._cut()]
        self.board = TensorBoard(output / "tensorboard")
        self._add_callbacks()

    @property
    def history(self) -> list[dict[str, Any]]:
        """The logged rows so far."""
        return list(self.trainer.state.log_history)

    def fit(self, start: Path | None) -> None:
        """Run the loop from ``start``, a checkpoint, or from the beginning.

        Raises:
            JostleError: A loss that is not finite, a full disk; the log says so too.
        """
        if start is not None:
            self.trainer.args.eval_on_start = False
        try:
            self.trainer.train(resume_from_checkpoint=None if start is None else str(start))
        except JostleError as error:
            raise self._failed(type(error), str(error)) from error
        except (OSError, RuntimeError) as error:
            problem = _disk_full(error, self.output)
            if problem is None:
                raise
            raise self._failed(type(problem), str(problem)) from error

    def save(self, base: dict[str, Any]) -> dict[str, Any]:
        """Write weights, provenance, card and, last, the log with status ``complete``."""
        summary = self._summary()
        if not self.trainer.is_world_process_zero():
            return summary
        try:
            model = self.trainer.accelerator.unwrap_model(self.trainer.model)
            model.save_pretrained(str(self.output))
            if self.config.method == "full":
                self.loaded.tokenizer.save_pretrained(str(self.output))
            else:
                _name_base(self.output / "adapter_config.json", self.config)
        except OSError as error:
            raise cannot_write(self.output, error) from error
        summary["weights_bytes"] = sum(
            file.stat().st_size for file in self.output.glob("*.safetensors")
        )
        renderer = Renderer(self.loaded.tokenizer, self.config.template, self.config.system_prompt)
        provenance.write(
            self.output,
            objective=self.config.objective,
            method=self.config.method,
            config=self.config.model_dump(mode="json"),
            seed=self.config.seed,
            base=base,
            rendering=renderer.fingerprint,
            train=self.data.train_described,
            validation=self.data.validation_described,
            made_from=self.made_from,
        )
        self.board.scalars(summary, summary["steps"])
        card = model_card(self.config, summary, self.logbook.warnings)
        write_text(self.output / "README.md", card)
        self.logbook.write("complete", self.history, summary=summary)
        return summary

    def _add_callbacks(self) -> None:
        from transformers.trainer_callback import PrinterCallback

        config = self.config
        self.trainer.remove_callback(PrinterCallback)
        self.trainer.add_callback(self.logbook)
        self.trainer.add_callback(WholeCheckpoints(self.made_from))
        self.trainer.add_callback(OverfitWarning(self.logbook))
        if config.report_to == "tensorboard":
            self.trainer.add_callback(self.board)
        if config.early_stopping_patience is not None:
            self.trainer.add_callback(
                EarlyStop(
                    config.best_metric,
                    higher_is_better=config.higher_metric_is_better,
                    patience=config.early_stopping_patience,
                    threshold=config.early_stopping_threshold,
                )
            )

    def _head(self) -> dict[str, Any]:
        return {
            "made_from": self.made_from,
            "config": self.config.model_dump(mode="json"),
            "examples": self.objective.counts,
            "notes": self.data.notes,
        }

    def _cut(self) -> list[str]:
        """Warnings where ``max_length`` cuts more than the odd example."""
        limit = self.config.max_length
        return [
            f"{side}: {n['responses_cut'] + n['dropped']} of {n['examples']} responses do not fit into"
            f" max_length {limit} and are cut or left out ({n['prompts_cut']} prompts are shortened)"
            for side, n in self.objective.counts.items()
            if n["responses_cut"] + n["dropped"] > MANY_CUT * n["examples"]
        ]

    def _failed(self, kind: type[JostleError], message: str) -> JostleError:
        last = checkpoints.latest(self.output, self.made_from, clean=False)
        kept = f" (last good checkpoint: {last})" if last else " (there is no checkpoint yet)"
        # With a full disk the line on the terminal has to do.
        with suppress(JostleError):
            if is_first_process():
                self.logbook.write("failed", self.history, reason=message + kept)
        return kind(message + kept)

    def _summary(self) -> dict[str, Any]:
        history = self.history
        state = self.trainer.state
        measured = {step for step, _ in series(history, "eval_loss")}
        kept_best = self.config.load_best_model_at_end
        if self.data.validation and state.global_step not in measured and not kept_best:
            self.trainer.evaluate()
            history = self.history
        losses = series(history, "eval_loss")
        best = state.best_global_step if self.config.load_best_model_at_end else None
        after = next((value for step, value in losses if step == best), None)
        if after is None and losses:
            after = losses[-1][1]
        model = self.trainer.accelerator.unwrap_model(self.trainer.model)
        parameters = [(p.numel(), p.requires_grad) for p in model.parameters()]
        rates = series(history, "tokens_per_second")
        last = history[-1] if history else {}
        summary: dict[str, Any] = {
            "steps": state.global_step,
            "best_step": best,
            "train_rows": len(self.data.train),
            "validation_rows": len(self.data.validation),
            "loss_last": next(iter(reversed([v for _, v in series(history, "loss")])), None),
            "eval_loss_before": losses[0][1] if losses and losses[0][0] == 0 else None,
            "eval_loss_after": after,
            "seconds": last.get("seconds"),
            "tokens_per_second": _median([value for _, value in rates]),
            "trainable_parameters": sum(n for n, trainable in parameters if trainable),
            "parameters": sum(n for n, _ in parameters),
            "memory_footprint_bytes": int(model.get_memory_footprint()),
            "device": self.loaded.device,
        }
        for name in ("peak_cpu_mib", "peak_gpu_mib"):
            summary[name] = max((value for _, value in series(history, name)), default=None)
        if after is not None:
            from training.trainer import perplexity

            summary["eval_perplexity_after"] = perplexity(after)
        return summary


def _name_base(path: Path, config: TrainingConfig) -> None:
    """Name the base as the config does: a folder of this machine means nothing elsewhere.

    Not before: PEFT looks for the base under this name at every checkpoint, on the hub too.
    """
    adapter = json.loads(path.read_text(encoding="utf-8"))
    adapter |= {"base_model_name_or_path": config.model, "revision": config.revision}
    write_json(path, adapter)


def _arguments(config: TrainingConfig, device: str) -> dict[str, Any]:
    """The ``TrainingArguments``, with the defaults of TRL that do not suit us set otherwise."""
    ours = (
        "output_dir", "per_device_train_batch_size", "per_device_eval_batch_size",
        "gradient_accumulation_steps", "num_train_epochs", "max_steps", "learning_rate",
        "weight_decay", "lr_scheduler_type", "warmup_steps", "max_grad_norm", "optim", "bf16",
        "fp16", "gradient_checkpointing", "logging_steps", "eval_strategy", "eval_steps",
        "eval_on_start", "save_strategy", "save_steps", "save_total_limit",
        "load_best_model_at_end", "seed",
    )  # fmt: skip
    arguments: dict[str, Any] = {name: getattr(config, name) for name in ours}
    arguments["output_dir"] = str(Path(config.output_dir).expanduser())
    if not config.has_validation:
        arguments |= {"eval_strategy": "no", "eval_on_start": False}
    else:
        arguments |= {
            "metric_for_best_model": config.best_metric,
            "greater_is_better": config.higher_metric_is_better,
        }
    arguments |= {
        "use_cpu": device == "cpu",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_nan_inf_filter": False,
        "prediction_loss_only": True,
        "dataloader_pin_memory": device != "cpu",
        "ddp_find_unused_parameters": False,
    }
    unknown = set(config.extra_arguments) - _training_arguments()
    if unknown:
        raise ConfigError(f"extra_arguments: TrainingArguments has no {sorted(unknown)[0]!r}")
    return arguments | config.extra_arguments


def _training_arguments() -> set[str]:
    from dataclasses import fields

    from transformers import TrainingArguments

    return {field.name for field in fields(TrainingArguments)}


def _made_from(config: TrainingConfig, data: TrainingData, base: dict[str, Any]) -> str:
    decides = config.model_dump(mode="json", exclude={"output_dir", "report_to", "model"})
    for name in ("train_data", "validation_data"):
        decides.pop(name)
    described = [d and d.content_sha256 for d in (data.train_described, data.validation_described)]
    return digest({"config": decides, "data": described, "base": base})


def _disk_full(error: Exception, folder: Path) -> JostleError | None:
    """The clear line, if ``error`` is a full disk; torch and safetensors hide the errno."""
    import errno

    if isinstance(error, OSError) and error.errno is not None:
        return cannot_write(folder, error)
    writing = any(word in str(error) for word in ("No space left", "file write failed"))
    if writing or shutil.disk_usage(folder).free < 2**20:
        return cannot_write(folder, OSError(errno.ENOSPC, "No space left on device"))
    return None


def _median(values: list[float]) -> float | None:
    from statistics import median

    return median(values) if values else None


def _step(checkpoint: Path | None) -> int | None:
    return int(checkpoint.name.rpartition("-")[2]) if checkpoint else None
