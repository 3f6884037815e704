"""One training from its config to the finished folder, whatever its objective."""

from __future__ import annotations

from pathlib import Path

from harness.util.files import make_folder
from training import checkpoints
from training.callbacks import Progress
from training.config import TrainingConfig
from training.determinism import own_randomness, quiet
from training.job import Job, is_first_process
from training.loading import load
from training.objective import Objective
from training.result import LOG, TrainingResult
from training.spec import place


def run(
    config: TrainingConfig, objective: Objective, *, progress: Progress | None, fresh: bool
) -> TrainingResult:
    """Train, resume or return what is complete; see :func:`training.sft.train`.

    Raises:
        JostleError: One line that says what to do.
    """
    order = place(config)
    if fresh:
        _clear(order.output)
    done = None if fresh else order.result()
    if done is not None:
        return done
    make_folder(order.output)
    first = is_first_process()
    start = None if fresh else checkpoints.latest(order.output, order.made_from, clean=first)
    with quiet(), own_randomness(config.seed):
        job = Job(order, objective, load(config, order.folder), progress)
        try:
            job.fit(start)
            summary = job.save()
        finally:
            job.close()
    return TrainingResult(
        output_dir=order.output,
        steps=summary["steps"],
        summary=summary,
        curve=job.history,
        warnings=job.warnings,
        resumed_from=checkpoints.step_of(start) if start else None,
    )


def _clear(output: Path) -> None:
    """Remove what an earlier training left; the other processes of a launch have nothing to do."""
    if is_first_process():
        checkpoints.remove_all(output)
        (output / LOG).unlink(missing_ok=True)
