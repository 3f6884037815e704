"""The libraries behind the models: quiet, off the network, their errors in one line."""

from __future__ import annotations

import importlib.util
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from harness.errors import MissingPackage


@contextmanager
def quiet() -> Iterator[None]:
    """Silence the progress bars of transformers and its log lines below an error, for a while."""
    from transformers.utils import logging as transformers_logging

    level = transformers_logging.get_verbosity()
    bars = transformers_logging.is_progress_bar_enabled()
    transformers_logging.set_verbosity_error()
    transformers_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            # PEFT 0.21 asks transformers 5.23 for a property by its old name.
            warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")
            yield
    finally:
        transformers_logging.set_verbosity(level)
        if bars:
            transformers_logging.enable_progress_bar()


def has_bitsandbytes() -> bool:
    """Return whether bitsandbytes is installed; it is not imported for that."""
    return importlib.util.find_spec("bitsandbytes") is not None


def require_bitsandbytes(what: str, otherwise: str = "") -> None:
    """Raise MissingPackage for the setting ``what`` where bitsandbytes is not installed."""
    if not has_bitsandbytes():
        raise MissingPackage(
            f"{what} needs bitsandbytes: pip install 'bitsandbytes>=0.50'{otherwise}"
        )


def import_bitsandbytes() -> None:
    """Import bitsandbytes, where it is installed, with the kernels it brings along.

    On CPUs with AVX512-BF16 it asks the package ``kernels`` for another one at import, which comes
    from the hub, or logs a warning where that package is missing. PEFT imports bitsandbytes too: call
    this first.
    """
    if "bitsandbytes" in sys.modules or not has_bitsandbytes():
        return
    logging.getLogger("bitsandbytes.backends.cpu.ops").setLevel(logging.ERROR)
    # None makes `import kernels` fail as if it were not installed.
    hidden = sys.modules.pop("kernels", None)
    sys.modules["kernels"] = None  # type: ignore[assignment]
    try:
        # What fails here fails again, with its message, where it is really needed.
        with suppress(ImportError, OSError, RuntimeError):
            importlib.import_module("bitsandbytes")
    finally:
        del sys.modules["kernels"]
        if hidden is not None:
            sys.modules["kernels"] = hidden


def first_line(error: BaseException) -> str:
    """Return what an exception says, in one line."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
