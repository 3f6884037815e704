"""Builds what a suite names before anything is written: kinds, gate, judges, the closeness measure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.analysis.estimates import Measure
from harness.analysis.margins import resolve_margins
from harness.config import JudgeSpec, PerturbationSpec, SearchSpec, Suite
from harness.errors import PluginError
from harness.judging.traits import JudgeInfo, declared_traits
from harness.protocols import Judge, ProposesMany
from harness.records import SEVERITIES, Dimension, role_of_name
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
class KindSearch:
    """A search for the worst rewording of a kind, with what scores it.

    Attributes:
        lighter: The same kind at lighter severities, whose proposals show which edits can stand alone.
        before: Score of an original where the dimension needs the original's answer, which it equals:
            the better end of the scale. None where originals are scored as other answers are.
    """

    kind: Kind
    spec: SearchSpec
    judge: NamedJudge
    dimension: Dimension
    lighter: Sequence[Kind] = ()

    @property
    def sign(self) -> float:
        """Return 1 where lower is worse, else -1."""
        return -1.0 if self.dimension.higher_is_better is False else 1.0

    @property
    def before(self) -> float | None:
        """Return the score of every original, where it is known without judging."""
        if "original_answer" not in self.dimension.needs:
            return None
        return self.dimension.high if self.sign > 0 else self.dimension.low


@dataclass(frozen=True)
class Parts:
    """The plug-ins of a suite, built.

    Attributes:
        kinds: Perturbations, one entry a severity.
        closeness: Measures how close one text is to another, for the probes: a judge with one
            dimension that needs a reference.
        searches: Searches for worst cases, one entry a kind and severity.
        margins: How small a difference counts as none, by measure.
    """

    kinds: list[Kind]
    gate: Gate
    judges: list[NamedJudge]
    closeness: Judge
    searches: Sequence[KindSearch] = ()
    margins: Mapping[Measure, float] = field(default_factory=dict)


def assemble(suite: Suite, *, closeness: str) -> Parts:
    """Load the plug-in files and build everything that the suite names.

    ``closeness`` is the registered name of the judge that measures closeness for the probes.

    Raises:
        PluginError: Unknown name or option, or a plug-in file that fails on import.
        ConfigError: A margin for what is no measure of the suite.
    """
    for path in suite.plugins:
        load_plugin_file(Path(path))
    kinds, named = build_kinds(suite.perturbations), build_judges(suite.judges)
    return Parts(
        kinds=kinds,
        gate=Gate(
            similarity=suite.suite.similarity_gate,
            acceptability=suite.suite.acceptability_gate,
        ),
        judges=named,
        closeness=judges.create(closeness),
        searches=build_searches(suite.perturbations, kinds, named),
        margins=resolve_margins(suite.margins, [measured_by(judge) for judge in named]),
    )


def measured_by(named: NamedJudge) -> JudgeInfo:
    """Return what a judge measures and what it is, before anybody checked it."""
    traits = declared_traits(named.judge)
    role = "safety" if role_of_name(named.label) == "safety" else None
    return JudgeInfo(
        label=named.label,
        dimensions=tuple(
            dimension.model_copy(update={"role": dimension.role or role})
            for dimension in named.judge.dimensions
        ),
        llm=traits.llm,
        learned=traits.learned,
        panel=bool(traits.members),
        repeats=named.repeats,
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


def build_searches(
    specs: Sequence[PerturbationSpec], kinds: Sequence[Kind], named: Sequence[NamedJudge]
) -> list[KindSearch]:
    """Build the searches that a suite asks for; ``kinds`` are those of ``build_kinds``.

    Raises:
        PluginError: A judge that is unknown, or cannot score a single answer.
    """
    searches = []
    of_specs = iter(kinds)
    for spec in specs:
        kinds_of_spec = [next(of_specs) for _ in spec.severities]
        if (search := spec.search) is None:
            continue
        if kinds_of_spec[0].traits.same_text:
            raise PluginError(f"search of {spec.name!r}: it asks the prompt unchanged")
        judge = _search_judge(search, named)
        dimension = _search_dimension(search, judge)
        searches += [
            KindSearch(kind, search, judge, dimension, _lighter(spec, kind))
            for kind in kinds_of_spec
        ]
    return searches


def _lighter(spec: PerturbationSpec, kind: Kind) -> list[Kind]:
    if isinstance(kind.plugin, ProposesMany) or kind.severity not in SEVERITIES:
        return []  # it is asked at a price
    below = SEVERITIES[: SEVERITIES.index(kind.severity)]
    return [
        make_kind(spec.name, spec.plain_options, severity=severity)
        for severity in below
        if severity in kind.traits.severities
    ]


def _search_judge(search: SearchSpec, named: Sequence[NamedJudge]) -> NamedJudge:
    if search.judge is None:
        cheap = [one for one in named if not declared_traits(one.judge).llm and _usable(one.judge)]
        if not cheap:
            raise PluginError(
                "search: none of the suite's judges can score it without a language model;"
                " name one, as search: {judge: NAME}"
            )
        return cheap[0]
    for one in named:
        if one.label == search.judge:
            return one
    return build_judges([JudgeSpec(name=search.judge)])[0]


def _search_dimension(search: SearchSpec, named: NamedJudge) -> Dimension:
    usable = _usable(named.judge)
    if search.dimension is not None:
        usable = [dimension for dimension in usable if dimension.name == search.dimension]
    if not usable:
        what = f"dimension {search.dimension!r}" if search.dimension else "dimension"
        raise PluginError(
            f"search: judge {named.label!r} has no {what} with a better end that scores an answer"
            " by itself; name another judge or dimension"
        )
    return usable[0]


def _usable(judge: Judge) -> list[Dimension]:
    """Return the dimensions that can lead a search, those that score originals, too, first."""
    known = [
        dimension
        for dimension in judge.dimensions
        if dimension.higher_is_better is not None and "opponent" not in dimension.needs
    ]
    return sorted(known, key=lambda dimension: "original_answer" in dimension.needs)


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
