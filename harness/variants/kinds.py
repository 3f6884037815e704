"""Kinds of perturbation, ready for use: name, severity, plug-in, its traits and its fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version
from typing import Any, Protocol, runtime_checkable

from harness.errors import PluginError
from harness.protocols import (
    DeclaresLabel,
    DeclaresLimits,
    DeclaresVersion,
    DescribedPerturbation,
    Limits,
    Perturbation,
    PerturbationTraits,
)
from harness.records import SEVERITIES, Severity
from harness.registry import perturbations
from harness.text.parse import SPACY_MODEL
from harness.util.digest import digest

_PARSER = SPACY_MODEL.replace("_", "-")
"""Distribution of the parser, on which the proposals of any kind may depend."""


@dataclass(frozen=True)
class Kind:
    """A perturbation ready for use.

    Attributes:
        name: As records carry it.
        severity: As records carry it.
        plugin: What proposes candidates.
        fingerprint: Digest of all that decides its proposals.
    """

    name: str
    severity: Severity
    plugin: Perturbation
    fingerprint: str

    @cached_property
    def traits(self) -> PerturbationTraits:
        """Return what the plug-in declares, with defaults for the rest."""
        return perturbation_traits_of(self.plugin)


@runtime_checkable
class AppliesInTurn(Protocol):
    """A perturbation made of several kinds, each of which works on what those before have made.

    The harness puts every step through the gate by itself, then the whole.
    """

    steps: Sequence[Kind]


def perturbation_traits_of(plugin: object) -> PerturbationTraits:
    """Return the traits of a perturbation or of its class.

    One without ``traits`` may declare ``limits``, ``label`` or ``version`` alone.
    """
    if isinstance(plugin, DescribedPerturbation):
        return plugin.traits
    traits = PerturbationTraits()
    if isinstance(plugin, DeclaresLimits):
        traits = replace(traits, limits=plugin.limits or Limits())
    if isinstance(plugin, DeclaresLabel):
        traits = replace(traits, label=plugin.label)
    if isinstance(plugin, DeclaresVersion):
        traits = replace(traits, version=plugin.version)
    return traits


def descriptions(names: Iterable[str]) -> dict[str, str]:
    """Return what the kinds of these registered names do, one line each, for a reader.

    Names that are not registered here, and kinds without a description, are left out.
    """
    lines = {}
    for name in dict.fromkeys(names):
        try:
            line = perturbation_traits_of(perturbations.get(name)).description
        except PluginError:  # of a plug-in that is not installed where the report is made
            continue
        if line:
            lines[name] = line
    return lines


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
        PluginError: Unknown name or options, or a severity that the kind does not tell apart.
    """
    options = dict(options or {})
    asked = options.pop("severity", None)
    try:
        plugin = perturbations.create(name, options, severity=asked or severity)
    except PluginError as error:
        example = "" if options else _example_of(name)
        raise PluginError(f"{error}{example}") from error
    traits = perturbation_traits_of(plugin)
    label = traits.label or name
    severity = _effective_severity(label, traits.severities, asked, severity)
    source = perturbations.foreign_digest(name)
    packages = [_installed(package) for package in (_PARSER, *traits.packages)]
    fingerprint = digest([label, options, severity, traits.version, source, packages])
    return Kind(label, severity, plugin, fingerprint)


def _example_of(name: str) -> str:
    """Say how a kind is given the options that it needs; empty where it needs none."""
    try:
        example = perturbation_traits_of(perturbations.get(name)).example
    except PluginError:
        return ""
    return example and (
        f"; in a suite: - {name}: {example}; on the command line: -k '{name}={example}'"
    )


def _effective_severity(
    label: str, known: Sequence[Severity], asked: Severity | None, default: Severity
) -> Severity:
    """Return the severity that records carry.

    Raises:
        PluginError: The user asks for one that this kind does not tell apart.
    """
    if asked is None:
        weaker = [s for s in known if SEVERITIES.index(s) <= SEVERITIES.index(default)]
        return weaker[-1] if weaker else known[0]
    if asked not in known:
        raise PluginError(
            f"perturbation {label!r} has {'one severity' if len(known) == 1 else 'the severities'}"
            f" {', '.join(known)}: {asked!r} is none of them; leave severity out"
        )
    return asked


def _installed(distribution: str) -> str:
    try:
        return installed_version(distribution)
    except PackageNotFoundError:
        return "absent"
