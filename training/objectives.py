"""Objectives of training: the trainer of each, over rows that are encoded already."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.models.prompting import Renderer
from harness.records import Sample
from training.config import TrainingConfig
from training.data import TrainingData
from training.loading import TrainableModel, renderer_of
from training.masking import EncodingCounts, encode_samples
from training.preference import PairIds, encode_pairs, pairs

EncodedRow = dict[str, list[int]]

_FIELDS = {
    "per_device_train_batch_size", "per_device_eval_batch_size", "gradient_accumulation_steps",
    "num_train_epochs", "max_steps", "learning_rate", "weight_decay", "lr_scheduler_type",
    "warmup_steps", "max_grad_norm", "optim", "bf16", "fp16", "gradient_checkpointing",
    "logging_steps", "eval_strategy", "eval_steps", "eval_on_start", "save_strategy", "save_steps",
    "save_total_limit", "load_best_model_at_end", "seed",
}  # fmt: skip
"""Fields of the config that are ``TrainingArguments`` as they are."""


def training_arguments(config: TrainingConfig, device: str) -> dict[str, Any]:
    """Return the ``TrainingArguments`` of a config, and other values for some defaults of TRL.

    Args:
        config: The training config.
        device: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: ``extra_arguments`` names one that does not exist.
    """
    arguments = config.model_dump(include=_FIELDS)
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
    unknown = set(config.extra_arguments) - _known_arguments()
    if unknown:
        raise ConfigError(f"extra_arguments: TrainingArguments has no {sorted(unknown)[0]!r}")
    return arguments | config.extra_arguments


def _known_arguments() -> set[str]:
    from dataclasses import fields

    from transformers import TrainingArguments

    return {field.name for field in fields(TrainingArguments)}


class Objective(ABC):
    """Fine-tuning, preference tuning or reward modelling.

    Attributes:
        counts: For each side of the data, what became of its rows; filled by :meth:`trainer`.
    """

    def __init__(self) -> None:
        self.counts: dict[str, dict[str, int]] = {}

    @abstractmethod
    def trainer(
        self,
        config: TrainingConfig,
        trainable: TrainableModel,
        data: TrainingData,
        arguments: dict[str, Any],
    ) -> Any:
        """Make the ``transformers`` trainer for these data."""

    @abstractmethod
    def encode(
        self, samples: Sequence[Sample], renderer: Renderer, config: TrainingConfig
    ) -> tuple[list[EncodedRow], EncodingCounts]:
        """Encode samples into rows of token ids by column, as the trainer takes them."""

    def _options(
        self, config: TrainingConfig, trainable: TrainableModel, data: TrainingData
    ) -> dict[str, Any]:
        """Return what every trainer gets: the model, its tokenizer and both sides of the data."""
        from datasets import Dataset

        renderer = renderer_of(config, trainable.tokenizer)
        sides = {}
        for side, samples in (("train", data.train), ("validation", data.validation)):
            if samples:
                rows, counts = self.encode(samples, renderer, config)
                self.counts[side] = counts.as_dict()
                sides[side] = Dataset.from_list(rows)
        return {
            "model": trainable.model,
            "processing_class": trainable.tokenizer,
            "train_dataset": sides["train"],
            "eval_dataset": sides.get("validation"),
        }


class SFT(Objective):
    """Supervised fine-tuning: prompts masked, responses learned."""

    def trainer(
        self,
        config: TrainingConfig,
        trainable: TrainableModel,
        data: TrainingData,
        arguments: dict[str, Any],
    ) -> Any:
        """Make TRL's ``SFTTrainer`` with an exact validation loss."""
        from trl import SFTConfig

        from training.generation_metrics import GenerationScorer
        from training.trainer import ResponseTrainer

        scorer = None
        if config.generation_metrics is not None:
            renderer = renderer_of(config, trainable.tokenizer)
            scorer = GenerationScorer(
                trainable.model, renderer, data.validation, config.generation_metrics, config.seed
            )
        return ResponseTrainer(
            extra_metrics=scorer,
            args=SFTConfig(
                **arguments, max_length=None, dataset_kwargs={"skip_prepare_dataset": True}
            ),
            **self._options(config, trainable, data),
        )

    def encode(
        self, samples: Sequence[Sample], renderer: Renderer, config: TrainingConfig
    ) -> tuple[list[EncodedRow], EncodingCounts]:
        """Encode conversations; ``labels`` masks the prompts."""
        rows, counts = encode_samples(samples, renderer, config.max_length, config.assistant_turns)
        return [{"input_ids": row.input_ids, "labels": row.labels} for row in rows], counts


class _Preference(Objective):
    def encode(
        self, samples: Sequence[Sample], renderer: Renderer, config: TrainingConfig
    ) -> tuple[list[EncodedRow], EncodingCounts]:
        """Encode pairs of answers."""
        encoded, counts = encode_pairs(pairs(samples), renderer, config.max_length)
        return [self._row(ids) for ids in encoded], counts

    @abstractmethod
    def _row(self, ids: PairIds) -> EncodedRow: ...


class DPO(_Preference):
    """Direct preference optimisation (Rafailov et al. 2023); the reference is the untuned model."""

    def trainer(
        self,
        config: TrainingConfig,
        trainable: TrainableModel,
        data: TrainingData,
        arguments: dict[str, Any],
    ) -> Any:
        """Make TRL's ``DPOTrainer`` on pairs that are encoded already."""
        from trl import DPOConfig

        from training.trainer import PreferenceTrainer

        settings = DPOConfig(
            **arguments,
            beta=config.beta,
            max_length=None,
            disable_dropout=True,
            # With all weights in training, the untuned model's figures are computed before it starts.
            precompute_ref_log_probs=config.method == "full",
        )
        return PreferenceTrainer(args=settings, **self._options(config, trainable, data))

    def _row(self, ids: PairIds) -> EncodedRow:
        return {"prompt_ids": ids.prompt, "chosen_ids": ids.chosen, "rejected_ids": ids.rejected}


class Reward(_Preference):
    """Reward model in Bradley and Terry's sense; rewards are drawn towards a mean of zero."""

    def trainer(
        self,
        config: TrainingConfig,
        trainable: TrainableModel,
        data: TrainingData,
        arguments: dict[str, Any],
    ) -> Any:
        """Make TRL's ``RewardTrainer`` on pairs that are encoded already."""
        from trl import RewardConfig

        from training.trainer import RewardModelTrainer

        settings = RewardConfig(**arguments, max_length=None, center_rewards_coefficient=0.01)
        return RewardModelTrainer(args=settings, **self._options(config, trainable, data))

    def _row(self, ids: PairIds) -> EncodedRow:
        return {
            "chosen_ids": ids.prompt + ids.chosen,
            "rejected_ids": ids.prompt + ids.rejected,
        }


def objective_of(config: TrainingConfig) -> Objective:
    """Make the objective that a config names."""
    if config.objective == "sft":
        return SFT()
    return DPO() if config.objective == "dpo" else Reward()
