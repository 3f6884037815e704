"""Peak memory is a process's own; time in a pause is not training's."""

from __future__ import annotations

import subprocess
import sys

import pytest

from training.throughput import Meter

CHILD = """
from training.throughput import peak_memory
block = bytearray(100 * 2**20)
block[::4096] = b"x" * len(block[::4096])
del block
print(peak_memory()["peak_cpu_mib"])
"""
PARENT = f"""
import subprocess, sys
block = bytearray(400 * 2**20)
block[::4096] = b"x" * len(block[::4096])
print(subprocess.run([sys.executable, "-c", {CHILD!r}], capture_output=True, text=True).stdout)
"""


def test_the_peak_of_a_fresh_process_is_not_its_parent_s() -> None:
    done = subprocess.run([sys.executable, "-c", PARENT], capture_output=True, text=True)
    assert 100 < float(done.stdout) < 250, done.stderr


def test_time_in_a_pause_is_not_training_s(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 0.0
    monkeypatch.setattr("training.throughput.time.perf_counter", lambda: now)
    meter = Meter()
    meter.add(60)
    now = 2.0
    with meter.pause():
        now = 12.0
    now = 13.0
    assert meter.read() == {"tokens_per_second": 20.0, "tokens": 60.0}
