"""Where the shipped files and the caches lie."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import platformdirs

from harness.errors import DataError

BUNDLED = "bundled:"


def configs_root() -> Path:
    """The folder of shipped suites, rubrics, training configs and sample data."""
    return Path(str(files("configs")))


def resolve(path: str) -> Path:
    """A path as users write it: ``bundled:data/code/train.jsonl``, else relative to the working folder.

    Raises:
        DataError: A bundled file that does not exist.
    """
    if not path.startswith(BUNDLED):
        return Path(path).expanduser()
    found = configs_root() / path.removeprefix(BUNDLED)
    if not found.exists():
        raise DataError(f"{path}: no such bundled file (looked in {configs_root()})")
    return found


def cache_root() -> Path:
    """The cache folder: ``JOSTLE_CACHE``, else the platform's (e.g. ``~/.cache/jostle``)."""
    override = os.environ.get("JOSTLE_CACHE")
    return Path(override).expanduser() if override else Path(platformdirs.user_cache_dir("jostle"))


def shipped(path: Path, folder: str) -> Path:
    """A YAML file as given, or the shipped one of that name (``counseling``).

    Raises:
        DataError: Neither exists; says which shipped ones there are.
    """
    if path.exists() or path.suffix:
        return path
    root = configs_root() / folder
    found = root / f"{path}.yaml"
    if found.exists():
        return found
    names = ", ".join(
        sorted(str(p.relative_to(root).with_suffix("")) for p in root.rglob("*.yaml"))
    )
    raise DataError(f"{path}: no such file, and no shipped one of that name ({names or 'none'})")
