"""Writing whole files: a crash leaves the old one or the new one, never half of one."""

from __future__ import annotations

import errno
import json
import math
import os
from pathlib import Path
from typing import Any

from harness.errors import StoreError


def write_text(path: Path, text: str) -> None:
    """Write ``text`` to ``path`` by atomic rename.

    Raises:
        StoreError: No space left, or the folder cannot be written.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise cannot_write(path, error) from error


def write_json(path: Path, value: Any) -> None:
    """Write ``value`` as indented JSON; numbers that JSON has not (NaN, infinity) become null.

    Raises:
        StoreError: No space left, or the folder cannot be written.
    """
    write_text(
        path, json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    )


def cannot_write(path: Path, error: OSError) -> StoreError:
    """The one line for a full disk or a folder that may not be written."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return StoreError(
            f"{path}: no space left on the disk; free some or choose another output_dir, then start"
            " the same command again: it goes on from the last whole checkpoint"
        )
    return StoreError(f"{path}: cannot be written: {error.strerror or error}")


def _plain(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    return value
