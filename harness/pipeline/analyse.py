"""From a run's records and manifest to its summary."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis import AnalysisSettings, BootstrapSettings, RunRecords, Summary, summarise
from harness.analysis.memorisation_schema import Memorisation
from harness.analysis.summary_schema import JudgeSpending
from harness.analysis.unanswerable_schema import Unanswerable
from harness.config import Suite
from harness.judging.calibration_report import calibration_of
from harness.judging.traits import JudgeInfo, declared_traits
from harness.memorisation.findings import memorisation, with_memorisation
from harness.pipeline.session import Session
from harness.pipeline.stages.judge import NamedJudge
from harness.records import Generation, Probe, Sample, Score, Variant
from harness.unanswerable.detectors import detectors
from harness.unanswerable.rates import unknown_rates


def analyse(session: Session, judges: Sequence[NamedJudge]) -> Summary:
    """Estimate everything that the report of a run shows."""
    run, suite = session.run, session.suite
    records = RunRecords(
        samples=list(run.read(Sample)),
        variants=list(run.read(Variant)),
        generations=list(run.read(Generation)),
        scores=list(run.read(Score)),
        subjects=[subject.name for subject in suite.subjects],
        baseline=suite.baseline_name,
    )
    settings = AnalysisSettings(
        BootstrapSettings(suite.suite.seed, suite.suite.resamples),
        deterministic=_deterministic(suite),
        warnings=session.manifest.warnings,
    )
    infos = [judge_info(named) for named in judges]
    summary = summarise(records, infos, settings)
    summary = with_memorisation(summary, probe_findings(session))
    summary = summary.model_copy(update={"unanswerable": _unanswerable(suite, records, infos)})
    return _with_ledger(summary, session)


def judge_info(named: NamedJudge) -> JudgeInfo:
    """Collect what the analysis needs to know of a judge."""
    traits = declared_traits(named.judge)
    return JudgeInfo(
        label=named.label,
        dimensions=named.judge.dimensions,
        llm=traits.llm,
        learned=traits.learned,
        panel=bool(traits.members),
        repeats=named.repeats,
        calibration=calibration_of(named.judge, named.name, named.source),
    )


def probe_findings(session: Session) -> Memorisation | None:
    """Return what the probes found; None where the suite has none or they have not been run."""
    if session.suite.probes is None or "probes" not in session.manifest.stages:
        return None
    findings = memorisation(
        session.run.read(Probe),
        baseline=session.suite.baseline_name,
        subjects=[subject.name for subject in session.suite.subjects],
        seed=session.suite.suite.seed,
        resamples=session.suite.suite.resamples,
    )
    return Memorisation.model_validate(findings)


def _deterministic(suite: Suite) -> list[str]:
    """Return the subjects whose answers cannot differ when they are asked again."""
    return [
        subject.name
        for subject in suite.subjects
        if subject.dtype == "float32"
        and subject.quantization is None
        and subject.generation.temperature == 0
    ]


def _unanswerable(
    suite: Suite, records: RunRecords, judges: Sequence[JudgeInfo]
) -> Unanswerable | None:
    """Return refusals and false answers, where the data says which prompts can be answered."""
    if not any(sample.metadata.get("known") is False for sample in records.samples):
        return None
    refusal_judge = next(
        (
            (judge.label, dimension.name)
            for judge in judges
            for dimension in judge.dimensions
            if judge.llm and (dimension.role, dimension.low, dimension.high) == ("refusal", 0, 1)
        ),
        None,
    )
    rates = unknown_rates(
        records.samples,
        records.variants,
        records.generations,
        records.scores,
        detectors(similarity=suite.suite.similarity_gate),
        judge=refusal_judge,
        seed=suite.suite.seed,
    )
    return Unanswerable.model_validate(rates)


def _with_ledger(summary: Summary, session: Session) -> Summary:
    """Add what the judges used and how their endpoints were held to JSON, out of the manifest."""
    entries = session.manifest.judges
    spending = {
        label: JudgeSpending(**entry["cost"])
        for label, entry in entries.items()
        if entry.get("cost")
    }
    judges = {
        label: row.model_copy(
            update={
                "cost": spending.get(label),
                "structured": entries[label].get("structured"),
            }
        )
        for label, row in summary.judges.items()
    }
    gone = {label: cost for label, cost in spending.items() if "gone" in entries[label]}
    return summary.model_copy(update={"judges": judges, "judges_gone": gone})
