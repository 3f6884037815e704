"""From a run's records to ``summary.json``: every figure of the report comes from here."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.analysis import cautions, sentences
from harness.analysis.answer_scores import AnswerScores
from harness.analysis.counts import FailureCount, count_generations, count_variants
from harness.analysis.error_budget import error_budgets
from harness.analysis.estimands import Estimands, PendingRow, drop_of, without_uncertain_share
from harness.analysis.estimates import (
    Contrast,
    Measure,
    SeverityPoint,
    SubjectPair,
    SummaryCell,
    WorstCase,
    WorstPoint,
)
from harness.analysis.evidence import VerdictBasis, choose_headline
from harness.analysis.judge_outcomes import JudgementCount
from harness.analysis.leak_gaps import leak_gaps
from harness.analysis.looks import design_of, look_words
from harness.analysis.people import PeopleLabels
from harness.analysis.scopes import count_audit, main_scope, scopes_of, topics_of
from harness.analysis.series import radar
from harness.analysis.summary_schema import (
    AnswerCount,
    Headline,
    JudgeSummary,
    Look,
    MeasureScale,
    Noise,
    NoiseChange,
    SubjectNoise,
    Summary,
)
from harness.analysis.table import RunRecords, Table, build
from harness.analysis.test_family import BootstrapSettings, solve
from harness.analysis.tipping import tipping_points
from harness.analysis.traffic_lights import run_lights
from harness.errors import DataError
from harness.judging.traits import JudgeInfo
from harness.records import IDENTITY
from harness.util.formatting import plural


@dataclass(frozen=True)
class AnalysisSettings:
    """How a run is analysed, beyond its records.

    Attributes:
        bootstrap: How intervals and tests are made.
        deterministic: Subjects whose noise floor is zero by construction (fp32, greedy).
        warnings: Lines that the report must show.
        topic_key: Field of a sample's metadata that names its topic.
        people: People's labels of the run's own answers, where there are any.
        margins: How small a difference counts as none, in the measure's units, where the user says.
        looks: All looks at the run, this analysis included; none where nobody keeps count.
    """

    bootstrap: BootstrapSettings
    deterministic: Collection[str] = ()
    warnings: Sequence[str] = ()
    topic_key: str = "topic"
    people: PeopleLabels | None = None
    margins: Mapping[Measure, float] = field(default_factory=dict)
    looks: Sequence[Look] = ()


def summarise(
    records: RunRecords, judges: Sequence[JudgeInfo], settings: AnalysisSettings
) -> Summary:
    """Estimate everything that the report shows; judges come in the order of the suite.

    Raises:
        DataError: No samples, or the baseline is no subject.
    """
    if not records.samples:
        raise DataError("nothing to analyse: the run has no samples")
    if records.baseline not in records.subjects:
        names = ", ".join(records.subjects)
        raise DataError(f"baseline {records.baseline!r} is not among the subjects ({names})")
    bootstrap = replace(settings.bootstrap, design=design_of(settings.looks))
    settings, failures = replace(settings, bootstrap=bootstrap), FailureCount()
    kinds = count_variants(records.variants, failures)
    answers = count_generations(records.generations, records.subjects, failures)
    judgements = JudgementCount(judges, failures)
    answers_scored = AnswerScores()
    scores = answers_scored.collected(judgements.counted(records.scores))
    table = build(replace(records, scores=scores), judges)
    judge_rows = judgements.rows()
    audit, scopes = count_audit(table, records.samples), scopes_of(table, records.samples)
    estimated = _estimate(table, records, settings)
    basis = estimated.basis
    gaps = leak_gaps(table, scopes, records.baseline, bootstrap)
    tipping = tipping_points(basis, bootstrap)
    return Summary(
        seed=bootstrap.seed,
        level=bootstrap.level,
        resamples=bootstrap.resamples,
        tests=estimated.tests,
        baseline=records.baseline,
        subjects=tuple(records.subjects),
        prompts=len(table.clusters),
        samples=len(records.samples),
        kinds=kinds,
        prompts_in_danger=sum(variant.danger for variant in records.variants),
        judges=judge_rows,
        measures=_measures(table, settings.margins),
        headline=_headline(basis),
        finding=sentences.run_finding(
            basis,
            [*_look_caution(settings.looks), *cautions.cautions(basis, answers)],
            cautions.leak_sentence(basis, audit, gaps),
            _agreement(judges),
            tipping,
        ),
        traffic_lights=run_lights(basis, audit, judges),
        radar=tuple(radar(table, measure, basis.scope.prompts) for measure in basis.headline),
        contrasts=tuple(row for row in estimated.contrasts if row.topic is None),
        topics=tuple(row for row in estimated.contrasts if row.topic is not None),
        cells=tuple(basis.cells),
        pairs=estimated.pairs,
        severities=estimated.severities,
        worst=estimated.worst,
        tipping=tipping,
        leak_gaps=gaps,
        noise=_noise(basis, answers, settings.deterministic),
        audit=audit,
        answers=answers,
        failures=failures.rows(),
        error_budgets=error_budgets(
            basis, answers_scored, bootstrap.seed, list(settings.deterministic)
        ),
        looks=tuple(settings.looks),
        warnings=(*settings.warnings, *table.notes, *_version_notes(judge_rows)),
    )


@dataclass(frozen=True)
class _Estimated:
    """Everything that was estimated and tested together."""

    basis: VerdictBasis
    contrasts: tuple[Contrast, ...]
    pairs: tuple[SubjectPair, ...]
    severities: tuple[SeverityPoint, ...]
    worst: tuple[WorstPoint, ...]
    tests: int


def _estimate(table: Table, records: RunRecords, settings: AnalysisSettings) -> _Estimated:
    """Enter every quantity, solve them in one go, and read the rows back."""
    scopes = scopes_of(table, records.samples)
    main, headline = main_scope(scopes), choose_headline(table)
    estimands = Estimands(table, headline, main, records.baseline, settings.people)
    cells = list(estimands.cells())
    contrasts = list(estimands.contrasts([*scopes, *topics_of(table, settings.topic_key)]))
    pairs, severities = list(estimands.pairs()), list(estimands.severities())
    worst = list(estimands.worst_cases())
    pending = itertools.chain[PendingRow[Any]](cells, contrasts, pairs, severities, worst)
    quantities = [quantity for row in pending for quantity in row.quantities.values()]
    solved = solve(quantities, settings.bootstrap, table.families)
    worst_points = tuple(row.filled(solved) for row in worst)
    differences = tuple(
        without_uncertain_share(row, table.sign(row.measure))
        for row in (pending.filled(solved) for pending in contrasts)
    )
    return _Estimated(
        basis=VerdictBasis(
            table,
            headline,
            main,
            _with_drops(table, [row.filled(solved) for row in cells], worst_points),
            [row for row in differences if (row.scope, row.topic) == (main.name, None)],
            settings.margins,
        ),
        contrasts=differences,
        pairs=tuple(row.filled(solved) for row in pairs),
        severities=tuple(row.filled(solved) for row in severities),
        worst=worst_points,
        tests=sum(estimate.p is not None for estimate in solved.values()),
    )


def _with_drops(
    table: Table, cells: Sequence[SummaryCell], worst: Sequence[WorstPoint]
) -> list[SummaryCell]:
    """Add the drop (worse is positive) and the worst case at the largest common k."""
    # Points come in rising order of k.
    largest = {(point.subject, point.measure, point.kind): point for point in worst}
    rows = []
    for cell in cells:
        point = largest.get((cell.subject, cell.measure, cell.kind))
        estimate = point.expected_worst if point else None
        case = (
            WorstCase(k=point.k, left_out=point.left_out, **dict(estimate))
            if point and estimate
            else None
        )
        drop = drop_of(cell.change, table.sign(cell.measure))
        rows.append(cell.model_copy(update={"drop": drop, "worst": case}))
    return rows


def _look_caution(looks: Sequence[Look]) -> list[str]:
    line = look_words(looks)
    return [] if line is None else [line]


def _headline(basis: VerdictBasis) -> Headline:
    return Headline(
        measures=tuple(basis.headline),
        words=sentences.rests_on(basis.table, basis.headline),
        scope=basis.scope.name,
        prompts=int(basis.scope.prompts.sum()),
    )


def _measures(table: Table, margins: Mapping[Measure, float]) -> tuple[MeasureScale, ...]:
    return tuple(
        MeasureScale(
            **measure._asdict(),
            **dimension.model_dump(include={"low", "high", "higher_is_better", "description"}),
            label=table.label(measure),
            llm=measure.judge in table.llm,
            rate=table.is_rate(measure),
            against=table.baseline_for(measure),
            mean_of=tuple(part.dimension for part in table.parts.get(measure, ())) or None,
            margin=margins.get(measure),
        )
        for measure, dimension in table.dimensions.items()
    )


def _agreement(judges: Sequence[JudgeInfo]) -> dict[Measure, float]:
    """Return the rank correlation with labels of every measure that was checked."""
    return {
        Measure(judge.label, row.dimension): row.spearman.value
        for judge in judges
        if judge.calibration is not None
        for row in judge.calibration.dimensions
        if row.spearman.value is not None
    }


def _noise(
    basis: VerdictBasis, answers: Sequence[AnswerCount], deterministic: Collection[str]
) -> Noise | None:
    """Return the identity floor: what asking the very same prompt again changes."""
    if IDENTITY not in basis.table.kinds:
        return None
    changes: defaultdict[str, list[NoiseChange]] = defaultdict(list)
    for cell in basis.cells:
        if cell.kind == IDENTITY and cell.change is not None and cell.measure in basis.headline:
            change = NoiseChange(**cell.measure._asdict(), **dict(cell.change))
            changes[cell.subject].append(change)
    return Noise(
        subjects=tuple(
            SubjectNoise(
                subject=row.subject,
                repeated=row.repeated,
                identical=row.identical_when_repeated,
                zero_by_construction=row.subject in deterministic,
                changes=tuple(changes[row.subject]),
            )
            for row in answers
        )
    )


def _version_notes(judges: Mapping[str, JudgeSummary]) -> list[str]:
    """Warn of judges whose scores come from several versions: they are not one measure."""
    return [
        f"judge {label}: its scores come from {plural(len(judge.versions), 'version')};"
        " judge the run again before comparing them"
        for label, judge in judges.items()
        if len(judge.versions) > 1
    ]
