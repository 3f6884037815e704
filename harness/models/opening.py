"""Which provider a suite's ``model:`` means, and loading it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.config import SubjectSpec
from harness.models.hf import AdapterPart, HFModel
from harness.protocols import Model
from harness.registry import models

_FOLDERS = ("embedded",)  # Prefixes that stand for a folder of weights.


def open_model(specs: Sequence[SubjectSpec]) -> Model:
    """Load the one model that these subjects share, with all their adapters.

    ``prefix:rest`` goes to the provider registered under that prefix, called with ``specs``;
    everything else is a Hugging Face model (hub id, folder, or ``embedded:…``).

    Raises:
        ModelError: It cannot be loaded, or an adapter does not fit it.
        PluginError: No provider of that prefix.
    """
    first = specs[0]
    prefix, colon, _ = first.model.partition(":")
    if colon and prefix not in _FOLDERS:
        model: Model = models.get(prefix)(specs)
        return model
    return HFModel.load(
        first.model,
        adapters={
            spec.name: [AdapterPart(part.path, part.weight) for part in spec.adapters]
            for spec in specs
            if spec.adapters
        },
        dtype=first.dtype,
        quantization=first.quantization,
        revision=first.revision,
    )
