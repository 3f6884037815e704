"""Where the trainings of a study run: in turn, or side by side on Ray."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.errors import MissingPackage
from training.studies.cell import CellOutcome, Events, run_cell
from training.studies.config import Cell

Engine = Literal["local", "ray"]


def train_all(
    cells: Sequence[Cell], engine: Engine, events: Events | None = None
) -> Iterator[CellOutcome]:
    """Train every cell; yields outcomes as they come. Failures are outcomes, not exceptions.

    Args:
        cells: What to train.
        engine: ``local`` runs one after the other, ``ray`` as many at once as the cluster has room.
        events: Progress events of the trainings (``local`` only).

    Raises:
        MissingPackage: ``ray`` where it is not installed.
    """
    if engine == "ray":
        yield from _on_ray(cells)
        return
    for cell in cells:
        yield run_cell(cell.name, cell.config, events)


def _on_ray(cells: Sequence[Cell]) -> Iterator[CellOutcome]:
    if importlib.util.find_spec("ray") is None:
        raise MissingPackage(
            "engine ray needs Ray: pip install 'ray>=2.60', or leave --engine away"
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports home unless told not to.
    import ray

    ours = not ray.is_initialized()
    if ours:
        # Without an address of a cluster, one is started that nobody outside can reach.
        local = {} if "RAY_ADDRESS" in os.environ else {"_node_ip_address": "127.0.0.1"}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", **local)
    try:
        yield from _gather(cells, ray)
    finally:
        if ours:
            ray.shutdown()


def _gather(cells: Sequence[Cell], ray: Any) -> Iterator[CellOutcome]:
    gpus = 1 if ray.cluster_resources().get("GPU") else 0
    remote: Any = ray.remote(num_cpus=1, num_gpus=gpus, max_retries=0)(_remote)
    waiting = {
        remote.remote(cell.name, cell.config.model_dump_json(exclude_unset=True), os.getcwd()): cell
        for cell in cells
    }
    while waiting:
        done, _ = ray.wait(list(waiting), num_returns=1)
        cell = waiting.pop(done[0])
        try:
            yield ray.get(done[0])
        except ray.exceptions.RayError as error:
            lines = str(error).strip().splitlines() or [type(error).__name__]
            yield CellOutcome(cell.name, Path(cell.config.output_dir), f"Ray: {lines[-1]}")


def _remote(name: str, config: str, folder: str) -> CellOutcome:
    """Train on a worker of the cluster, whose own folder is another than the study's."""
    from training.config import TrainingConfig

    training = TrainingConfig.model_validate_json(config)
    try:
        os.chdir(folder)
    except OSError as error:
        return CellOutcome(
            name,
            Path(training.output_dir),
            f"Ray: a machine of the cluster cannot see {folder} ({error.strerror}); a study on"
            " several machines needs a folder that they share",
        )
    return run_cell(name, training)
