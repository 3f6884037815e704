"""Costs of a training: tokens per second and peak memory, while it runs and over all of it."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from statistics import median
from typing import Any

from training.curves import Curve, series


class Meter:
    """Meter of the tokens per second of training alone: evaluations and checkpoints do not count."""

    def __init__(self) -> None:
        self._tokens = 0
        self._since = time.perf_counter()

    def add(self, tokens: int) -> None:
        """Count the tokens of one batch, padding left out."""
        self._tokens += tokens

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Stop the clock inside: this time is not training."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._since += time.perf_counter() - began

    def read(self) -> dict[str, float]:
        """Return the tokens since the last reading, and their rate."""
        now = time.perf_counter()
        tokens, seconds = self._tokens, max(now - self._since, 1e-9)
        self._tokens, self._since = 0, now
        return {"tokens_per_second": tokens / seconds, "tokens": float(tokens)}


def peak_memory() -> dict[str, float]:
    """Return the peak resident memory of this process and the peak GPU memory of torch, in MiB."""
    peaks = {"peak_cpu_mib": _peak_resident()}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        peaks["peak_gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return peaks


def _peak_resident() -> float:
    """Return MiB. On Linux ``ru_maxrss`` would start at the peak of the parent process."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def cost_figures(curve: Curve) -> dict[str, Any]:
    """Return the time in seconds, the median of the logged rates, and the peak memory in MiB."""
    rates = [value for _, value in series(curve, "tokens_per_second")]
    figures: dict[str, Any] = {
        "seconds": curve[-1].get("seconds") if curve else None,
        "tokens_per_second": median(rates) if rates else None,
    }
    for name in ("peak_cpu_mib", "peak_gpu_mib"):
        figures[name] = max((value for _, value in series(curve, name)), default=None)
    return figures
