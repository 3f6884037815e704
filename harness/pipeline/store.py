"""The run directory: the one place that knows its files.

JSONL is appended a whole line at a time by one writer, holding the run's lock. A torn last line
after a crash is seen and redone; records left over from other inputs are moved to ``stale/`` and
are never mixed in. A stage that grows past ``SHARD_ROWS`` goes on in numbered shards.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Hashable, Iterable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

from filelock import FileLock, Timeout
from pydantic import ValidationError

from harness.analysis.summary_schema import Summary
from harness.errors import StoreError
from harness.records import (
    SCHEMA_VERSION,
    Generation,
    Manifest,
    Probe,
    Record,
    Sample,
    Score,
    Variant,
)
from harness.util.files import make_folder, readable_os_errors, write_atomically

SHARD_ROWS = 100_000

R = TypeVar("R", bound=Record)


def _sample_key(record: Record) -> Hashable:
    assert isinstance(record, Sample)
    return record.id


def _variant_key(record: Record) -> Hashable:
    assert isinstance(record, Variant)
    return record.variant_key


def generation_key(record: Generation) -> tuple[Hashable, ...]:
    """Names one answer within a run."""
    return (record.subject, record.variant_key, record.repeat)


def score_key(record: Score) -> tuple[Hashable, ...]:
    """Names one judgement within a run."""
    return (
        record.judge,
        record.dimension,
        record.subject,
        record.variant_key,
        record.repeat,
        record.judge_repeat,
        record.comparison,
    )


def _probe_key(record: Record) -> Hashable:
    assert isinstance(record, Probe)
    return record.key


_FILES: dict[type[Record], tuple[str, Callable[[Any], Hashable]]] = {
    Sample: ("samples", _sample_key),
    Variant: ("variants", _variant_key),
    Generation: ("generations", generation_key),
    Score: ("scores", score_key),
    Probe: ("probes", _probe_key),
}


class StageFile(Generic[R]):
    """The JSONL of one stage: reading, reconciling with what is wanted, and appending."""

    def __init__(self, root: Path, kind: type[R], shard_rows: int = SHARD_ROWS) -> None:
        self._root = root
        self._kind = kind
        self._stem, self.key = _FILES[kind]
        self._shard_rows = shard_rows
        self._descriptor: int | None = None
        self._rows = 0
        self._shard = 0

    def shards(self) -> list[Path]:
        """The files that exist, in order."""
        found: list[Path] = []
        while (path := self._path(len(found))).exists():
            found.append(path)
        return found

    def read(self) -> list[R]:
        """All records, the last of each key, in the order of first appearance. A torn end is passed over.

        Raises:
            StoreError: A line in the middle is damaged.
        """
        records: dict[Hashable, R] = {}
        for record in self._lines():
            records[self.key(record)] = record
        return list(records.values())

    def keep(self, wanted: Callable[[R], bool], *, set_aside: bool = True) -> list[R]:
        """Keep the wanted records; move the others to ``stale/`` (or drop them) and mend a torn end.

        Args:
            wanted: Whether a record is current and need not be made again.
            set_aside: Move what is not wanted to ``stale/`` instead of dropping it.

        Returns:
            The records kept, which stay in the file.
        """
        self.close()
        records = self.read()
        kept = [record for record in records if wanted(record)]
        shards = self.shards()
        clean = not shards or (len(kept) == self._count_lines() and not self._torn(shards[-1]))
        if not clean:
            if set_aside:
                kept_keys = {self.key(record) for record in kept}
                self._set_aside(r for r in records if self.key(r) not in kept_keys)
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
        return self._root / f"{self._stem}{suffix}.jsonl"

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

    def _count_lines(self) -> int:
        return sum(_line_count(path) for path in self.shards())

    def _torn(self, path: Path) -> bool:
        data = path.read_bytes()
        return bool(data) and not data.endswith(b"\n")

    def _set_aside(self, records: Iterable[R]) -> None:
        lines = [record.model_dump_json() + "\n" for record in records]
        if lines:
            folder = self._root / "stale"
            with readable_os_errors(folder, "be written"):
                folder.mkdir(exist_ok=True)
                with (folder / f"{self._stem}.jsonl").open("a", encoding="utf-8") as file:
                    file.writelines(lines)

    def _rewrite(self, records: list[R]) -> None:
        # New shard i holds rows of old shards i and later only, so replacing in ascending order
        # never loses a row if the process dies half-way; a row twice is read once.
        old = self.shards()
        parts = [
            records[start : start + self._shard_rows]
            for start in range(0, len(records), self._shard_rows)
        ]
        for shard, part in enumerate(parts):
            write_atomically(self._path(shard), "".join(r.model_dump_json() + "\n" for r in part))
        for path in reversed(old[len(parts) :]):
            with readable_os_errors(path, "be removed"):
                path.unlink()


class Run:
    """One run directory. Writing needs the lock: use it as a context manager."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._lock = FileLock(root / ".lock", timeout=0)

    @classmethod
    def open(cls, root: Path) -> Run:
        """An existing run, for reading.

        Raises:
            StoreError: There is no run in this folder, or a newer Jostle wrote it.
        """
        run = cls(root)
        if not run._manifest_path.exists():
            raise StoreError(
                f"{root}: no run there (manifest.json is missing); make one with jostle run"
            )
        run.manifest()
        return run

    @classmethod
    def create(cls, root: Path) -> Run:
        """A run folder, new or to be resumed.

        Raises:
            StoreError: The folder cannot be made.
        """
        make_folder(root)
        return cls(root)

    def __enter__(self) -> Self:
        with readable_os_errors(self.root, "be locked"):
            try:
                self._lock.acquire()
            except Timeout:
                raise StoreError(
                    f"{self.root}: another process is working on this run; wait for it, or choose"
                    " another folder with --out"
                ) from None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._lock.release()

    @property
    def _manifest_path(self) -> Path:
        return self.root / "manifest.json"

    @property
    def figures(self) -> Path:
        """The folder of the charts."""
        return self.root / "figures"

    @property
    def report_path(self) -> Path:
        """The HTML page."""
        return self.root / "report.html"

    def exists(self) -> bool:
        """Whether a run was begun here."""
        return self._manifest_path.exists()

    def manifest(self) -> Manifest:
        """The manifest.

        Raises:
            StoreError: It is damaged, or of another schema version.
        """
        raw = self._read_json(self._manifest_path)
        version = raw.get("schema_version")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{self._manifest_path}: schema version {version!r}, this Jostle reads"
                f" {SCHEMA_VERSION}; use the version that made the run, or make it anew"
            )
        try:
            return Manifest.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise StoreError(f"{self._manifest_path}: {field}: {first['msg']}") from None

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest atomically."""
        write_atomically(self._manifest_path, manifest.model_dump_json(indent=2) + "\n")

    def file(self, kind: type[R]) -> StageFile[R]:
        """The stage file that holds records of this kind."""
        return StageFile(self.root, kind)

    def read(self, kind: type[R]) -> Iterator[R]:
        """All records of a kind, each key once."""
        yield from self.file(kind).read()

    def summary(self) -> Summary:
        """Return every figure of the report.

        Raises:
            StoreError: The run has not been analysed yet, or by another version of Jostle.
        """
        path = self.root / "summary.json"
        return Summary.load(self._read(path), source=str(path))

    def write_summary(self, summary: Summary) -> None:
        """Replace ``summary.json`` atomically."""
        write_atomically(self.root / "summary.json", summary.dump())

    def _read(self, path: Path) -> str:
        if not path.exists():
            raise StoreError(f"{path}: missing; run jostle run with this run's suite to make it")
        with readable_os_errors(path, "be read"):
            return path.read_text(encoding="utf-8")

    def _read_json(self, path: Path) -> dict[str, Any]:
        try:
            raw = json.loads(self._read(path))
        except json.JSONDecodeError as error:
            raise StoreError(
                f"{path}:{error.lineno}: damaged ({error.msg}); delete it and run again"
            ) from None
        if not isinstance(raw, dict):
            raise StoreError(f"{path}: damaged (not a JSON object); delete it and run again")
        return raw


def _line_count(path: Path) -> int:
    return path.read_bytes().count(b"\n")
