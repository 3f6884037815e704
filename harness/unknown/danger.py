"""Is somebody in danger? By a word list that would rather see danger where there is none."""

from __future__ import annotations

import re
from functools import cache
from importlib.resources import files
from pathlib import Path

from harness.data import normalise_prompt
from harness.errors import DataError
from harness.resources import resolve


@cache
def _pattern(path: str | None) -> re.Pattern[str]:
    source = Path(str(files("harness.unknown") / "danger.txt")) if path is None else resolve(path)
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"danger list {source} cannot be read: {error}") from error
    signs = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            words = re.escape(normalise_prompt(line.rstrip("* \t")))
            signs.append(words + (r"\w*" if line.rstrip().endswith("*") else ""))
    if not signs:
        raise DataError(f"danger list {source} holds no sign; write one a line")
    return re.compile(rf"\b(?:{'|'.join(signs)})\b")


def danger_sign(text: str, path: str | None = None) -> str | None:
    """The first sign of danger in a text, or None.

    Args:
        text: What somebody wrote.
        path: A list of signs, one a line; the shipped one by default.

    Raises:
        DataError: The list cannot be read or is empty.
    """
    found = _pattern(path).search(normalise_prompt(text))
    return found[0] if found else None
