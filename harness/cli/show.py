"""Progress bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.progress import Task as RichTask
from rich.text import Text

from harness.util import progress

_PLAIN_EVERY_S = 15.0


def reporter() -> progress.Progress:
    """Return bars where standard error is a terminal, else a plain line now and then."""
    return Bars() if sys.stderr.isatty() else Lines()


class _Rate(ProgressColumn):
    def render(self, task: RichTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.1f}/s" if speed else "", style="dim")


class Bars:
    """Rich progress bars with rate and time left."""

    def __init__(self) -> None:
        self._console = Console(stderr=True)

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[progress.Task]:
        """Show one bar, which stays when it is done."""
        with Progress(
            TextColumn("{task.description:<22}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Rate(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            console=self._console,
        ) as bars:
            yield _Bar(bars, bars.add_task(title, total=total))

    def note(self, text: str) -> None:
        """Print one line above the bars."""
        self._console.print(text, highlight=False, markup=False)


class _Bar:
    def __init__(self, bars: Progress, task: TaskID) -> None:
        self._bars, self._task = bars, task

    def advance(self, n: int = 1) -> None:
        self._bars.advance(self._task, n)


class Lines:
    """Plain lines, for logs and CI."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[progress.Task]:
        """Print a line now and then, and at the end."""
        task = _Line(title, total)
        yield task
        task.end()

    def note(self, text: str) -> None:
        """Print one line."""
        print(text, file=sys.stderr, flush=True)


class _Line:
    def __init__(self, title: str, total: int) -> None:
        self._title, self._total = title, total
        self._done = 0
        self._begun = self._last = time.monotonic()

    def advance(self, n: int = 1) -> None:
        self._done += n
        now = time.monotonic()
        if now - self._last >= _PLAIN_EVERY_S:
            self._last = now
            rate = self._done / (now - self._begun)
            left = (self._total - self._done) / rate if rate else 0.0
            self._say(f"{rate:.1f}/s, about {left:.0f} s left")

    def end(self) -> None:
        self._say(f"{time.monotonic() - self._begun:.1f} s")

    def _say(self, tail: str) -> None:
        print(f"{self._title}: {self._done}/{self._total}, {tail}", file=sys.stderr, flush=True)
