"""The base model, its tokenizer and its LoRA layers, ready to be trained."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ConfigError
from harness.models.checkpoints import Dtype, load_base, load_tokenizer, locate
from harness.models.prompting import Renderer
from harness.util.suggestions import did_you_mean
from training.config import TrainingConfig
from training.quantised import check_available, guard_4bit

_LORA_FIELDS = {
    "r", "lora_alpha", "lora_dropout", "target_modules", "modules_to_save", "layers_to_transform",
    "bias", "use_rslora", "use_dora",
}  # fmt: skip
"""Fields of the config that are those of ``LoraConfig`` as they are."""


class TrainableModel(NamedTuple):
    """Model ready to be trained.

    Attributes:
        model: A ``PeftModel``, or the plain model for method ``full``.
        tokenizer: Pads on the right.
        device: ``cpu`` or ``cuda``.
        dtype: Type of the base weights, by torch's name.
    """

    model: Any
    tokenizer: Any
    device: str
    dtype: str


def device_of(config: TrainingConfig) -> str:
    """Return ``cuda`` where it is available and ``use_cpu`` is not set, else ``cpu``."""
    import torch

    return "cuda" if torch.cuda.is_available() and not config.use_cpu else "cpu"


def base_folder(config: TrainingConfig) -> Path:
    """Return the folder of the base weights; fetch a hub id.

    Raises:
        ModelError: There is no such model.
    """
    return locate(config.model, config.revision)


def renderer_of(config: TrainingConfig, tokenizer: Any = None) -> Renderer:
    """Return the renderer of prompts that the config names; load the tokenizer unless it is given.

    Raises:
        ModelError: There is no such model, or its tokenizer cannot be loaded.
    """
    if tokenizer is None:
        tokenizer = load_tokenizer(base_folder(config), config.model)
    return Renderer(tokenizer, config.template, config.system_prompt)


def load(config: TrainingConfig, folder: Path) -> TrainableModel:
    """Load the base weights and put LoRA layers on them as the config says.

    The caller seeds torch before: LoRA matrices are drawn here.

    Raises:
        ModelError: Weights that cannot be loaded, or a quantisation that this machine cannot do.
        ConfigError: Target modules that the model does not have.
    """
    device = device_of(config)
    if config.quantization is not None:
        check_available(config.quantization, device)
    location = f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" else "cpu"
    base = load_base(
        folder,
        config.model,
        dtype=dtype_of(config, device),
        quantization=config.quantization,
        device=location,
        head="scalar" if config.objective == "reward" else "language",
    )
    guard_4bit(base.model)
    base.model.config.use_cache = False
    base.tokenizer.padding_side = "right"
    return TrainableModel(add_lora(base.model, config), base.tokenizer, device, base.dtype)


def dtype_of(config: TrainingConfig, device: str) -> Dtype:
    """Return the dtype of the base weights (see ``TrainingConfig.dtype``)."""
    if config.dtype != "auto" or (device == "cuda" and config.method != "full"):
        return config.dtype
    return "float32"


def add_lora(model: Any, config: TrainingConfig) -> Any:
    """Wrap ``model`` for the config's method; method ``full`` leaves it as it is.

    Raises:
        ConfigError: Target modules that the model does not have.
    """
    if config.method == "full":
        return model
    from peft import LoraConfig, TaskType, get_peft_model, prepare_model_for_kbit_training

    check_target_modules(model, config.target_modules)
    if config.quantization is not None:
        model = prepare_model_for_kbit_training(
            model, use_gradient_checkpointing=config.gradient_checkpointing
        )
    fields = config.model_dump(mode="json", include=_LORA_FIELDS)  # As JSON: PEFT wants lists.
    fields["modules_to_save"] = fields["modules_to_save"] or None
    task = TaskType.SEQ_CLS if config.objective == "reward" else TaskType.CAUSAL_LM
    return get_peft_model(model, LoraConfig(**fields, task_type=task))


def check_target_modules(model: Any, targets: str | tuple[str, ...]) -> None:
    """Check that every name is one of a linear layer; PEFT alone ignores unknown names.

    Raises:
        ConfigError: Unknown names; the line says which exist.
    """
    linear = sorted(name for name, module in model.named_modules() if _is_linear(module))
    heads = {"lm_head", "score"}
    known = sorted({name.rpartition(".")[2] for name in linear} - heads)
    if isinstance(targets, str):
        if targets == "all-linear" or any(re.fullmatch(targets, name) for name in linear):
            return
        raise ConfigError(
            f"target_modules {targets!r} matches no linear layer of this model; it has"
            f" {', '.join(known)} (or write all-linear)"
        )
    for target in targets:
        if target in heads or not any(n == target or n.endswith(f".{target}") for n in linear):
            hint = did_you_mean(target, known)
            tail = "" if hint.startswith(" Known") else f" It has: {', '.join(known)}."
            raise ConfigError(f"target_modules: this model has no layer {target!r}.{hint}{tail}")


def _is_linear(module: Any) -> bool:
    from torch import nn
    from transformers.pytorch_utils import Conv1D

    return isinstance(module, nn.Linear | Conv1D)
