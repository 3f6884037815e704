"""Reads raw rows of a data file or a hub data set, each with its place."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import DataError, MissingPackage

HUB = "hub:"


class SourceRow(NamedTuple):
    """A raw row, and its place (``file:line`` or ``file: row n``)."""

    where: str
    fields: dict[str, Any]


def read_rows(path: str | Path, *, split: str, revision: str | None) -> Iterator[SourceRow]:
    """Yield the rows of a JSONL, JSON, CSV, TSV or Parquet file, or of ``hub:owner/name``.

    Raises:
        DataError: The file is missing, empty or of an unknown kind, or a row cannot be read; one
            line with file and line.
    """
    if isinstance(path, str) and path.startswith(HUB):
        yield from _hub_rows(path.removeprefix(HUB), split, revision)
        return
    path = Path(path)
    readers = {
        ".jsonl": _jsonl_rows,
        ".ndjson": _jsonl_rows,
        ".json": _json_rows,
        ".csv": _csv_rows,
        ".tsv": _csv_rows,
        ".parquet": _parquet_rows,
    }
    if path.suffix.lower() not in readers:
        raise DataError(
            f"{path}: unknown kind of data {path.suffix or '(no suffix)'!r};"
            f" expected one of {', '.join(readers)}, or {HUB}owner/name"
        )
    if path.is_dir():
        raise DataError(f"{path}: is a folder; name a data file in it")
    try:
        if path.stat().st_size == 0:
            raise DataError(f"{path}: the file is empty")
        empty = True
        for row in readers[path.suffix.lower()](path):
            empty = False
            yield row
    except FileNotFoundError:
        raise DataError(f"{path}: no such file") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from None
    if empty:
        raise DataError(f"{path}: holds no rows")


def _decoded_lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, 1):
            try:
                line = raw.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{path}:{number}: invalid UTF-8 at byte {error.start + 1} of the line;"
                    " save the file as UTF-8"
                ) from None
            if "\x00" in line:
                raise DataError(f"{path}:{number}: holds a NUL byte; remove it")
            yield number, line


def _jsonl_rows(path: Path) -> Iterator[SourceRow]:
    for number, line in _decoded_lines(path):
        if not line.strip():
            continue
        where = f"{path}:{number}"
        yield SourceRow(where, _as_row(_loads(line.rstrip(), where), where))


def _json_rows(path: Path) -> Iterator[SourceRow]:
    text = "".join(line for _, line in _decoded_lines(path))
    content = _loads(text, str(path))
    if not isinstance(content, list):
        raise DataError(
            f"{path}: expected a JSON list of objects; for one object a line use .jsonl"
        )
    for number, item in enumerate(content, 1):
        where = f"{path}: row {number}"
        yield SourceRow(where, _as_row(item, where))


def _loads(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        line = f"{where}, line {error.lineno}" if error.lineno > 1 else where
        raise DataError(f"{line}: broken JSON at column {error.colno}: {error.msg}") from None
    except RecursionError:
        raise DataError(f"{where}: JSON is nested too deep") from None


def _as_row(item: Any, where: str) -> dict[str, Any]:
    if not isinstance(item, dict):
        raise DataError(
            f"{where}: expected a JSON object with fields such as prompt and response,"
            f" found {type(item).__name__}"
        )
    return item


def _csv_rows(path: Path) -> Iterator[SourceRow]:
    csv.field_size_limit(sys.maxsize)
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    reader = csv.reader(
        (line for _, line in _decoded_lines(path)), delimiter=delimiter, strict=True
    )
    try:
        header = next(reader, [])
        if len(set(header)) != len(header):
            raise DataError(f"{path}:1: duplicate column name: {', '.join(header)}")
        start = reader.line_num + 1
        for cells in reader:
            if cells:
                if len(cells) != len(header):
                    raise DataError(
                        f"{path}:{start}: {len(cells)} cells where the header has {len(header)};"
                        " quote cells that hold the delimiter or line breaks"
                    )
                yield SourceRow(f"{path}:{start}", dict(zip(header, cells, strict=True)))
            start = reader.line_num + 1
    except csv.Error as error:
        raise DataError(f"{path}:{reader.line_num}: broken CSV: {error}") from None


def _parquet_rows(path: Path) -> Iterator[SourceRow]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        rows = (row for batch in pq.ParquetFile(path).iter_batches() for row in batch.to_pylist())
        for number, fields in enumerate(rows, 1):
            yield SourceRow(f"{path}: row {number}", fields)
    except (pa.ArrowException, ValueError) as error:
        raise DataError(
            f"{path}: not a readable Parquet file: {str(error).splitlines()[0]}"
        ) from None


def _hub_rows(name: str, split: str, revision: str | None) -> Iterator[SourceRow]:
    try:
        import datasets
    except ImportError:
        raise MissingPackage("hub data needs the package datasets: pip install datasets") from None
    try:
        loaded = datasets.load_dataset(name, split=split, revision=revision)
    except Exception as error:
        first = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"{HUB}{name}: cannot be loaded (split {split!r}): {first};"
            " check the name, the split and the network, or download it and give the file's path"
        ) from None
    for number, fields in enumerate(loaded, 1):
        yield SourceRow(f"{HUB}{name}[{split}]: row {number}", dict(fields))
