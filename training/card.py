"""The model card: what a reader of the folder needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from training.config import TrainingConfig

_METHODS = {
    "full": "all weights",
    "lora": "LoRA",
    "qlora-4bit": "LoRA on a base in 4 bits (nf4, double quantisation)",
    "qlora-8bit": "LoRA on a base in 8 bits (LLM.int8)",
}


def model_card(config: TrainingConfig, figures: Mapping[str, Any], warnings: list[str]) -> str:
    """Return the card's Markdown, with the metadata that the hub reads.

    ``figures`` is the ``summary`` of the training log.
    """
    library = "transformers" if config.method == "full" else "peft"
    lines = [
        "---",
        f"base_model: {config.model}",
        f"library_name: {library}",
        "tags: [jostle]",
        "---",
        "",
        f"# {_METHODS[config.method]} on {config.model}",
        "",
        f"Made by `jostle train` with objective `{config.objective}`. Data digests, package versions"
        " and the seed are in `provenance.json`, the whole curve is in `training_log.json`.",
        "",
        "| | |",
        "|---|---|",
        *(f"| {name} | {_cell(value)} |" for name, value in _rows(config, figures)),
        "",
    ]
    if warnings:
        lines += ["## Warnings", "", *(f"- {warning}" for warning in warnings), ""]
    lines += [
        "## Limits",
        "",
        "Validation loss says how well answers of the validation set are predicted, not whether"
        " they are safe or true. Put the model under test with `jostle run` before it answers"
        " anybody.",
        "",
    ]
    return "\n".join(lines)


def _rows(config: TrainingConfig, figures: Mapping[str, Any]) -> list[tuple[str, Any]]:
    rows: list[tuple[str, Any]] = [
        ("training data", f"{config.train_data.path} ({figures.get('train_rows')} rows)"),
        ("steps", figures.get("steps")),
        ("batch", config.per_device_train_batch_size * config.gradient_accumulation_steps),
        ("learning rate", config.learning_rate),
        ("longest example", f"{config.max_length} tokens"),
    ]
    if config.method != "full":
        targets = config.target_modules
        shown = targets if isinstance(targets, str) else " ".join(targets)
        shape = f"{config.r}, {config.lora_alpha}, {config.lora_dropout}"
        rows += [("r, alpha, dropout", shape), ("target modules", shown)]
    rows += [
        ("trainable parameters", figures.get("trainable_parameters")),
        ("validation loss before", figures.get("eval_loss_before")),
        ("validation loss after", figures.get("eval_loss_after")),
        ("validation perplexity after", figures.get("eval_perplexity_after")),
        ("seed", config.seed),
    ]
    return [(name, value) for name, value in rows if value is not None]


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)
