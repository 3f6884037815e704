"""Keeps the libraries' chatter off the terminal and the random streams of others untouched."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import contextmanager

from harness.models.libraries import quiet as models_quiet


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars, log lines or known warnings of transformers, TRL and PEFT inside."""
    import datasets

    bars = datasets.utils.logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        with models_quiet():
            # A machine without a GPU is told twice that memory cannot be pinned.
            warnings.filterwarnings("ignore", message=".*pin_memory.*")
            # Renamed in transformers 5.23, while TRL still uses the old name.
            warnings.filterwarnings("ignore", message="`gradient_checkpointing.*is deprecated")
            yield
    finally:
        if bars:
            datasets.enable_progress_bars()


@contextmanager
def own_randomness(seed: int) -> Iterator[None]:
    """Seed Python, numpy and torch for a training, and give the caller's streams back after it."""
    import numpy as np
    import torch
    from transformers import set_seed

    python, numpy = random.getstate(), np.random.get_state()
    devices = list(range(torch.cuda.device_count()))
    with torch.random.fork_rng(devices=devices):
        set_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)
