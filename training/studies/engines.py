"""Engines that run the trainings of a study: one after the other, or in parallel on Ray."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from harness.errors import MissingPackage
from training.config import TrainingConfig
from training.result import EventHandler
from training.studies.cell import CellOutcome, run_cell
from training.studies.config import StudyCell

Engine = Literal["local", "ray"]


def train_all(
    cells: Sequence[StudyCell], engine: Engine, events: EventHandler | None = None
) -> Iterator[CellOutcome]:
    """Train every cell; yield outcomes as they come. Failures are outcomes, not exceptions.

    ``local`` runs one after the other, ``ray`` as many in parallel as the cluster can, without
    events.

    Raises:
        MissingPackage: ``ray`` where it is not installed.
    """
    if engine == "ray":
        yield from _on_ray(cells)
        return
    for cell in cells:
        yield run_cell(cell.name, cell.config, events)


def _on_ray(cells: Sequence[StudyCell]) -> Iterator[CellOutcome]:
    if importlib.util.find_spec("ray") is None:
        raise MissingPackage(
            "engine ray needs Ray: pip install 'ray>=2.60', or leave --engine away"
        )
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # Ray reports usage by default.
    import ray

    starts = not ray.is_initialized()
    if starts:
        # Without an address of a cluster, a new one starts that is not reachable from outside.
        local = {} if "RAY_ADDRESS" in os.environ else {"_node_ip_address": "127.0.0.1"}
        ray.init(include_dashboard=False, log_to_driver=False, logging_level="error", **local)
    try:
        yield from _gather(cells, ray)
    finally:
        if starts:
            ray.shutdown()


def _gather(cells: Sequence[StudyCell], ray: Any) -> Iterator[CellOutcome]:
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
    """Train on a worker of the cluster, whose working folder is not the study's."""
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
