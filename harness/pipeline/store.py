"""The run folder: its lock, its manifest, its summary and the files of its stages."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TypeVar

from filelock import FileLock, Timeout
from pydantic import ValidationError

from harness.analysis import RunRecords, Summary
from harness.analysis.looks import LookBook
from harness.errors import StoreError
from harness.pipeline.stage_file import StageFile
from harness.records import (
    SCHEMA_VERSION,
    Generation,
    Manifest,
    Sample,
    Score,
    StageRecord,
    Variant,
)
from harness.util.files import make_folder, readable_os_errors, write_atomically

R = TypeVar("R", bound=StageRecord)

LOOKS_FILE = "looks.json"


class Run:
    """One run directory. Writing needs the lock: use it as a context manager."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._manifest_path = root / "manifest.json"
        self._lock = FileLock(root / ".lock", timeout=0)

    @classmethod
    def open(cls, root: Path) -> Run:
        """Open an existing run for reading.

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
        """Open a run folder, new or to be resumed.

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

    def __exit__(self, *_: object) -> None:
        self._lock.release()

    @property
    def figures(self) -> Path:
        """Return the folder of the charts."""
        return self.root / "figures"

    @property
    def report_path(self) -> Path:
        """Return the path of the HTML page."""
        return self.root / "report.html"

    def exists(self) -> bool:
        """Tell whether a run was begun here."""
        return self._manifest_path.exists()

    def manifest(self) -> Manifest:
        """Read the manifest.

        Raises:
            StoreError: It is damaged, or of another schema version.
        """
        path = self._manifest_path
        try:
            raw = json.loads(self._read(path))
        except json.JSONDecodeError as error:
            raise StoreError(
                f"{path}:{error.lineno}: damaged ({error.msg}); delete it and run again"
            ) from None
        if not isinstance(raw, dict):
            raise StoreError(f"{path}: damaged (not a JSON object); delete it and run again")
        version = raw.get("schema_version")
        if version != SCHEMA_VERSION:
            raise StoreError(
                f"{path}: schema version {version!r}, this Jostle reads"
                f" {SCHEMA_VERSION}; use the version that made the run, or make it again"
            )
        try:
            return Manifest.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise StoreError(f"{path}: {field}: {first['msg']}") from None

    def write_manifest(self, manifest: Manifest) -> None:
        """Replace the manifest atomically."""
        write_atomically(self._manifest_path, manifest.model_dump_json(indent=2) + "\n")

    def file(self, kind: type[R]) -> StageFile[R]:
        """Return the stage file that holds records of this kind."""
        return StageFile(self.root, kind)

    def read(self, kind: type[R]) -> list[R]:
        """Return all records of a kind, each key once."""
        return self.file(kind).read()

    def records(self, subjects: Sequence[str], baseline: str) -> RunRecords:
        """Return what is analysed, read into memory."""
        return RunRecords(
            samples=self.read(Sample),
            variants=self.read(Variant),
            generations=self.read(Generation),
            scores=self.read(Score),
            subjects=subjects,
            baseline=baseline,
        )

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

    def looks(self) -> LookBook:
        """Return all looks at this run so far.

        Raises:
            StoreError: The file is damaged, or of another version.
        """
        path = self.root / LOOKS_FILE
        if not path.exists():
            return LookBook()
        try:
            return LookBook.model_validate_json(self._read(path))
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"])) or "the file"
            raise StoreError(
                f"{path}: damaged ({place}: {first['msg']}); looks that are not known cannot be"
                " allowed for: make the run again in another folder"
            ) from None

    def write_looks(self, book: LookBook) -> None:
        """Replace ``looks.json`` atomically."""
        write_atomically(self.root / LOOKS_FILE, book.model_dump_json(indent=1) + "\n")

    def _read(self, path: Path) -> str:
        if not path.exists():
            raise StoreError(f"{path}: missing; run jostle run with this run's suite to make it")
        with readable_os_errors(path, "be read"):
            return path.read_text(encoding="utf-8")
