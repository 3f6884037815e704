"""Locate and load base weights: hub id, local folder or ``embedded:``."""

from __future__ import annotations

import logging
import math
from pathlib import Path
from typing import Any, Literal, NamedTuple

from harness.config import Dtype, Quantization
from harness.errors import ModelError
from harness.models.embedded import PREFIX, checkpoint
from harness.models.libraries import (
    first_line,
    import_bitsandbytes,
    quiet,
    require_bitsandbytes,
)

# No *.py (nothing that came over the network is run) and no pickled weights (loading runs them).
_WANTED = [
    "*.json",
    "model*.safetensors",
    "adapter_model.safetensors",
    "*.model",
    "*.txt",
    "*.jinja",
]
_SCALAR_HEAD = "score.weight"
_PICKLES = ("*.bin", "*.pt", "*.pth", "*.ckpt", "*.pkl")


class LoadedBase(NamedTuple):
    """Base model, and what was used to load it."""

    model: Any
    tokenizer: Any
    device: str
    dtype: str


def locate(name: str, revision: str | None = None, what: str = "model") -> Path:
    """Return the folder of a model's or an adapter's files; fetch a hub id that is not cached.

    Args:
        name: ``embedded:NAME``, a folder, or a hub id ``owner/name``.
        revision: Branch, tag or commit on the hub.
        what: Noun for messages.

    Raises:
        ModelError: No such folder, or the hub cannot be reached or does not have it.
    """
    if name.startswith(PREFIX):
        return checkpoint(name)
    return local_folder(name, what) or _fetch(name, revision, what)


def local_folder(name: str, what: str = "model") -> Path | None:
    """Return the folder that a name stands for; None where it reads as a hub id.

    Raises:
        ModelError: It is a file, or plainly a path that does not exist.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if folder.exists():
        raise ModelError(f"{what} {name}: is a file; name its folder")
    # The hub is not asked for what is plainly a mistyped path on this machine.
    if name.startswith((".", "/", "~")) or name.count("/") != 1 or folder.parent.is_dir():
        raise ModelError(f"{what} {name}: no such folder (a hub id reads owner/name)")
    return None


def _fetch(name: str, revision: str | None, what: str) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(name, revision=revision, allow_patterns=_WANTED))
    except LocalEntryNotFoundError as error:
        raise ModelError(
            f"{what} {name}: no such folder here, not in the hub's cache, and the hub cannot be"
            " reached; download it first, or name a local folder"
        ) from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise ModelError(f"{what} {name}: the hub does not give it: {first_line(error)}") from error


def load_tokenizer(folder: Path, name: str) -> Any:
    """Load the tokenizer of a folder; it pads on the left, with its padding token where it has one."""
    from transformers import AutoTokenizer

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(
                folder, local_files_only=True, trust_remote_code=False
            )
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ModelError(
            f"model {name}: its tokenizer cannot be loaded: {first_line(error)}"
        ) from error
    if tokenizer.pad_token is None:  # Masked everywhere, so any token will do.
        tokenizer.pad_token = tokenizer.unk_token or tokenizer.eos_token
    tokenizer.padding_side = "left"
    return tokenizer


def load_base(
    folder: Path,
    name: str,
    *,
    dtype: Dtype = "auto",
    quantization: Quantization | None = None,
    device: str = "auto",
    head: Literal["language", "scalar"] = "language",
) -> LoadedBase:
    """Load base weights and tokenizer from a folder; none of its code is run.

    Args:
        folder: Folder with the safetensors files.
        name: The model's name, for messages.
        dtype: See :func:`pick_dtype`.
        quantization: Load the weights in 4 or 8 bits.
        device: ``auto``, ``cpu``, ``cuda:0``.
        head: The language model's head, or a scalar one, as a reward model has (a new one where
            the folder has none).

    Raises:
        ModelError: Pickled or incomplete weights, an unknown architecture, too little memory.
        MissingPackage: ``quantization`` without bitsandbytes.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification

    check_safetensors(folder, "model.safetensors*", f"model {name}")
    import_bitsandbytes()
    tokenizer = load_tokenizer(folder, name)
    if device == "auto":
        device = "cuda:0" if torch.cuda.is_available() else "cpu"
    chosen = pick_dtype(dtype, device, count_parameters(folder))
    architecture: Any = AutoModelForCausalLM
    options: dict[str, Any] = {}
    if quantization is not None:
        options["quantization_config"] = quantization_config(quantization, chosen)
    if head == "scalar":
        architecture = AutoModelForSequenceClassification
        options["num_labels"] = 1
    try:
        with quiet():
            model, info = architecture.from_pretrained(
                folder,
                dtype=getattr(torch, chosen),
                device_map={"": device},
                attn_implementation="sdpa",
                use_safetensors=True,
                local_files_only=True,
                trust_remote_code=False,
                output_loading_info=True,
                **options,
            )
    except (OSError, ValueError, KeyError, ImportError, RuntimeError, MemoryError) as error:
        raise ModelError(f"model {name}: cannot be loaded: {first_line(error)}") from error
    _check_complete(info, name, head == "scalar")
    if head == "scalar":  # The value is read at the last token that is not this one.
        model.config.get_text_config().pad_token_id = tokenizer.pad_token_id
    return LoadedBase(model.eval(), tokenizer, device, chosen)


