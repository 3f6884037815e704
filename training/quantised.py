"""4- and 8-bit bases: check of this machine, and the guard against bitsandbytes' CPU fault."""

from __future__ import annotations

from typing import Any

from harness.errors import ModelError
from harness.models.checkpoints import Quantization
from harness.models.libraries import (
    first_line,
    has_bitsandbytes,
    import_bitsandbytes,
    require_bitsandbytes,
)


def check_available(bits: Quantization, device: str) -> None:
    """Stop before anything is loaded where bitsandbytes cannot quantise on ``device``.

    A build without kernels for the device imports well and fails only in use: a small layer tests.

    Raises:
        MissingPackage: bitsandbytes is not installed.
        ModelError: Its build has no kernels for this device.
    """
    require_bitsandbytes(f"method qlora-{bits}", otherwise=", or set method: lora")
    import torch

    try:
        _probe(bits, torch.device(device))
    except Exception as error:
        raise ModelError(
            f"method qlora-{bits}: this machine's bitsandbytes cannot train in {bits} on {device}"
            f" ({first_line(error)}); set method: lora, or run on a machine with a supported GPU"
        ) from error


def _probe(bits: str, device: Any) -> None:
    import_bitsandbytes()
    import bitsandbytes as bnb
    import torch

    weights = torch.linspace(-1, 1, 128 * 64, dtype=torch.float32).reshape(128, 64)
    layer: Any
    if bits == "4bit":
        layer = bnb.nn.Linear4bit(
            64, 128, bias=False, quant_type="nf4", compute_dtype=torch.float32
        )
        layer.weight = bnb.nn.Params4bit(weights, requires_grad=False, quant_type="nf4")
    else:
        layer = bnb.nn.Linear8bitLt(64, 128, bias=False, has_fp16_weights=False, threshold=6.0)
        layer.weight = bnb.nn.Int8Params(weights, requires_grad=False, has_fp16_weights=False)
    guard_4bit(layer)
    layer = layer.to(device)
    dtype = torch.float32 if bits == "4bit" or device.type == "cpu" else torch.float16
    inputs = torch.ones(2, 64, device=device, dtype=dtype, requires_grad=True)
    output = layer(inputs)
    output.sum().backward()
    if not (torch.isfinite(output).all() and inputs.grad is not None):
        raise RuntimeError("its kernels give no finite result")


def guard_4bit(model: Any) -> int:
    """Keep 4-bit weights in the form that training can differentiate; return how many layers.

    On CPUs with AVX512-BF16, a forward without gradients (an evaluation) repacks the weights of
    ``Linear4bit`` for fast generation. The backward pass of later training steps reads the repacked
    bytes as if they were not, and the gradients are wrong with only a warning. Call this before the
    first forward.
    """
    if not has_bitsandbytes():
        return 0
    import bitsandbytes as bnb

    layers = [module for module in model.modules() if isinstance(module, bnb.nn.Linear4bit)]
    for layer in layers:
        layer.support_avx512bf16_for_cpu = False
    return len(layers)
