"""A config as the ``TrainingArguments`` of transformers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from harness.errors import ConfigError
from training.config import TrainingConfig


def training_arguments(config: TrainingConfig, device: str) -> dict[str, Any]:
    """The arguments by name, with the defaults of TRL that do not suit us set otherwise.

    Args:
        config: The training config.
        device: ``cpu`` or ``cuda``.

    Raises:
        ConfigError: ``extra_arguments`` names one that does not exist.
    """
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
    unknown = set(config.extra_arguments) - _known()
    if unknown:
        raise ConfigError(f"extra_arguments: TrainingArguments has no {sorted(unknown)[0]!r}")
    return arguments | config.extra_arguments


def _known() -> set[str]:
    from dataclasses import fields

    from transformers import TrainingArguments

    return {field.name for field in fields(TrainingArguments)}
