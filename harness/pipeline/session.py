"""What the stages of one run share: its folder, suite, cache, progress and manifest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from harness.config import Suite
from harness.pipeline.cache import Cache
from harness.pipeline.store import Run
from harness.records import Manifest, StageName, StageState
from harness.util.environment import git_state, hardware, package_versions
from harness.util.progress import Progress


@dataclass
class StageReport:
    """Filled in by a stage while it runs; goes into the manifest when it is complete."""

    made_from: str = ""
    counts: dict[str, int] = field(default_factory=dict)

    def count(self, what: str, n: int = 1) -> None:
        """Add ``n`` to a counter."""
        self.counts[what] = self.counts.get(what, 0) + n


class Session:
    """One process at work on one run. Holds no data of the stages themselves.

    Attributes:
        retry_failed: Try again what failed for good, too.
    """

    def __init__(
        self,
        run: Run,
        suite: Suite,
        *,
        cache: Cache,
        progress: Progress,
        command: str = "",
        retry_failed: bool = False,
    ) -> None:
        self.run = run
        self.suite = suite
        self.cache = cache
        self.progress = progress
        self.retry_failed = retry_failed
        now = datetime.now(UTC).isoformat(timespec="seconds")
        before = run.manifest() if run.exists() else None
        self.manifest = Manifest(
            name=suite.suite.name,
            created=before.created if before else now,
            command=command or (before.command if before else ""),
            suite=suite.model_dump(mode="json"),
            seed=suite.suite.seed,
            git=git_state(),
            packages=package_versions(),
            hardware=hardware(),
            data=before.data if before else {},
            models=before.models if before else {},
            judges=before.judges if before else {},
            audit=before.audit if before else {},
            stages=before.stages if before else {},
            warnings=before.warnings if before else (),
        )
        run.write_manifest(self.manifest)

    def update(self, **fields: Any) -> None:
        """Change fields of the manifest, on disk too."""
        self.manifest = self.manifest.model_copy(update=fields)
        self.run.write_manifest(self.manifest)

    def warn(self, text: str) -> None:
        """A warning that stays in the report."""
        if text not in self.manifest.warnings:
            self.update(warnings=(*self.manifest.warnings, text))
            self.progress.note(f"warning: {text}")

    @contextmanager
    def stage(self, name: StageName) -> Iterator[StageReport]:
        """Mark a stage as running, and as complete with its counts when the block ends well."""
        begun = time.monotonic()
        report = StageReport()
        self._set_stage(name, StageState(status="running"))
        yield report
        self._set_stage(
            name,
            StageState(
                status="complete",
                made_from=report.made_from,
                counts=report.counts,
                seconds=round(time.monotonic() - begun, 3),
            ),
        )

    def finish(self) -> None:
        """Turn the manifest's status ``complete``: the last thing a run does."""
        self.update(
            status="complete",
            finished=datetime.now(UTC).isoformat(timespec="seconds"),
            hardware=hardware(),
        )

    def _set_stage(self, name: StageName, state: StageState) -> None:
        self.update(stages={**self.manifest.stages, name: state})
