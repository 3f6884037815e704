"""Sixth stage: every figure of the report, from the records of the stages before it."""

from __future__ import annotations

from collections.abc import Sequence

from harness.analysis import Options, summarise
from harness.analysis.estimates import Measure
from harness.analysis.memorisation_schema import Memorisation
from harness.config import Suite
from harness.judging.calibration_report import calibration_of
from harness.judging.traits import declared_traits
from harness.memorisation.copying import Closeness
from harness.memorisation.levels import Resampling
from harness.memorisation.probe_summary import summarise_probes, traffic_lights
from harness.pipeline.assemble import NamedJudge
from harness.pipeline.judge_manifest import described
from harness.pipeline.session import StageReport
from harness.pipeline.stage import Stage, StageContext
from harness.records import Generation, Probe, Sample, Score, Variant
from harness.unanswerable.detectors import RefusalWays, refusal_detectors
from harness.unanswerable.rates import AnswerRecords, unanswerable_rates


def analyse(context: StageContext, report: StageReport) -> None:
    """Estimate everything that the report shows, and write ``summary.json``."""
    session, judges = context.session, context.parts.judges
    run, suite = session.run, session.suite
    session.update(judges=described(session, judges))
    samples, variants = list(run.read(Sample)), list(run.read(Variant))
    generations, scores = list(run.read(Generation)), list(run.read(Score))
    summary = summarise(
        samples=samples,
        variants=variants,
        generations=generations,
        scores=scores,
        dimensions={named.label: named.judge.dimensions for named in judges},
        baseline=suite.baseline_name,
        subjects=[subject.name for subject in suite.subjects],
        seed=suite.suite.seed,
        warnings=session.manifest.warnings,
        resamples=suite.suite.resamples,
        options=_options(suite, judges),
    )
    if any(sample.metadata.get("known") is False for sample in samples):
        detectors = refusal_detectors(similarity=suite.suite.similarity_gate)
        summary["unknown"] = unanswerable_rates(
            AnswerRecords(samples, variants, generations, scores),
            RefusalWays(detectors, _refusal_judge(judges)),
            closeness=Closeness(context.parts.closeness).name,
            seed=suite.suite.seed,
        ).model_dump(mode="json")
    memorisation = memorisation_of(context)
    summary["memorisation"] = memorisation.model_dump(mode="json") if memorisation else None
    if memorisation:
        lights = [light.model_dump() for light in traffic_lights(memorisation)]
        summary["lights"] = [*lights, *summary["lights"]]
    entries = session.manifest.judges
    for named in judges:
        entry = entries[named.label]
        summary["judges"][named.label] |= {name: entry[name] for name in ("cost", "structured")}
    summary["judges_gone"] = {
        label: entry["cost"] for label, entry in entries.items() if "gone" in entry
    }
    run.write_summary(summary)
    report.made_from = session.manifest.stages["scores"].made_from


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
        resampling=Resampling(suite.suite.seed, suite.suite.resamples),
    )


def _refusal_judge(judges: Sequence[NamedJudge]) -> Measure | None:
    """Return the measure of the first language model that says whether an answer refuses."""
    return next(
        (
            Measure(named.label, dimension.name)
            for named in judges
            for dimension in named.judge.dimensions
            if declared_traits(named.judge).llm
            and (dimension.role, dimension.low, dimension.high) == ("refusal", 0, 1)
        ),
        None,
    )


def _options(suite: Suite, judges: Sequence[NamedJudge]) -> Options:
    """Collect what the analysis cannot read off the records."""
    return Options(
        resamples=suite.suite.resamples,
        llm_judges=[j.label for j in judges if declared_traits(j.judge).llm],
        learned_judges=[j.label for j in judges if declared_traits(j.judge).learned],
        repeated_judges=[j.label for j in judges if j.repeats > 1],
        panels=[j.label for j in judges if declared_traits(j.judge).members],
        deterministic=[
            subject.name
            for subject in suite.subjects
            if subject.dtype == "float32"
            and subject.quantization is None
            and subject.generation.temperature == 0
        ],
        calibration={
            j.label: calibration
            for j in judges
            if (calibration := calibration_of(j.judge, j.name, j.source)) is not None
        },
    )


STAGE = Stage("summary", analyse)
