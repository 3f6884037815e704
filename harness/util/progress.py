"""Progress of long work; the command line decides how it looks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol


class Task(Protocol):
    """A running stage."""

    def advance(self, n: int = 1) -> None:
        """Count ``n`` more finished items."""


class Progress(Protocol):
    """Shows stages as they run."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Task]:
        """Begin a stage of ``total`` items, which ends with the ``with`` block."""

    def note(self, text: str) -> None:
        """Show one line to the user."""
