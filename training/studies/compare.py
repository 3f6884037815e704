"""Figures of a study: of each training, of each subject under test, and between configurations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.analysis import (
    ALL,
    AnalysisSettings,
    BootstrapSettings,
    RunRecords,
    Summary,
    summarise,
)
from harness.analysis.estimates import Measure
from harness.config import DataSpec
from harness.judging.traits import JudgeInfo
from harness.pipeline.store import Run
from harness.records import Generation, Sample, Score, Variant
from harness.util.digest import canonical_json
from training.config import TrainingConfig
from training.curves import series, turning_point
from training.result import finished
from training.studies.cell import CellOutcome
from training.studies.config import StudyCell
from training.studies.suites import SuiteGroup
from training.studies.summary import (
    ConfigurationPair,
    Points,
    StudyMeasure,
    StudySuite,
    StudyTraining,
    SubjectLevel,
)

MOST_PAIRED = 6
"""With more configurations than this, only the first is compared with each of the others."""


def training_figures(cell: StudyCell, outcome: CellOutcome, validation: str) -> StudyTraining:
    """Return one training: how it ended, its sizes, its curves and where its loss turned.

    ``validation`` names the data of its validation loss (see :func:`validated_on`).
    """
    row: dict[str, Any] = {
        "name": cell.name,
        "labels": cell.labels,
        "method": cell.config.method,
        "folder": str(outcome.output_dir),
        "error": outcome.error,
        "validation": validation,
    }
    result = finished(outcome.output_dir) if outcome.error is None else None
    if result is None:
        return StudyTraining(**row)
    row |= {k: v for k, v in result.summary.items() if k in StudyTraining.model_fields}
    training, losses = tuple(series(result.curve, "loss")), tuple(series(result.curve, "eval_loss"))
    row |= {"loss": training, "eval_loss": losses, "gap": gap(training, losses)}
    if losses:
        row["best_step"], row["best_eval_loss"] = min(losses, key=lambda point: point[1])
        turned = turning_point(result.curve)
        row["turned_at"] = turned[0] if turned else None
    return StudyTraining(**row, warnings=tuple(result.warnings))


def validated_on(cells: Sequence[StudyCell]) -> dict[str, str]:
    """Name the data of each training's validation loss; equal where the losses are comparable.

    Another base model, prompt format or length makes other tokens of the same rows. Where one path
    has several such measures, the axes that tell them apart are added to it.
    """
    groups: dict[str, list[StudyCell]] = defaultdict(list)
    for cell in cells:
        groups[canonical_json(_measured(cell.config))].append(cell)
    paths = [
        (group[0].config.validation_data or group[0].config.train_data).path
        for group in groups.values()
    ]
    names: dict[str, str] = {}
    for path, group in zip(paths, groups.values(), strict=True):
        first = group[0].labels
        shared = [x for x in first if all(cell.labels[x] == first[x] for cell in group)]
        tail = (
            f" ({' '.join(first[x] for x in shared)})" if paths.count(path) > 1 and shared else ""
        )
        names |= {cell.name: path + tail for cell in group}
    return {cell.name: names[cell.name] for cell in cells}


def _measured(config: TrainingConfig) -> list[Any]:
    rows: list[Any] = [config.train_data, config.validation_fraction, config.seed]
    if config.validation_data is not None:
        rows = [config.validation_data, config.seed if config.validation_data.limit else None]
    rendering = [config.model, config.revision, config.template, config.system_prompt]
    encoding = [config.objective, config.max_length, config.assistant_turns]
    dumped = [row.model_dump() if isinstance(row, DataSpec) else row for row in rows]
    return dumped + rendering + encoding


def gap(training: Points, validation: Points) -> Points:
    """Return validation loss minus training loss at every evaluation.

    The training loss is the one logged at that step or last before it: the mean over the steps
    since the previous logging, in training mode (with dropout).
    """
    gaps = []
    for step, loss in validation:
        before = [value for at, value in training if at <= step]
        if before:
            gaps.append((step, loss - before[-1]))
    return tuple(gaps)


def suite_figures(run_dir: Path, group: SuiteGroup) -> StudySuite:
    """Return one suite's figures by subject, and the paired differences between its trainings.

    Raises:
        StoreError: The run has no summary.
    """
    run = Run.open(run_dir)
    summary = run.summary()
    headline = set(summary.headline.measures)
    labels = {scale.measure: scale.label for scale in summary.measures}
    return StudySuite(
        name=group.name,
        run=str(run_dir),
        prompts=summary.prompts,
        finding=summary.finding.sentence,
        measures=tuple(
            StudyMeasure(
                label=scale.label,
                judge=scale.judge,
                higher_is_better=scale.higher_is_better,
                headline=scale.measure in headline,
            )
            for scale in summary.measures
        ),
        levels=tuple(
            SubjectLevel(
                subject=cell.subject,
                measure=labels[cell.measure],
                headline=cell.measure in headline,
                n=cell.n,
                originals=cell.originals,
                variants=cell.variants,
                change=cell.change,
            )
            for cell in summary.cells
            if cell.kind == ALL
        ),
        pairs=tuple(paired(run, summary, group.cells, labels)),
    )


def paired(
    run: Run, summary: Summary, configurations: Sequence[str], labels: dict[Measure, str]
) -> list[ConfigurationPair]:
    """Compare configurations on the same prompts and variants, with intervals.

    The statistics are those of every run, with a configuration in the place of the baseline.
    """
    present = [name for name in configurations if name in summary.subjects]
    firsts = present[:-1] if len(present) <= MOST_PAIRED else present[:1]
    # What makes a judge's dimensions count as ratings, of which it gets an overall one.
    judges = [
        JudgeInfo(label, judge.dimensions, llm=judge.llm, learned=judge.learned)
        for label, judge in summary.judges.items()
    ]
    samples, variants = list(run.read(Sample)), list(run.read(Variant))
    answers = [g for g in run.read(Generation) if g.subject in present]
    scores = [s for s in run.read(Score) if s.subject in present]
    settings = AnalysisSettings(BootstrapSettings(summary.seed, summary.resamples))
    pairs = []
    for first in firsts:
        subjects = present[present.index(first) :]
        records = RunRecords(samples, variants, answers, scores, subjects, first)
        contrasted = summarise(records, judges, settings)
        pairs += [
            ConfigurationPair(
                first=first,
                second=row.subject,
                measure=labels[row.measure],
                n=row.n,
                originals=row.gain_originals,
                variants=row.gain_variants,
                robustness=row.did,
            )
            for row in contrasted.contrasts
            if row.kind == ALL and row.scope == contrasted.headline.scope
        ]
    return pairs
