"""Runs the stages of a suite in order; each resumes from its own file."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.analysis.memorisation_schema import Memorisation
from harness.config import JudgeSpec, PerturbationSpec, Suite
from harness.judging.self_judging import check_named, check_self_judging
from harness.memorisation.findings import with_memorisation
from harness.pipeline.analyse import analyse, probe_findings
from harness.pipeline.judge_manifest import described
from harness.pipeline.session import Session
from harness.pipeline.stages.generate import OpenModel, generate
from harness.pipeline.stages.judge import NamedJudge, judge
from harness.pipeline.stages.probe import probe
from harness.pipeline.stages.samples import collect
from harness.records import Generation, Sample, Score, Variant
from harness.registry import judges, load_plugin_file
from harness.util.digest import digest
from harness.util.files import write_atomically
from harness.variants.expand import Kind, expand, make_kind


class Outcome(NamedTuple):
    """How a run ended."""

    failed_answers: int
    failed_scores: int

    @property
    def failed(self) -> int:
        """Items that ended in a failure."""
        return self.failed_answers + self.failed_scores


class Parts(NamedTuple):
    """The plug-ins of a suite, built."""

    kinds: list[Kind]
    judges: list[NamedJudge]


def assemble(suite: Suite) -> Parts:
    """Load plug-in files and build everything that the suite names, before anything is written.

    Raises:
        PluginError: Unknown name or option, or a plug-in file that fails on import.
    """
    for path in suite.plugins:
        load_plugin_file(Path(path))
    return Parts(build_kinds(suite.perturbations), build_judges(suite.judges))


def run(
    session: Session, parts: Parts, open_model: OpenModel, render: Callable[[Path], Path]
) -> Outcome:
    """All stages, from data to report.

    Args:
        session: The run, its suite and what the stages share.
        parts: From :func:`assemble`.
        open_model: Loads a group of subjects that share base weights.
        render: Writes the report of a run folder.

    Raises:
        JostleError: Bad input, or a machine's refusal; what was done is kept for a resume.
    """
    session.update(warnings=())  # every stage below says its own again
    for named in parts.judges:  # what names alone can tell, before anything is spent
        check_named(named.label, named.judge, session.suite.subjects)
    samples = collect(session)
    variants = perturb(session, samples, parts.kinds)
    generate(session, variants, open_model)
    if session.suite.probes is not None:
        probe(session, samples, parts.kinds, open_model)
    return assess(session, parts.judges, render)


def assess(
    session: Session, named: Sequence[NamedJudge], render: Callable[[Path], Path]
) -> Outcome:
    """The stages that need no model under test: judge, analyse, report.

    Raises:
        PluginError: A judge has the base weights of a subject and the suite does not allow it.
    """
    for one in named:
        warning = check_self_judging(one.label, one.judge, session.manifest.models)
        if warning is not None:
            session.warn(warning)
    judge(session, named)
    return conclude(session, named, render)


def conclude(
    session: Session, named: Sequence[NamedJudge], render: Callable[[Path], Path]
) -> Outcome:
    """The last stages: analyse and report; then the run is complete."""
    run_ = session.run
    session.update(judges=described(session, named))
    generations = list(run_.read(Generation))
    scores = list(run_.read(Score))
    with session.stage("summary") as report:
        run_.write_summary(analyse(session, named))
        report.made_from = session.manifest.stages["scores"].made_from
    with session.stage("report"):
        render(run_.root)
    session.finish()
    return Outcome(
        failed_answers=sum(g.completion.error is not None for g in generations),
        failed_scores=sum(score.status != "scored" for score in scores),
    )


def probe_only(
    session: Session,
    kinds: Sequence[Kind],
    open_model: OpenModel,
    render: Callable[[Path], Path],
) -> tuple[Memorisation, Path | None]:
    """The probes without the rest of a run.

    Writes ``probes.json`` into the run folder. Where a whole run was analysed there, its summary
    and page get the verdict too.

    Returns:
        What the probes found, and the page where there is one.
    """
    before = session.manifest
    samples = collect(session)
    probe(session, samples, kinds, open_model)
    found = probe_findings(session)
    assert found is not None
    text = json.dumps(found.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(session.run.root / "probes.json", text + "\n")
    whole = before.stages.get("report")
    if whole is None or whole.status != "complete":
        return found, None
    session.run.write_summary(with_memorisation(session.run.summary(), found))
    page = render(session.run.root)
    session.finish()
    return found, page


def perturb(session: Session, samples: Sequence[Sample], kinds: Sequence[Kind]) -> list[Variant]:
    """Second stage: the variants of every sample, one block a sample, written whole."""
    suite = session.suite.suite
    gate = build_gate(suite.similarity_gate)
    settings = [
        [[kind.name, kind.severity, kind.fingerprint] for kind in kinds],
        gate.fingerprint,
        suite.seed,
        suite.variants_per_kind,
        suite.variants_per_prompt,
    ]
    wanted = {sample.id: digest([sample.made_from, settings]) for sample in samples}
    file = session.run.file(Variant)
    unfinished = session.manifest.stages.get("variants")
    with session.stage("variants") as report:
        there = file.read()
        # A crash can tear the last block; whole ones are taken over.
        suspect = there[-1].sample_id if there and _running(unfinished) else None
        kept = file.keep(
            lambda v: wanted.get(v.sample_id) == v.made_from and v.sample_id != suspect
        )
        done = {variant.sample_id for variant in kept}
        todo = [sample for sample in samples if sample.id not in done]
        with session.progress.stage("perturb", len(samples)) as task:
            task.advance(len(done))
            made = expand(
                todo,
                kinds,
                seed=suite.seed,
                variants_per_kind=suite.variants_per_kind,
                variants_per_prompt=suite.variants_per_prompt,
                gate=gate,
            )
            for sample_id, block in itertools.groupby(made, key=lambda v: v.sample_id):
                marked = [
                    variant.model_copy(update={"made_from": wanted[sample_id]}) for variant in block
                ]
                file.append(*marked)
                kept.extend(marked)
                task.advance()
        file.close()
        for variant in kept:
            report.count(variant.status)
        report.made_from = digest(sorted(wanted.items()))
    order = {sample.id: index for index, sample in enumerate(samples)}
    return sorted(kept, key=lambda variant: order[variant.sample_id])


def _running(state: Any) -> bool:
    return state is None or state.status == "running"


def build_kinds(specs: Sequence[PerturbationSpec]) -> list[Kind]:
    """One kind a perturbation and severity.

    Raises:
        PluginError: Unknown name or option.
    """
    return [
        # A plain function takes no options: it hears of the severity only where the user names one.
        make_kind(
            spec.name,
            spec.plain_options | ({"severity": severity} if "severity" in spec.options else {}),
        )
        for spec in specs
        for severity in spec.severities
    ]


def build_judges(specs: Sequence[JudgeSpec]) -> list[NamedJudge]:
    """The judges of a suite.

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


def build_gate(similarity: bool) -> Any:
    """The validity gate, with or without its similarity floor."""
    from harness.variants.gate import Gate

    return Gate(similarity=similarity)
