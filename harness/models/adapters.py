"""The adapters of all subjects: on one load of base weights where they leave it as it is.

An adapter that changes the base model while it is switched off (trained biases, PiSSA) would falsify
the baseline and the other adapters, so it gets base weights of its own. Most are known by their
configuration; the rest are noticed because the logits of a probe text move.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from harness.config import AdapterSpec, SubjectSpec
from harness.errors import ModelError
from harness.models.adapter_files import changes_base, read_config
from harness.models.adapter_net import AdapterNet
from harness.models.checkpoints import locate
from harness.models.digests import adapter_digest
from harness.util.digest import digest

PROBE = "How do I sort a list of numbers, and why do I feel so tired today?"

Mixtures = Mapping[str, Sequence[AdapterSpec]]
"""The parts of every adapter, by the name that requests give."""


def mixtures(subjects: Sequence[SubjectSpec]) -> Mixtures:
    """Return the adapters of every subject that has some, by the subject's name."""
    return {subject.name: subject.adapters for subject in subjects if subject.adapters}


class Adapters:
    """Adapters on a base model, switched on by the name that a request gives."""

    def __init__(
        self,
        model: Any,
        adapters: Mixtures,
        *,
        reload: Callable[[], Any],
        probe: Callable[[Any], Any],
    ) -> None:
        """Load every adapter.

        Args:
            model: The base model.
            adapters: The parts of every adapter.
            reload: Loads the same base weights once more.
            probe: A model to the logits of a probe text.

        Raises:
            ModelError: A missing folder, pickled weights, or tensors that do not fit the base.
        """
        self._base = AdapterNet(model)
        self._nets: dict[str, AdapterNet] = {}
        self._digests: dict[str, str] = {}
        self._logits: dict[str, Any] = {}
        self._probe = probe
        self._clean: Any = probe(model) if adapters else None
        folders = {name: _folders(name, parts) for name, parts in adapters.items()}
        for name, parts in adapters.items():
            alone = any(changes_base(read_config(f, _named(f, name))) for f in folders[name])
            self._add(name, folders[name], parts, AdapterNet(reload()) if alone else self._base)
        if self._disturbed():
            self._base = AdapterNet(reload())
            for name, parts in adapters.items():
                self._add(name, folders[name], parts, AdapterNet(reload()))

    def digest(self, name: str) -> str:
        """Return the digest of an adapter's parts with their weights."""
        self._require(name)
        return self._digests[name]

    def active(self, name: str | None) -> AbstractContextManager[Any]:
        """Switch to one adapter, or to the base model (None); give the model to call."""
        if name is None:
            return self._base.active(None)
        self._require(name)
        return self._nets[name].active(name)

    def inactive(self) -> list[str]:
        """Return the adapters under which the logits of the probe text are those of the base."""
        import torch

        return [name for name, logits in self._logits.items() if torch.equal(logits, self._clean)]

    def _add(
        self, name: str, folders: Sequence[Path], parts: Sequence[AdapterSpec], net: AdapterNet
    ) -> None:
        weights = [part.weight for part in parts]
        net.add(name, folders, weights)
        self._nets[name] = net
        pairs = zip((adapter_digest(folder) for folder in folders), weights, strict=True)
        self._digests[name] = digest(sorted(pairs))
        self._logits[name] = self._probed(name)

    def _disturbed(self) -> bool:
        """Return whether the base, or an adapter loaded before another, answers otherwise now."""
        import torch

        return self._clean is not None and not (
            torch.equal(self._probed(None), self._clean)
            and all(torch.equal(self._probed(name), self._logits[name]) for name in self._nets)
        )

    def _probed(self, name: str | None) -> Any:
        with self.active(name) as net:
            return self._probe(net)

    def _require(self, name: str) -> None:
        if name not in self._nets:
            raise ModelError(
                f"adapter {name!r} is not loaded; loaded: {', '.join(self._nets) or 'none'}"
            )


def _folders(name: str, parts: Sequence[AdapterSpec]) -> list[Path]:
    if not parts:
        raise ModelError(f"adapter {name}: names no folder")
    return [locate(part.path, what=f"adapter of {name!r}") for part in parts]


def _named(folder: Path, name: str) -> str:
    return f"adapter {folder} (of {name!r})"
