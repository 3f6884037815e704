"""Objectives of training: the trainer of each, over rows that are encoded already."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from harness.models.prompting import Renderer
from harness.records import Sample
from training.config import TrainingConfig
from training.data import TrainingData
from training.loading import TrainableModel, renderer_of
from training.masking import EncodingCounts, encode_samples
from training.preference import encode_pairs, pairs

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

    Raises:
        ConfigError: ``extra_arguments`` names one that does not exist.
    """
    from transformers import TrainingArguments

    arguments = config.model_dump(include=_FIELDS)
    if not config.has_validation:
        arguments |= {"eval_strategy": "no", "eval_on_start": False}
    else:
        arguments |= {
            "metric_for_best_model": config.best_metric,
            "greater_is_better": config.higher_metric_is_better,
        }
    arguments |= {
        "output_dir": str(Path(config.output_dir).expanduser()),
        "use_cpu": device == "cpu",
        "report_to": "none",
        "disable_tqdm": True,
        "logging_nan_inf_filter": False,
        "prediction_loss_only": True,
        "dataloader_pin_memory": device != "cpu",
        "ddp_find_unused_parameters": False,
    }
    unknown = set(config.extra_arguments) - {field.name for field in fields(TrainingArguments)}
    if unknown:
        raise ConfigError(f"extra_arguments: TrainingArguments has no {sorted(unknown)[0]!r}")
    return arguments | config.extra_arguments


def make_trainer(
    config: TrainingConfig, trainable: TrainableModel, data: TrainingData
) -> tuple[Any, dict[str, dict[str, int]]]:
    """Make the ``transformers`` trainer of a config's objective.

    Returns:
        The trainer, and for each side of the data what became of its rows.

    Raises:
        DataError: A row that does not fit the objective.
        ConfigError: An argument that does not exist, or no room for any response.
    """
    from datasets import Dataset
    from trl import DPOConfig, RewardConfig, SFTConfig

    from training.generation_metrics import GenerationScorer
    from training.trainer import PreferenceTrainer, ResponseTrainer, RewardModelTrainer

    arguments = training_arguments(config, trainable.device) | {"max_length": None}
    renderer = renderer_of(config, trainable.tokenizer)
    counts, sides = {}, {}
    for side, samples in (("train", data.train), ("validation", data.validation)):
        if samples:
            rows, encoded = _encode(samples, renderer, config)
            counts[side] = asdict(encoded)
            sides[side] = Dataset.from_list(rows)
    shared = {
        "model": trainable.model,
        "processing_class": trainable.tokenizer,
        "train_dataset": sides["train"],
        "eval_dataset": sides.get("validation"),
    }
    if config.objective == "dpo":  # Rafailov et al. 2023; the reference is the untuned model.
        # With all weights in training, that model's figures are computed before it starts.
        whole = config.method == "full"
        arguments |= {"beta": config.beta, "precompute_ref_log_probs": whole}
        settings = DPOConfig(**arguments, disable_dropout=True)
        return PreferenceTrainer(args=settings, **shared), counts
    if config.objective == "reward":  # Bradley and Terry's model, rewards drawn towards mean zero.
        settings = RewardConfig(**arguments, center_rewards_coefficient=0.01)
        return RewardModelTrainer(args=settings, **shared), counts
    scorer = None
    if config.generation_metrics is not None:
        scorer = GenerationScorer(
            trainable.model, renderer, data.validation, config.generation_metrics, config.seed
        )
    settings = SFTConfig(**arguments, dataset_kwargs={"skip_prepare_dataset": True})
    return ResponseTrainer(extra_metrics=scorer, args=settings, **shared), counts


def _encode(
    samples: Sequence[Sample], renderer: Renderer, config: TrainingConfig
) -> tuple[list[dict[str, list[int]]], EncodingCounts]:
    """Encode samples into rows of token ids by column, as the trainer takes them."""
    if config.objective == "sft":
        rows, counts = encode_samples(samples, renderer, config.max_length, config.assistant_turns)
        return [{"input_ids": row.input_ids, "labels": row.labels} for row in rows], counts
    encoded, counts = encode_pairs(pairs(samples), renderer, config.max_length)
    if config.objective == "dpo":
        return [{f"{part}_ids": ids for part, ids in p._asdict().items()} for p in encoded], counts
    return [
        {"chosen_ids": ids.prompt + ids.chosen, "rejected_ids": ids.prompt + ids.rejected}
        for ids in encoded
    ], counts
