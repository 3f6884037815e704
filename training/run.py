"""One training from its config to the finished folder, whatever its objective."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager

from harness.models.libraries import quiet as quiet_models
from harness.util.files import make_folder
from training import checkpoints
from training.config import TrainingConfig
from training.loading import load
from training.result import LOG, EventHandler, TrainingResult
from training.spec import specify


def train(
    config: TrainingConfig, *, progress: EventHandler | None = None, fresh: bool = False
) -> TrainingResult:
    """Train, resume a training that was interrupted, or return one that is complete.

    Args:
        config: The training config.
        progress: Handler of the training's events.
        fresh: Remove what an earlier training left in ``output_dir`` first.

    Raises:
        JostleError: Bad input, or a machine that cannot do it; one line that says what to do.
    """
    from training.job import Job, is_first_process  # Imports torch and transformers.

    spec = specify(config)
    first = is_first_process()
    if fresh and first:  # The other processes of a launch have nothing to remove.
        checkpoints.remove_all(spec.output)
        (spec.output / LOG).unlink(missing_ok=True)
    complete = None if fresh else spec.result()
    if complete is not None:
        return complete
    make_folder(spec.output)
    start = None if fresh else checkpoints.latest(spec.output, spec.made_from, clean=first)
    with (
        quiet(),
        seeded(config.seed),
        closing(Job(spec, load(config, spec.folder), progress)) as job,
    ):
        job.fit(start)
        summary = job.save()
    return TrainingResult(
        output_dir=spec.output,
        steps=summary["steps"],
        summary=summary,
        curve=job.history,
        warnings=job.warnings,
        resumed_from=checkpoints.step_of(start) if start else None,
    )


@contextmanager
def quiet() -> Iterator[None]:
    """Silence progress bars, log lines and known warnings of transformers, TRL and PEFT inside."""
    import datasets

    bars = datasets.utils.logging.is_progress_bar_enabled()
    datasets.disable_progress_bars()
    try:
        with quiet_models():
            # A machine without a GPU is warned twice that memory cannot be pinned.
            warnings.filterwarnings("ignore", message=".*pin_memory.*")
            # Renamed in transformers 5.23, while TRL still uses the old name.
            warnings.filterwarnings("ignore", message="`gradient_checkpointing.*is deprecated")
            yield
    finally:
        if bars:
            datasets.enable_progress_bars()


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python, numpy and torch inside, and restore the caller's random streams after it."""
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
