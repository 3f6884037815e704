"""One load of base weights with the adapters that share it, switched on by name."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import ModelError
from harness.models.adapter_files import check_fit, check_loaded, read_config, read_shapes
from harness.models.libraries import first_line, quiet


class AdapterNet:
    """A base model with adapters on it.

    Attributes:
        net: The Hugging Face model with the adapters' layers in it: generate with this one.
    """

    def __init__(self, model: Any) -> None:
        self.net = model
        self._peft: Any = None
        self._names: dict[str, str] = {}  # The user's names may contain dots, PEFT's may not.
        self._loaded: dict[str, str] = {}

    def add(self, name: str, folders: Sequence[Path], weights: Sequence[float]) -> None:
        """Attach an adapter, or the weighted sum of several.

        Raises:
            ModelError: Pickled weights, or tensors that do not fit the base.
        """
        inner = [self._load(folder, name) for folder in folders]
        self._names[name] = self._mix(name, inner, weights)

    @contextmanager
    def active(self, name: str | None) -> Iterator[Any]:
        """Switch to one adapter, or to the base model (None); yield the model to call."""
        if name is not None:
            self._peft.set_adapter(self._names[name], inference_mode=True)
            yield self.net
        elif self._peft is None:
            yield self.net
        else:
            with self._peft.disable_adapter():
                yield self.net

    def _load(self, folder: Path, name: str) -> str:
        """Load one folder (once, however many mixtures name it); return PEFT's name for it."""
        place = str(folder.resolve())
        if place in self._loaded:
            return self._loaded[place]
        what = f"adapter {folder} (of {name!r})"
        config = read_config(folder, what)
        shapes = read_shapes(folder, what)
        check_fit(self.net, config, shapes, what)
        inner = f"part{len(self._loaded)}"
        self._attach(folder, inner, what)
        check_loaded(self._peft, inner, folder, what)
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
                # Nor one that changes the base: Adapters gives it a base of its own.
                warnings.filterwarnings("ignore", message=".* changes the base weights")
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
