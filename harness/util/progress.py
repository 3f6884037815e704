"""How long work reports where it stands; the command line decides how it looks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol


class Task(Protocol):
    """One running stage."""

    def advance(self, n: int = 1) -> None:
        """``n`` more items are done."""
        ...


class Progress(Protocol):
    """Shows stages as they run."""

    def stage(self, title: str, total: int) -> AbstractContextManager[Task]:
        """Begin a stage of ``total`` items; it ends with the ``with`` block."""
        ...

    def note(self, text: str) -> None:
        """One line that the user should see."""
        ...


class _Nothing:
    def advance(self, n: int = 1) -> None:
        pass


class Silent:
    """Shows nothing."""

    @contextmanager
    def stage(self, title: str, total: int) -> Iterator[Task]:
        """A stage that shows nothing."""
        yield _Nothing()

    def note(self, text: str) -> None:
        """Say nothing."""
