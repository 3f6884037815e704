"""The folder of a split: its parts, and ``split.json``, which says how they were made.

A part left over from an earlier split holds rows that now stand in another part. So a folder holds
the parts of one split alone: those that its ``split.json`` vouches for are replaced, and others stop
the command.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.data.loading import jsonl
from harness.data.rows import HUB
from harness.data.split import Partition
from harness.errors import StoreError
from harness.util.digest import file_digest
from harness.util.files import make_folder, readable_os_errors, write_atomically
from harness.util.resources import resolve

PARTS = ("train", "validation", "test")
NOTE = "split.json"


def earlier_parts(folder: Path) -> list[Path]:
    """Return the parts of an earlier split in a folder.

    Raises:
        StoreError: A file has the name of a part, or of ``split.json``, and no split wrote it as it is.
    """
    note = folder / NOTE
    digests: dict[str, str] = {}
    if note.exists():
        try:
            written = json.loads(note.read_text(encoding="utf-8"))["parts"]
            digests = {f"{part}.jsonl": about["sha256"] for part, about in written.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise StoreError(
                f"{note}: was not written by jostle split; choose another folder"
            ) from error
    present = [path for part in PARTS if (path := folder / f"{part}.jsonl").exists()]
    for path in present:
        if not path.is_file() or file_digest(path) != digests.get(path.name):
            raise StoreError(
                f"{path}: already exists and is not a part that jostle split wrote and left"
                " as it was; remove it or choose another folder"
            )
    return present


def write(
    split: Partition, folder: Path, *, source: str, shares: Mapping[str, float], by: str, seed: int
) -> list[str]:
    """Write the parts and ``split.json`` in place of those of an earlier split.

    Returns:
        Names of earlier parts that this split has no successor for.

    Raises:
        StoreError: See :func:`earlier_parts`, or the folder cannot be written.
    """
    make_folder(folder)
    with readable_os_errors(folder, "be emptied"):
        earlier = earlier_parts(folder)
        # All go first: a crash half-way must leave no part beside one that it leaks into.
        for path in [*earlier, folder / NOTE]:
            path.unlink(missing_ok=True)
    about: dict[str, Any] = {
        "source": source,
        "source_sha256": None if source.startswith(HUB) else file_digest(resolve(source)),
        "seed": seed,
        "shares": dict(shares),
        "by": by,
        "largest_cluster": split.largest,
        "undecided_pairs": split.undecided,
        "crowded_buckets": split.crowded,
        "parts": {},
    }
    for part, rows in split.parts.items():
        text = jsonl(rows)
        write_atomically(folder / f"{part}.jsonl", text)
        about["parts"][part] = {
            "rows": len(rows),
            "clusters": split.clusters[part],
            "sha256": hashlib.sha256(text.encode("utf-8")).hexdigest(),
        }
    write_atomically(folder / NOTE, json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    return [path.name for path in earlier if path.stem not in split.parts]