def check_safetensors(folder: Path, pattern: str, what: str) -> None:
    """Raise ModelError for a folder without safetensors; pickles run code when they are loaded."""
    if any(folder.glob(pattern)):
        return
    pickles = sorted(path.name for kind in _PICKLES for path in folder.glob(kind))
    if pickles:
        raise ModelError(
            f"{what}: {folder / pickles[0]} is a pickle, which can run code when it is loaded, and is"
            " refused; save it as safetensors (save_pretrained does)"
        )
    raise ModelError(f"{what}: {folder} holds no {pattern.rstrip('*')}")


def _check_complete(info: dict[str, Any], name: str, scalar: bool) -> None:
    """Refuse weights that would leave tensors at random values; a scalar head may be untrained."""
    missing = sorted(set(info.get("missing_keys", ())) - ({_SCALAR_HEAD} if scalar else set()))
    if missing:
        raise ModelError(
            f"model {name}: its files lack {len(missing)} of the model's tensors:"
            f" {', '.join(missing[:3])}{' ...' if len(missing) > 3 else ''}"
        )
    mismatched = sorted(str(entry[0]) for entry in info.get("mismatched_keys", ()))
    if mismatched:
        raise ModelError(f"model {name}: tensors with a wrong shape: {', '.join(mismatched[:3])}")


def pick_dtype(dtype: Dtype, device: str, parameters: int = 0) -> str:
    """Choose the dtype; a type by name is taken as it is, ``auto`` depends on the machine.

    On a GPU ``auto`` is bf16, or fp16 where bf16 is not supported. On a CPU it is bf16 where the
    CPU has the instructions (AVX512-BF16, AMX, Arm's BF16). Elsewhere bf16 is emulated (on an AVX2
    machine the embedded model wrote 3.9 tokens a CPU second in bf16 and 21 in fp32), and ``auto``
    is fp32, unless the weights would then fill more than half of the machine's memory.
    """
    import torch

    if dtype != "auto":
        return dtype
    if device.startswith("cuda"):
        return "bfloat16" if torch.cuda.is_bf16_supported(False) else "float16"
    return "bfloat16" if cpu_has_bf16() or not _fits_in_fp32(parameters) else "float32"


def cpu_has_bf16() -> bool:
    """Return whether this CPU multiplies bf16 in hardware."""
    import torch

    capabilities = torch.cpu.get_capabilities()
    return any(capabilities.get(name, False) for name in ("avx512_bf16", "amx_bf16", "bf16"))


def _fits_in_fp32(parameters: int) -> bool:
    import psutil

    # Of all memory, not of the free memory: a resumed run must choose as the first did.
    return bool(4 * parameters <= psutil.virtual_memory().total / 2)


def count_parameters(folder: Path) -> int:
    """Count the values in a folder's safetensors files, from their headers."""
    from safetensors import safe_open

    total = 0
    for path in folder.glob("model*.safetensors"):
        with safe_open(path, framework="pt") as file:
            shapes = [file.get_slice(key).get_shape() for key in file.keys()]  # noqa: SIM118
        total += sum(math.prod(shape) for shape in shapes)
    return total


def quantization_config(quantization: Quantization, dtype: str) -> Any:
    """Make the settings of bitsandbytes: NF4 with double quantisation (as QLoRA), or LLM.int8()."""
    import torch
    from transformers import BitsAndBytesConfig

    require_bitsandbytes(f"quantization: {quantization}")
    if quantization == "8bit":
        # It warns at every product that fp32 inputs are rounded, which is what LLM.int8() does.
        logging.getLogger("bitsandbytes.autograd._functions").setLevel(logging.ERROR)
        return BitsAndBytesConfig(load_in_8bit=True)
    return BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type="nf4",
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=getattr(torch, dtype),
    )
