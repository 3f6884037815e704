"""Builds what a suite names before anything is written: kinds, gate, judges, the closeness measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from harness.config import JudgeSpec, PerturbationSpec, Suite
from harness.errors import PluginError
from harness.protocols import Judge
from harness.registry import judges, load_plugin_file
from harness.variants.gate import Gate
from harness.variants.kinds import Kind, make_kind


@dataclass(frozen=True)
class NamedJudge:
    """A judge as the suite names it.

    Attributes:
        label: Marks its scores.
        name: Its registered name.
        source: Where the plug-in is not ours, ``Registry.foreign_digest``: an edited judge judges again.
    """

    label: str
    judge: Judge
    repeats: int = 1
    source: str = ""
    name: str = ""


@dataclass(frozen=True)
class Parts:
    """The plug-ins of a suite, built.

    Attributes:
        kinds: Perturbations, one entry a severity.
        closeness: Measures how close one text is to another, for the probes: a judge with one
            dimension that needs a reference.
    """

    kinds: list[Kind]
    gate: Gate
    judges: list[NamedJudge]
    closeness: Judge


def assemble(suite: Suite, *, closeness: str) -> Parts:
    """Load the plug-in files and build everything that the suite names.

    ``closeness`` is the registered name of the judge that measures closeness for the probes.

    Raises:
        PluginError: Unknown name or option, or a plug-in file that fails on import.
    """
    for path in suite.plugins:
        load_plugin_file(Path(path))
    return Parts(
        kinds=build_kinds(suite.perturbations),
        gate=Gate(similarity=suite.suite.similarity_gate),
        judges=build_judges(suite.judges),
        closeness=judges.create(closeness),
    )


def build_kinds(specs: Sequence[PerturbationSpec]) -> list[Kind]:
    """Build one kind for each perturbation and severity.

    Raises:
        PluginError: Unknown name or option, or two kinds whose records nothing would tell apart.
    """
    kinds = [
        # A plain function takes no options: it gets the severity only where the user names one.
        make_kind(
            spec.name,
            spec.plain_options | ({"severity": severity} if "severity" in spec.options else {}),
        )
        for spec in specs
        for severity in spec.severities
    ]
    counts = Counter((kind.name, kind.severity) for kind in kinds)
    for (name, severity), count in counts.items():
        if count > 1:
            raise PluginError(
                f"perturbation {name!r} is named {count} times at severity {severity}"
            )
    return kinds


def build_judges(specs: Sequence[JudgeSpec]) -> list[NamedJudge]:
    """Build the judges of a suite.

    Raises:
        PluginError: Unknown name or option.
    """
    return [
        NamedJudge(
            label=spec.label,
            judge=judges.create(spec.name, spec.plain_options),
            repeats=spec.repeats,
            source=judges.foreign_digest(spec.name, spec.plain_options),
            name=spec.name,
        )
        for spec in specs
    ]
