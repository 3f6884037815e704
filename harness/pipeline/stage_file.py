"""The records of one stage: JSONL that survives a crash, in shards, with stale records set aside.

Lines are appended whole, so that a crash tears at most the last one, which the next process makes
again. Records left over from other inputs are moved to ``stale/`` and are never mixed in. A file
that grows past ``SHARD_ROWS`` goes on in numbered shards.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

from pydantic import ValidationError

from harness.errors import StoreError
from harness.records import StageRecord
from harness.util.files import readable_os_errors, write_atomically

SHARD_ROWS = 100_000

R = TypeVar("R", bound=StageRecord)


class StageFile(Generic[R]):
    """The JSONL of one stage: reading, reconciling with what is wanted, and appending."""

    def __init__(self, root: Path, kind: type[R], shard_rows: int = SHARD_ROWS) -> None:
        self._root = root
        self._kind = kind
        self._shard_rows = shard_rows
        self._descriptor: int | None = None
        self._rows = 0
        self._shard = 0

    def shards(self) -> list[Path]:
        """List the files that exist, in order."""
        paths: list[Path] = []
        while (path := self._path(len(paths))).exists():
            paths.append(path)
        return paths

    def read(self) -> list[R]:
        """Read all records: the last of each key, in the order of first appearance, without a torn end.

        Raises:
            StoreError: A line in the middle is damaged.
        """
        return list({record.key: record for record in self._lines()}.values())

    def keep(self, wanted: Callable[[R], bool], *, set_aside: bool = True) -> list[R]:
        """Keep the wanted records; move the others to ``stale/`` (or drop them) and mend a torn end.

        Args:
            wanted: Whether a record is current and need not be made again.
            set_aside: Move what is not wanted to ``stale/`` instead of dropping it.
        """
        self.close()
        records = self.read()
        kept = [record for record in records if wanted(record)]
        shards = self.shards()
        lines = sum(_line_count(path) for path in shards)
        if shards and (len(kept) != lines or shards[-1].read_bytes()[-1:] not in (b"\n", b"")):
            if set_aside:
                kept_keys = {record.key for record in kept}
                self._set_aside(r for r in records if r.key not in kept_keys)
            self._rewrite(kept)
        return kept

    def append(self, *records: R) -> None:
        """Append whole lines; several records go in one write, so that a crash tears at most the last.

        Raises:
            StoreError: The disk is full or the folder cannot be written.
        """
        data = b"".join(record.model_dump_json().encode() + b"\n" for record in records)
        with readable_os_errors(self._path(0), "be appended to"):
            descriptor = self._open()
            written = 0
            while written < len(data):
                written += os.write(descriptor, data[written:])
        self._rows += len(records)
        if self._rows >= self._shard_rows:
            self.close()

    def close(self) -> None:
        """Flush to the disk and close; a further append opens again."""
        if self._descriptor is not None:
            with readable_os_errors(self._path(0), "be closed"):
                os.fsync(self._descriptor)
                os.close(self._descriptor)
            self._descriptor = None

    def _path(self, shard: int) -> Path:
        suffix = f"-{shard:05d}" if shard else ""
        return self._root / f"{self._kind.FILE}{suffix}.jsonl"

    def _open(self) -> int:
        if self._descriptor is None:
            shards = self.shards()
            self._shard = max(0, len(shards) - 1)
            self._rows = _line_count(shards[-1]) if shards else 0
            if self._rows >= self._shard_rows:
                self._shard, self._rows = self._shard + 1, 0
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
            self._descriptor = os.open(self._path(self._shard), flags, 0o644)
        return self._descriptor

    def _lines(self) -> Iterator[R]:
        shards = self.shards()
        for path in shards:
            with readable_os_errors(path, "be read"):
                lines = path.read_bytes().split(b"\n")
            tail = lines.pop()
            if tail and path != shards[-1]:
                raise StoreError(
                    f"{path}: its last line is damaged; delete the file to redo its part"
                )
            for number, line in enumerate(lines, 1):
                try:
                    yield self._kind.model_validate_json(line)
                except ValidationError as error:
                    if path == shards[-1] and number == len(lines) and not tail:
                        return  # a torn write that a later crash or editor closed with a newline
                    problem = error.errors(include_url=False)[0]["msg"]
                    raise StoreError(
                        f"{path}:{number}: not a valid {self._kind.__name__.lower()} record"
                        f" ({problem}); delete that line to have it made again"
                    ) from None

    def _set_aside(self, records: Iterable[R]) -> None:
        lines = [record.model_dump_json() + "\n" for record in records]
        if lines:
            folder = self._root / "stale"
            with readable_os_errors(folder, "be written"):
                folder.mkdir(exist_ok=True)
                with (folder / f"{self._kind.FILE}.jsonl").open("a", encoding="utf-8") as file:
                    file.writelines(lines)

    def _rewrite(self, records: list[R]) -> None:
        # New shard i holds rows of old shards i and later only, so replacing in ascending order
        # never loses a row if the process dies half-way; a row twice is read once.
        old = self.shards()
        starts = range(0, len(records), self._shard_rows)
        for shard, start in enumerate(starts):
            part = records[start : start + self._shard_rows]
            write_atomically(self._path(shard), "".join(r.model_dump_json() + "\n" for r in part))
        for path in reversed(old[len(starts) :]):
            with readable_os_errors(path, "be removed"):
                path.unlink()


def _line_count(path: Path) -> int:
    return path.read_bytes().count(b"\n")
