"""An adapter's files: read and checked before they are loaded, compared with the model after."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.models.checkpoints import check_safetensors
from harness.models.libraries import first_line

_WEIGHTS = "adapter_model.safetensors"
_EMBEDDINGS = (".embed_tokens.weight", ".lm_head.weight", ".wte.weight")
_PREFIX = "base_model.model."

_BASE_KEPT = frozenset({"gaussian", "orthogonal", "eva"})
"""Ways by name to start a LoRA that leave the base's weights alone; PiSSA, OLoRA, CorDA, LoftQ and
LoRA-GA subtract from them what the adapter starts with."""


def changes_base(config: Mapping[str, Any]) -> bool:
    """Return whether an adapter is known to change the base model even while it is switched off.

    PEFT writes trained biases over the base's, starts some methods by moving the base's weights, and
    repeats layers in place.
    """
    start = config.get("init_lora_weights")
    return (
        config.get("bias") not in (None, "none")
        or (isinstance(start, str) and start.lower() not in _BASE_KEPT)
        or bool(config.get("layer_replication"))
    )


def read_config(folder: Path, what: str) -> dict[str, Any]:
    """Read an adapter's configuration.

    Raises:
        ModelError: Missing or broken, or a method that does not wrap the base's layers.
    """
    path = folder / "adapter_config.json"
    if not path.is_file():
        raise ModelError(f"{what}: {path} is missing; name the folder that `jostle train` wrote")
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
        kind = str(config["peft_type"])
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"{what}: {path} is no adapter configuration: {first_line(error)}"
        ) from error
    if "PROMPT" in kind or kind in ("PREFIX_TUNING", "P_TUNING", "CPT"):
        raise ModelError(
            f"{what}: {kind} puts tokens before the prompt and is not supported; use LoRA"
        )
    return dict(config)


def read_shapes(folder: Path, what: str) -> dict[str, tuple[int, ...]]:
    """Read the names and shapes of an adapter's tensors, from the file's header.

    Raises:
        ModelError: No safetensors, a broken file, or none in it.
    """
    from safetensors import SafetensorError, safe_open

    check_safetensors(folder, _WEIGHTS, what)
    try:
        with safe_open(folder / _WEIGHTS, framework="pt") as file:
            shapes = {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}  # noqa: SIM118
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{what}: {folder / _WEIGHTS}: {first_line(error)}") from error
    if not shapes:
        raise ModelError(f"{what}: {folder / _WEIGHTS} holds no tensors")
    return shapes


def check_fit(
    net: Any, config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]], what: str
) -> None:
    """Compare every LoRA tensor with the layer of the base that it belongs to."""
    replaced = [key for key in shapes if key.endswith(_EMBEDDINGS) and not _is_saved(key, config)]
    if replaced:
        raise ModelError(
            f"{what}: contains the base model's {replaced[0].removeprefix(_PREFIX)} (tokens were added in"
            " training), which would change the base model too; train with modules_to_save instead"
        )
    modules = dict(net.named_modules())
    problems = []
    for key, shape in sorted(shapes.items()):
        path, _, side = key.removeprefix(_PREFIX).partition(".lora_")
        if not side or side[:1] not in ("A", "B") or side[1:] != ".weight":
            continue  # Embeddings, biases, whole modules: compared after loading.
        layer = modules.get(path)
        # An adapter loaded earlier has wrapped the base's layer.
        layer = getattr(layer, "base_layer", layer)
        if layer is None:
            problems.append(f"{path} (the base has no such layer)")
            continue
        wanted = getattr(layer, "in_features" if side[0] == "A" else "out_features", None)
        given = shape[1] if side[0] == "A" else shape[0]
        if wanted is not None and wanted != given:
            problems.append(
                f"{path} lora_{side[0]} (made for width {given}, the base has {wanted})"
            )
    if problems:
        raise ModelError(
            f"{what}: does not fit the base model: {len(problems)} tensors: {_some(problems, '; ')}"
        )
    if config.get("peft_type") == "LORA" and not any(".lora_" in key for key in shapes):
        raise ModelError(f"{what}: says that it is LoRA but has no lora_A and lora_B tensors")


def _is_saved(key: str, config: Mapping[str, Any]) -> bool:
    """Return whether a tensor belongs to a copy of a layer that the adapter stores itself."""
    layer = key.removesuffix(".weight").rpartition(".")[2]
    return layer in (config.get("modules_to_save") or ())


def _some(items: Sequence[str], between: str = ", ") -> str:
    return between.join(items[:3]) + (" ..." if len(items) > 3 else "")


def check_loaded(peft: Any, inner: str, folder: Path, what: str) -> None:
    """Compare the adapter in the model with the file, tensor by tensor."""
    import torch
    from peft import get_peft_model_state_dict
    from safetensors.torch import load_file

    wanted = load_file(folder / _WEIGHTS)
    present = get_peft_model_state_dict(peft, adapter_name=inner, save_embedding_layers=False)
    lacking = sorted(set(present) - set(wanted))
    if lacking:
        raise ModelError(
            f"{what}: the file lacks {len(lacking)} tensors that its configuration requires:"
            f" {_some(lacking)}"
        )
    lost = [
        key
        for key, tensor in sorted(wanted.items())
        if key not in present
        or present[key].shape != tensor.shape
        or not torch.equal(present[key].cpu(), tensor.to(present[key].dtype))
    ]
    if lost:
        raise ModelError(f"{what}: {len(lost)} of its tensors were not loaded: {_some(lost)}")
