"""One process at work on a run: its folder, suite, cache, progress and manifest."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness.config import Suite
from harness.pipeline.cache import Cache
from harness.pipeline.store import Run
from harness.records import Manifest, StageState
from harness.util.environment import git_state, hardware, package_versions
from harness.util.progress import Progress


@dataclass
class StageReport:
    """Filled in by a stage while it runs; goes into the manifest when it is complete.

    Attributes:
        interrupted: The stage did not come to its end the last time, or never ran.
    """

    interrupted: bool
    made_from: str = ""
    counts: Counter[str] = field(default_factory=Counter)


@dataclass(frozen=True)
class Launch:
    """How a process was started.

    Attributes:
        command: The command line, for the manifest; empty keeps the one of the run.
        retry_failed: Try permanent failures again, too.
        cache: File of the cross-run cache; the user's own if None.
    """

    progress: Progress
    command: str = ""
    retry_failed: bool = False
    cache: Path | None = None


class Session:
    """One process at work on one run. Holds no data of the stages themselves.

    Open it with :func:`open_session`, which closes what it opened.
    """

    def __init__(self, run: Run, suite: Suite, cache: Cache, launch: Launch) -> None:
        self.run = run
        self.suite = suite
        self.cache = cache
        self.progress = launch.progress
        self.retry_failed = launch.retry_failed
        launched: dict[str, Any] = {
            "name": suite.suite.name,
            "status": "running",
            "finished": None,
            "suite": suite.model_dump(mode="json"),
            "seed": suite.suite.seed,
            "git": git_state(),
            "packages": package_versions(),
            "hardware": hardware(),
        }
        if launch.command:
            launched["command"] = launch.command
        if run.exists():
            self.manifest = run.manifest().model_copy(update=launched)
        else:
            self.manifest = Manifest(created=_now(), **launched)
        run.write_manifest(self.manifest)

    def update(self, **fields: Any) -> None:
        """Change fields of the manifest, on disk too."""
        self.manifest = self.manifest.model_copy(update=fields)
        self.run.write_manifest(self.manifest)

    def warn(self, text: str) -> None:
        """Add a warning to the report."""
        if text not in self.manifest.warnings:
            self.update(warnings=(*self.manifest.warnings, text))
            self.progress.note(f"warning: {text}")

    @contextmanager
    def stage(self, name: str) -> Iterator[StageReport]:
        """Mark a stage as running, and as complete with its counts when the block ends well."""
        begun = time.monotonic()
        last = self.manifest.stages.get(name)
        report = StageReport(interrupted=last is None or last.status == "running")
        self.update(stages={**self.manifest.stages, name: StageState(status="running")})
        yield report
        state = StageState(
            status="complete",
            made_from=report.made_from,
            counts=dict(report.counts),
            seconds=round(time.monotonic() - begun, 3),
        )
        self.update(stages={**self.manifest.stages, name: state})

    def finish(self) -> None:
        """Turn the manifest's status ``complete``: the last thing a run does."""
        self.update(status="complete", finished=_now(), hardware=hardware())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


@contextmanager
def open_session(root: Path, suite: Suite, launch: Launch) -> Iterator[Session]:
    """Open a run folder, new or to be resumed, for this process alone, until the block ends.

    Raises:
        StoreError: The folder cannot be made, or another process works on it.
    """
    with Run.create(root) as run, closing(Cache(launch.cache)) as cache:
        yield Session(run, suite, cache, launch)
