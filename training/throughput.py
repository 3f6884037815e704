"""What a training costs while it runs: tokens per second and peak memory."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path


class Meter:
    """Tokens per second of training alone: evaluations and checkpoints do not count."""

    def __init__(self) -> None:
        self._tokens = 0
        self._since = time.perf_counter()

    def add(self, tokens: int) -> None:
        """Count the tokens of one batch, padding left out."""
        self._tokens += tokens

    @contextmanager
    def pause(self) -> Iterator[None]:
        """Time that is not training's."""
        began = time.perf_counter()
        try:
            yield
        finally:
            self._since += time.perf_counter() - began

    def read(self) -> dict[str, float]:
        """Tokens since the last reading, and their rate."""
        now = time.perf_counter()
        tokens, seconds = self._tokens, max(now - self._since, 1e-9)
        self._tokens, self._since = 0, now
        return {"tokens_per_second": tokens / seconds, "tokens": float(tokens)}


def peak_memory() -> dict[str, float]:
    """Peak resident memory of this process and peak GPU memory of torch, in MiB."""
    found = {"peak_cpu_mib": _peak_resident()}
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():
        found["peak_gpu_mib"] = torch.cuda.max_memory_allocated() / 2**20
    return found


def _peak_resident() -> float:
    """In MiB. On Linux ``ru_maxrss`` would start at the peak of the process that started this one."""
    with suppress(OSError, StopIteration):
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return int(next(line for line in lines if line.startswith("VmHWM:")).split()[1]) / 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)
