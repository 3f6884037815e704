"""Content digests and the random streams derived from them."""

from __future__ import annotations

import hashlib
import json
import random
from pathlib import Path
from typing import Any


def canonical_json(value: Any) -> str:
    """Serialise ``value`` to one canonical JSON text (sorted keys, no spaces, no NaN).

    Raises:
        TypeError: ``value`` holds something JSON cannot carry.
        ValueError: ``value`` holds NaN or an infinity.
    """
    return json.dumps(
        value, sort_keys=True, ensure_ascii=True, separators=(",", ":"), allow_nan=False
    )


def digest(value: Any) -> str:
    """Return the SHA-256 of ``value`` as canonical JSON, 64 hexadecimal digits."""
    return hashlib.sha256(canonical_json(value).encode("ascii")).hexdigest()


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file, 64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def derived_rng(seed: int, *parts: str | int) -> random.Random:
    """Return a random stream for ``(seed, *parts)``, the same in every process.

    String seeding of ``random.Random`` goes through SHA-512, so neighbouring keys give
    independent streams and ``PYTHONHASHSEED`` plays no part.
    """
    return random.Random(canonical_json([seed, *parts]))


def derived_seed(seed: int, *parts: str | int) -> int:
    """Return a 63-bit seed for ``(seed, *parts)``, for libraries that take an integer."""
    return int(digest([seed, *parts])[:16], 16) >> 1
