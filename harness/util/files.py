"""Files written whole: a crash leaves the old one or the new one, never half of one.

What the file system refuses becomes a StoreError of one line.
"""

from __future__ import annotations

import errno
import json
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness.errors import StoreError

_ADVICE = {
    errno.ENOSPC: "no space left on the disk; free some and run the same command again",
    errno.EDQUOT: "the disk quota is used up; free some and run the same command again",
    errno.EROFS: "the file system is read-only; choose another output folder",
    errno.EACCES: "no permission; choose another output folder",
    errno.EPERM: "no permission; choose another output folder",
}


def write_atomically(path: Path, text: str) -> None:
    """Replace a file's content, as UTF-8."""
    with replacing(path) as draft:
        draft.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; numbers that JSON has not (NaN, infinity) become null."""
    text = json.dumps(_finite(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, text + "\n")


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a draft beside ``path``, which takes its place when the block ends without an error."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with readable_os_errors(path, "be written"):
        try:
            yield draft
            with draft.open("rb") as file:
                os.fsync(file.fileno())
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """Make a folder and those above it, unless they exist."""
    with readable_os_errors(path, "be made"):
        path.mkdir(parents=True, exist_ok=True)


@contextmanager
def readable_os_errors(path: Path, action: str) -> Iterator[None]:
    """Turn an ``OSError`` within the block into :func:`file_error`."""
    try:
        yield
    except OSError as error:
        raise file_error(path, action, error) from error


def file_error(path: Path, action: str, error: OSError) -> StoreError:
    """Build the line that says what cannot be done with a path ("be written"), and what to do."""
    advice = _ADVICE.get(error.errno or 0, error.strerror or str(error))
    return StoreError(f"{path}: cannot {action}: {advice}")


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return value
