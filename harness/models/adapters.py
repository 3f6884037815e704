"""LoRA adapters on one load of base weights: checked before, verified after, mixed exactly."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.config import AdapterSpec, SubjectSpec
from harness.errors import ModelError
from harness.models.checkpoints import check_safetensors, locate
from harness.models.digests import adapter_digest
from harness.models.libraries import first_line, quiet
from harness.util.digest import digest

_WEIGHTS = "adapter_model.safetensors"
_EMBEDDINGS = (".embed_tokens.weight", ".lm_head.weight", ".wte.weight")
_PREFIX = "base_model.model."
_PROBE = "How do I sort a list of numbers, and why do I feel so tired today?"


Mixtures = Mapping[str, Sequence[AdapterSpec]]
"""The parts of every adapter, by the name that requests give."""


def mixtures(subjects: Sequence[SubjectSpec]) -> Mixtures:
    """Return the adapters of every subject that has some, by the subject's name."""
    return {subject.name: subject.adapters for subject in subjects if subject.adapters}


class Adapters:
    """Adapters attached to a base model, switched on by the name that a request gives.

    Attributes:
        net: The Hugging Face model with the adapters' layers in it: generate with this one.
    """

    def __init__(self, model: Any, adapters: Mixtures) -> None:
        """Load every adapter onto the base model.

        Raises:
            ModelError: A missing folder, pickled weights, or tensors that do not fit the base.
        """
        self.net = model
        self._peft: Any = None
        self._names: dict[str, str] = {}  # The user's names may contain dots, PEFT's may not.
        self._digests: dict[str, str] = {}
        self._loaded: dict[str, str] = {}
        for name, parts in adapters.items():
            if not parts:
                raise ModelError(f"adapter {name}: names no folder")
            folders = [locate(part.path, what=f"adapter of {name!r}") for part in parts]
            inner = [self._load(folder, name) for folder in folders]
            weights = [part.weight for part in parts]
            self._names[name] = self._mix(name, inner, weights)
            pairs = zip((adapter_digest(folder) for folder in folders), weights, strict=True)
            self._digests[name] = digest(sorted(pairs))

    def digest(self, name: str) -> str:
        """Return the digest of an adapter's parts with their weights."""
        self._require(name)
        return self._digests[name]

    @contextmanager
    def active(self, name: str | None) -> Iterator[Any]:
        """Switch to one adapter, or to the base model (None); yield the model to call."""
        if name is not None:
            self._require(name)
            self._peft.set_adapter(self._names[name], inference_mode=True)
            yield self.net
        elif self._peft is None:
            yield self.net
        else:
            with self._peft.disable_adapter():
                yield self.net

    def inactive(self, tokenizer: Any, device: str) -> list[str]:
        """Return the adapters under which the logits of a probe text are those of the base model."""
        import torch

        ids = torch.tensor([tokenizer(_PROBE)["input_ids"]], device=device)

        def logits(name: str | None) -> Any:
            with self.active(name) as net, torch.inference_mode():
                return net(input_ids=ids).logits

        if not self._names:
            return []
        base = logits(None)
        return [name for name in self._names if torch.equal(logits(name), base)]

    def _require(self, name: str) -> None:
        if name not in self._names:
            raise ModelError(
                f"adapter {name!r} is not loaded; loaded: {', '.join(self._names) or 'none'}"
            )

    def _load(self, folder: Path, name: str) -> str:
        """Load one folder (once, however many mixtures name it); return PEFT's name for it."""
        place = str(folder.resolve())
        if place in self._loaded:
            return self._loaded[place]
        what = f"adapter {folder} (of {name!r})"
        config = read_config(folder, what)
        shapes = read_shapes(folder, what)
        _check_fit(self.net, config, shapes, what)
        inner = f"part{len(self._loaded)}"
        self._attach(folder, inner, what)
        _check_loaded(self._peft, inner, folder, what)
        self._loaded[place] = inner
        return inner

    def _attach(self, folder: Path, inner: str, what: str) -> None:
        from peft import PeftModel

        # In a bf16 base, adapters stay bf16: PEFT would make them fp32, which is for training.
        options = {"adapter_name": inner, "is_trainable": False, "autocast_adapter_dtype": False}
        try:
            with quiet(), warnings.catch_warnings():
                # Lacking tensors are an error here, by check_loaded, and not a warning.
                warnings.filterwarnings("ignore", message="Found missing adapter keys")
                if self._peft is None:
                    self._peft = PeftModel.from_pretrained(self.net, str(folder), **options)
                    self._peft.eval()
                else:
                    device = str(next(self.net.parameters()).device)
                    self._peft.load_adapter(str(folder), torch_device=device, **options)
        except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
            raise ModelError(f"{what}: does not load: {first_line(error)}") from error

    def _mix(self, name: str, inner: Sequence[str], weights: Sequence[float]) -> str:
        """Return PEFT's name of one adapter as it is, or of the weighted sum of several."""
        if len(inner) == 1 and weights[0] == 1.0:
            return inner[0]
        mixed = f"mix{len(self._names)}"
        try:
            # "cat" is the exact sum of the updates; "linear" would add A and B by themselves.
            self._peft.add_weighted_adapter(
                list(inner), list(weights), mixed, combination_type="cat"
            )
        except (ValueError, AttributeError, TypeError) as error:
            raise ModelError(
                f"adapter {name!r}: these adapters cannot be mixed: {first_line(error)}"
            ) from error
        return mixed


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


def _check_fit(
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


def _check_loaded(peft: Any, inner: str, folder: Path, what: str) -> None:
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
