"""Fold adapters into copies of the base weights for a while: a pass then costs what the base's does.

Beside the base, an unmerged LoRA adapter takes a third of a pass for its small products.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

_HEADROOM = 2.0  # Copies are made where this many times their size is free.


@contextmanager
def merged(net: Any) -> Iterator[bool]:
    """Fold the active adapters of a model into copies of the weights they change.

    The base's own tensors are put back unchanged afterwards: subtracting the update again would
    leave rounding errors in them.

    Yields:
        Whether it was done: not for layers that cannot (quantised ones), nor without the memory.
    """
    from peft.tuners.tuners_utils import BaseTunerLayer

    layers = [module for module in net.modules() if isinstance(module, BaseTunerLayer)]
    active = [layer for layer in layers if not layer.disable_adapters and layer.active_adapters]
    with ExitStack() as restoring:
        done = bool(active) and _has_room(net, active)
        if done:
            try:
                for layer in active:
                    restoring.enter_context(_merged_layer(layer))
            except (NotImplementedError, RuntimeError, ValueError, TypeError, AttributeError):
                # Not every kind of adapter can; what was merged so far is taken back.
                restoring.close()
                done = False
        yield done


@contextmanager
def _merged_layer(layer: Any) -> Iterator[None]:
    import torch

    base = layer.get_base_layer()
    # The parameter is replaced, not its data: tied weights share the parameter with another layer.
    before = {
        name: base._parameters[name] for name in ("weight", "bias") if name in base._parameters
    }
    try:
        for name, parameter in before.items():
            if parameter is not None:
                copy = parameter.detach().clone()
                base._parameters[name] = torch.nn.Parameter(copy, requires_grad=False)
        layer.merge(safe_merge=False)
        yield
    finally:
        base._parameters.update(before)
        layer.merged_adapters.clear()


def _has_room(net: Any, layers: list[Any]) -> bool:
    """Return whether memory holds copies of the layers' weights; no for quantised ones."""
    import psutil
    import torch

    weights = [layer.get_base_layer().weight for layer in layers]
    if not all(weight.is_floating_point() for weight in weights):
        return False
    needed = sum(weight.numel() * weight.element_size() for weight in weights) * _HEADROOM
    if weights[0].device.type == "cuda":
        free = int(torch.cuda.mem_get_info(weights[0].device)[0])
    else:
        free = int(psutil.virtual_memory().available)
    return bool(needed < free)
