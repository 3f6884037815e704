"""Places of the shipped files and of the cache."""

from __future__ import annotations

import os
from importlib.resources import files
from pathlib import Path

import platformdirs

from harness.errors import DataError

BUNDLED = "bundled:"


def configs_root() -> Path:
    """Return the folder of shipped suites, rubrics, training configs and sample data."""
    return Path(str(files("configs")))


def resolve(path: str) -> Path:
    """Resolve a path as users write it: ``bundled:data/x.jsonl``, else as of the working folder.

    Raises:
        DataError: The bundled file does not exist.
    """
    if not path.startswith(BUNDLED):
        return Path(path).expanduser()
    bundled = configs_root() / path.removeprefix(BUNDLED)
    if not bundled.exists():
        raise DataError(f"{path}: no such bundled file (looked in {configs_root()})")
    return bundled


def cache_root() -> Path:
    """Return the cache folder: ``JOSTLE_CACHE``, else the platform's (``~/.cache/jostle``)."""
    override = os.environ.get("JOSTLE_CACHE")
    return Path(override).expanduser() if override else Path(platformdirs.user_cache_dir("jostle"))


def shipped(path: Path, folder: str) -> Path:
    """Find a YAML file: the one given, or the shipped one of that name (``counseling``).

    Raises:
        DataError: Neither exists; the message lists the shipped ones.
    """
    if path.exists() or path.suffix:
        return path
    root = configs_root() / folder
    named = root / f"{path}.yaml"
    if named.exists():
        return named
    names = ", ".join(
        sorted(str(p.relative_to(root).with_suffix("")) for p in root.rglob("*.yaml"))
    )
    raise DataError(f"{path}: no such file, and no shipped one of that name ({names or 'none'})")
