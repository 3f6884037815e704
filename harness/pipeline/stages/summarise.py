"""Stage ``summary``: every figure of the report, from the records of the stages before it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis import AnalysisSettings, BootstrapSettings, RunRecords, Summary, summarise
from harness.analysis.estimates import Measure
from harness.analysis.memorisation_schema import Memorisation, TextShift
from harness.analysis.summary_schema import JudgeSpending
from harness.analysis.unanswerable_schema import Unanswerable
from harness.analysis.worst_found import FoundRecords, Searched, worst_found
from harness.analysis.worst_found_schema import WorstFound
from harness.judging.calibration_report import calibration_of
from harness.judging.traits import JudgeInfo
from harness.memorisation.copying import Closeness
from harness.memorisation.counterfactual import Counterfactual, read_counterfactual, unfit
from harness.memorisation.probe_summary import BesideProbes, summarise_probes, with_memorisation
from harness.models import provenance
from harness.pipeline.assemble import NamedJudge, measured_by
from harness.pipeline.judge_ledger import manifest_entries
from harness.pipeline.run_labels import people_labels
from harness.pipeline.session import Session, StageReport
from harness.pipeline.stage import Stage, StageContext
from harness.records import Probe, Search
from harness.unanswerable.detectors import RefusalWays, refusal_detectors
from harness.unanswerable.rates import unanswerable_rates


def analyse(context: StageContext, report: StageReport) -> None:
    """Estimate everything that the report shows, and write ``summary.json``."""
    session, run, suite = context.session, context.session.run, context.session.suite
    session.update(judges=manifest_entries(session, context.parts.judges))
    records = run.records([subject.name for subject in suite.subjects], suite.baseline_name)
    looks = run.looks().with_analysis(records, suite.suite.looks)
    people, label_notes = people_labels(run, records)
    settings = AnalysisSettings(
        BootstrapSettings(suite.suite.seed, suite.suite.resamples),
        # Subjects whose answers cannot differ when they are asked again.
        deterministic=[
            subject.name
            for subject in suite.subjects
            if (subject.dtype, subject.quantization) == ("float32", None)
            and subject.generation.temperature == 0
        ],
        warnings=(*session.manifest.warnings, *label_notes),
        margins=context.parts.margins,
        looks=looks.plain,
        people=people,
    )
    judges = [judge_info(named) for named in context.parts.judges]
    summary = summarise(records, judges, settings)
    summary = with_memorisation(summary, memorisation_of(context))
    summary = _with_ledger(summary, session.manifest.judges)
    unanswerable = _unanswerable_of(context, records, judges)
    worst = _worst_found_of(context, records)
    run.write_summary(
        summary.model_copy(update={"unanswerable": unanswerable, "worst_found": worst})
    )
    run.write_looks(looks)
    report.made_from = session.manifest.stages["scores"].made_from


def judge_info(named: NamedJudge) -> JudgeInfo:
    """Collect what the analysis needs to know of a judge."""
    calibration = calibration_of(named.judge, named.name, named.source)
    return replace(measured_by(named), calibration=calibration)


def memorisation_of(context: StageContext) -> Memorisation | None:
    """Return the probes' part; None where the suite has none or they have not been run."""
    session = context.session
    if session.suite.probes is None or "probes" not in session.manifest.stages:
        return None
    suite = session.suite
    return summarise_probes(
        session.run.read(Probe),
        baseline=suite.baseline_name,
        subjects=[subject.name for subject in suite.subjects],
        closeness=Closeness(context.parts.closeness),
        settings=BootstrapSettings(suite.suite.seed, suite.suite.resamples),
        beside=_beside_probes(session),
    )


def _beside_probes(session: Session) -> BesideProbes:
    """Collect what the verdicts rest on besides the probes: the texts, and a study of halves.

    Raises:
        DataError: The record of the halves study that the suite names cannot be read.
    """
    shift = next(iter(session.run.read(TextShift)), None)
    spec = session.suite.probes
    if spec is None or spec.halves is None:
        return BesideProbes(shift)
    record = read_counterfactual(spec.halves)
    halves: dict[str, Counterfactual] = {}
    reasons: dict[str, str] = {}
    training = [
        data[key]
        for data in session.manifest.data.get("training", ())
        for key in ("file_sha256", "content_sha256")
        if key in data
    ]
    for subject in session.suite.subjects:
        if subject.name == session.suite.baseline_name:
            continue
        under = subject.name if subject.adapters else session.suite.baseline_name
        weights = session.manifest.models.get(under, {}).get("weights")
        folder = subject.adapters[0].path if len(subject.adapters) == 1 else subject.model
        why = unfit(
            record,
            base_weights_sha256=weights,
            training_data=training,
            trained=provenance.read(Path(folder).expanduser()),
        )
        if why is None:
            halves[subject.name] = record
        else:
            reasons[subject.name] = why
    return BesideProbes(shift, halves, reasons)


def _unanswerable_of(
    context: StageContext, records: RunRecords, judges: Sequence[JudgeInfo]
) -> Unanswerable | None:
    """Return refusals and false answers, where the data says which prompts can be answered."""
    if not any(sample.metadata.get("known") is False for sample in records.samples):
        return None
    suite = context.session.suite.suite
    refusal_judge = next(
        (
            Measure(judge.label, dimension.name)
            for judge in judges
            for dimension in judge.dimensions
            if judge.llm and (dimension.role, dimension.low, dimension.high) == ("refusal", 0, 1)
        ),
        None,
    )
    return unanswerable_rates(
        records,
        RefusalWays(refusal_detectors(similarity=suite.similarity_gate), refusal_judge),
        closeness=Closeness(context.parts.closeness).name,
        seed=suite.seed,
    )


def _worst_found_of(context: StageContext, records: RunRecords) -> WorstFound | None:
    """Return what the searches found; None where the suite asks for none."""
    searches, suite = context.parts.searches, context.session.suite
    if not searches or "searches" not in context.session.manifest.stages:
        return None
    dimensions = {
        Searched(
            one.kind.name, one.kind.severity, one.judge.label, one.dimension.name, one.spec.budget
        ): one.dimension
        for one in searches
    }
    stored = FoundRecords(
        records.samples,
        context.session.run.read(Search),
        records.subjects,
        records.baseline,
        dimensions,
    )
    return worst_found(stored, BootstrapSettings(suite.suite.seed, suite.suite.resamples))


def _with_ledger(summary: Summary, ledger: Mapping[str, Mapping[str, Any]]) -> Summary:
    """Add what the judges used and how their endpoints were held to JSON, as the manifest has it."""
    spending = {
        label: JudgeSpending(**entry["cost"])
        for label, entry in ledger.items()
        if entry.get("cost")
    }
    judges = {
        label: row.model_copy(
            update={"cost": spending.get(label), "structured": ledger[label].get("structured")}
        )
        for label, row in summary.judges.items()
    }
    gone = {label: cost for label, cost in spending.items() if "gone" in ledger[label]}
    return summary.model_copy(update={"judges": judges, "judges_gone": gone})


STAGE = Stage("summary", analyse)
