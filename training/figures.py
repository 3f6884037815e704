"""The figures of a finished training: losses, speed, sizes, memory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from training.curves import perplexity, series

Curve = Sequence[Mapping[str, Any]]


def loss_figures(curve: Curve, best_step: int | None) -> dict[str, Any]:
    """Losses before and after.

    Args:
        curve: The logged rows.
        best_step: The step whose weights were kept, where that is not the last.
    """
    training, losses = series(curve, "loss"), series(curve, "eval_loss")
    after = next((value for step, value in losses if step == best_step), None)
    if after is None and losses:
        after = losses[-1][1]
    found: dict[str, Any] = {
        "best_step": best_step,
        "loss_last": training[-1][1] if training else None,
        "eval_loss_before": losses[0][1] if losses and losses[0][0] == 0 else None,
        "eval_loss_after": after,
    }
    if after is not None:
        found["eval_perplexity_after"] = perplexity(after)
    return found


def cost_figures(curve: Curve) -> dict[str, Any]:
    """Time in seconds, the median of the logged rates, and the peaks of memory in MiB."""
    rates = [value for _, value in series(curve, "tokens_per_second")]
    found: dict[str, Any] = {
        "seconds": curve[-1].get("seconds") if curve else None,
        "tokens_per_second": median(rates) if rates else None,
    }
    for name in ("peak_cpu_mib", "peak_gpu_mib"):
        found[name] = max((value for _, value in series(curve, name)), default=None)
    return found


def model_figures(model: Any) -> dict[str, int]:
    """How many parameters there are and are trained, and the bytes that the model fills in memory."""
    parameters = [(p.numel(), p.requires_grad) for p in model.parameters()]
    return {
        "trainable_parameters": sum(n for n, trainable in parameters if trainable),
        "parameters": sum(n for n, _ in parameters),
        "memory_footprint_bytes": int(model.get_memory_footprint()),
    }


def weights_bytes(folder: Path) -> int:
    """Bytes on disk of a folder's weight files."""
    return sum(file.stat().st_size for file in folder.glob("*.safetensors"))
