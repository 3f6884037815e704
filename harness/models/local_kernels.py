"""Keeps bitsandbytes from asking the hub for native code while it is imported."""

from __future__ import annotations

import importlib.util
import logging
import sys
from contextlib import suppress


def import_bitsandbytes() -> None:
    """Import bitsandbytes, where it is installed, with the kernels it brings along.

    On CPUs with AVX512-BF16 it asks the package ``kernels`` for another one at import, which comes
    from the hub, or logs a warning where that package is missing. PEFT imports bitsandbytes too: call
    this first.
    """
    if "bitsandbytes" in sys.modules or importlib.util.find_spec("bitsandbytes") is None:
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
