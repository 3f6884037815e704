"""Kinds of perturbation, ready for use: name, severity, plug-in and what decides its proposals."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Any

from harness.protocols import Perturbation
from harness.records import Severity
from harness.registry import perturbations
from harness.text.parse import SPACY_MODEL
from harness.util.digest import digest, file_digest
from perturbations.common import package_digest


@dataclass(frozen=True)
class Kind:
    """A perturbation ready for use.

    Attributes:
        name: As records carry it.
        severity: As records carry it.
        plugin: What proposes candidates.
        fingerprint: Digest of name, options and the plug-in's code and data.
    """

    name: str
    severity: Severity
    plugin: Perturbation
    fingerprint: str


def make_kind(
    name: str, options: Mapping[str, Any] | None = None, *, severity: Severity = "medium"
) -> Kind:
    """Build a kind from a registered name and the user's options.

    A plug-in's ``label`` replaces the name in records (``nlpaug`` becomes ``nlpaug.KeyboardAug``).
    The severity is passed on to plug-ins that take one.

    Args:
        name: Registered name.
        options: The user's options; a ``severity`` among them goes before the argument.
        severity: How strong.

    Raises:
        PluginError: Unknown name or options.
    """
    options = dict(options or {})
    severity = options.pop("severity", severity)
    plugin = perturbations.create(name, options, severity=severity)
    label = getattr(plugin, "label", name)
    version = getattr(plugin, "version", "")
    fingerprint = digest([label, options, severity, version, _source_digest(plugin)])
    return Kind(label, severity, plugin, fingerprint)


def _source_digest(plugin: object) -> str:
    """Digest of the code that decides what a plug-in proposes: its file, and for ours all of it."""
    target = plugin if inspect.isroutine(plugin) else type(plugin)
    module = inspect.getmodule(target)
    if module is not None and module.__name__.partition(".")[0] == "perturbations":
        return _own_digest()
    try:
        return file_digest(Path(inspect.getfile(target)))
    except (TypeError, OSError):
        return digest([module.__name__ if module else "", repr(target)])


@lru_cache(maxsize=1)
def _own_digest() -> str:
    """Digest of our kinds, lexicons and text handling, and of the packages they rest on."""
    import harness.text.code_spans
    import harness.text.edits
    import harness.text.parse

    modules = (harness.text.parse, harness.text.edits, harness.text.code_spans)
    versions = []
    for distribution in (SPACY_MODEL.replace("_", "-"), "lemminflect", "breame"):
        try:
            versions.append(installed_version(distribution))
        except PackageNotFoundError:
            versions.append("absent")
    return digest(
        [package_digest(), *(file_digest(Path(m.__file__ or "")) for m in modules), *versions]
    )
