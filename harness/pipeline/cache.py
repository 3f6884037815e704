"""The cross-run cache: answers and judgements by content, never by a path or a name."""

from __future__ import annotations

import sqlite3
import warnings
from collections.abc import Iterable, Mapping
from pathlib import Path

from filelock import FileLock

from harness.util.resources import cache_root

_CHUNK = 500


class Cache:
    """A table of texts by digest, in SQLite with write-ahead logging; safe for several processes.

    A cache that cannot be opened or written costs time, not results: it warns once and stays empty.
    """

    def __init__(self, path: Path | None = None) -> None:
        self._connection: sqlite3.Connection | None = None
        path = path or cache_root() / "answers.sqlite"
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            # The switch to write-ahead logging does not wait, whatever the time-out: of two processes
            # that make the file at once, one would get an error that it is locked.
            with FileLock(path.with_name(path.name + ".lock"), timeout=60):
                connection = sqlite3.connect(path, timeout=60)
                connection.execute("PRAGMA journal_mode=WAL")
                connection.execute("PRAGMA synchronous=NORMAL")
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS entries (key TEXT PRIMARY KEY, value TEXT NOT NULL)"
                    " WITHOUT ROWID"
                )
                connection.commit()
            self._connection = connection
        except (OSError, sqlite3.Error) as error:
            self._give_up(f"{path}: {error}")

    def get(self, keys: Iterable[str]) -> dict[str, str]:
        """Return the values of those keys that are in the cache."""
        wanted = list(dict.fromkeys(keys))
        values: dict[str, str] = {}
        for start in range(0, len(wanted), _CHUNK):
            if self._connection is None:
                break
            part = wanted[start : start + _CHUNK]
            query = f"SELECT key, value FROM entries WHERE key IN ({','.join('?' * len(part))})"
            try:
                values.update(self._connection.execute(query, part))
            except sqlite3.Error as error:
                self._give_up(str(error))
        return values

    def put(self, entries: Mapping[str, str]) -> None:
        """Store these entries, all or none; an entry that exists stays as it is."""
        if self._connection is None or not entries:
            return
        try:
            with self._connection:
                insert = "INSERT OR IGNORE INTO entries VALUES (?, ?)"
                self._connection.executemany(insert, entries.items())
        except sqlite3.Error as error:
            self._give_up(str(error))

    def close(self) -> None:
        """Close the file."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def _give_up(self, problem: str) -> None:
        self.close()
        warnings.warn(
            f"the answer cache cannot be used ({problem}); going on without it"
            " (JOSTLE_CACHE names another folder)",
            stacklevel=3,
        )
