"""Figures of a study: of each training, of each subject under test, and between configurations."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
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
from harness.analysis.estimates import Estimate
from harness.config import DataSpec
from harness.judging.traits import JudgeInfo
from harness.pipeline.store import Run
from harness.records import Generation, Sample, Score, Variant
from harness.util.digest import canonical_json
from training.config import TrainingConfig
from training.curves import series, turning_point
from training.result import finished
from training.studies.cell import CellOutcome
from training.studies.config import Cell
from training.studies.suites import SuiteGroup

MOST_PAIRED = 6
"""With more configurations than this, only the first is compared with each of the others."""

_FIGURES = (
    "steps", "eval_loss_before", "eval_loss_after", "eval_perplexity_after", "loss_last",
    "tokens_per_second", "seconds", "trainable_parameters", "parameters", "weights_bytes", "base_bytes",
    "memory_footprint_bytes", "peak_cpu_mib", "peak_gpu_mib", "device",
)  # fmt: skip


def training_figures(cell: Cell, outcome: CellOutcome) -> dict[str, Any]:
    """One training: how it ended, its sizes, its curves and where its validation loss turned."""
    row: dict[str, Any] = {
        "name": cell.name,
        "labels": cell.labels,
        "method": cell.config.method,
        "folder": str(outcome.output_dir),
        "error": outcome.error,
    }
    result = finished(outcome.output_dir) if outcome.error is None else None
    if result is None:
        return row
    row |= {name: result.summary.get(name) for name in _FIGURES}
    validation = series(result.curve, "eval_loss")
    training = series(result.curve, "loss")
    row |= {"loss": training, "eval_loss": validation, "gap": gap(training, validation)}
    if validation:
        row["best_step"], row["best_eval_loss"] = min(validation, key=lambda point: point[1])
        turned = turning_point(result.curve)
        row["turned_at"] = turned[0] if turned else None
    row["warnings"] = result.warnings
    return row


def validated_on(cells: Sequence[Cell]) -> dict[str, str]:
    """What each training's validation loss is measured on; equal where the losses are comparable.

    Another base model, prompt format or length makes other tokens of the same rows. Where one path
    stands for several such measures, the axes that tell them apart are added to it.
    """
    groups: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        groups[canonical_json(_measured(cell.config))].append(cell)
    paths = [
        (group[0].config.validation_data or group[0].config.train_data).path
        for group in groups.values()
    ]
    found: dict[str, str] = {}
    for path, group in zip(paths, groups.values(), strict=True):
        first = group[0].labels
        shared = [x for x in first if all(cell.labels[x] == first[x] for cell in group)]
        tail = (
            f" ({' '.join(first[x] for x in shared)})" if paths.count(path) > 1 and shared else ""
        )
        found |= {cell.name: path + tail for cell in group}
    return {cell.name: found[cell.name] for cell in cells}


def _measured(config: TrainingConfig) -> list[Any]:
    rows: list[Any] = [config.train_data, config.validation_fraction, config.seed]
    if config.validation_data is not None:
        rows = [config.validation_data, config.seed if config.validation_data.limit else None]
    rendering = [config.model, config.revision, config.template, config.system_prompt]
    asked = [config.objective, config.max_length, config.assistant_turns]
    return (
        [row.model_dump() if isinstance(row, DataSpec) else row for row in rows] + rendering + asked
    )


def gap(
    training: Sequence[tuple[int, float]], validation: Sequence[tuple[int, float]]
) -> list[tuple[int, float]]:
    """Validation loss minus training loss at every evaluation.

    The training loss is the one logged at that step or last before it: the mean over the steps
    since the logging before, in training mode (with dropout).
    """
    found = []
    for step, loss in validation:
        before = [value for at, value in training if at <= step]
        if before:
            found.append((step, loss - before[-1]))
    return found


def suite_figures(run_dir: Path, group: SuiteGroup) -> dict[str, Any]:
    """One suite's figures by subject, and the paired differences between its configurations.

    Raises:
        StoreError: The run has no summary.
    """
    run = Run.open(run_dir)
    analysed = run.summary()
    summary = analysed.model_dump(mode="json")
    headline = {tuple(measure) for measure in summary["headline"]["measures"]}
    labels = {(m["judge"], m["dimension"]): m["label"] for m in summary["measures"]}
    levels = [
        {
            "subject": row["subject"],
            "measure": labels[row["judge"], row["dimension"]],
            "headline": (row["judge"], row["dimension"]) in headline,
            "n": row["n"],
            "originals": row["originals"],
            "variants": row["variants"],
            "change": row["change"],
        }
        for row in summary["cells"]
        if row["kind"] == ALL
    ]
    return {
        "name": group.name,
        "run": str(run_dir),
        "prompts": summary["prompts"],
        "finding": summary["finding"]["sentence"],
        "measures": [
            {
                "label": m["label"],
                "judge": m["judge"],
                "higher_is_better": m["higher_is_better"],
                "headline": (m["judge"], m["dimension"]) in headline,
            }
            for m in summary["measures"]
        ],
        "levels": levels,
        "pairs": paired(run, analysed, group.cells, labels),
    }


def paired(
    run: Run,
    summary: Summary,
    configurations: Sequence[str],
    labels: Mapping[tuple[str, str], str],
) -> list[dict[str, Any]]:
    """Differences between configurations on the same prompts and variants, with intervals.

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
    differences = []
    for first in firsts:
        subjects = present[present.index(first) :]
        records = RunRecords(samples, variants, answers, scores, subjects, first)
        contrasted = summarise(records, judges, settings)
        differences += [
            {
                "first": first,
                "second": row.subject,
                "measure": labels[row.measure],
                "n": row.n,
                "originals": _dumped(row.gain_originals),
                "variants": _dumped(row.gain_variants),
                "robustness": _dumped(row.did),
            }
            for row in contrasted.contrasts
            if row.kind == ALL and row.scope == contrasted.headline.scope
        ]
    return differences


def _dumped(estimate: Estimate | None) -> dict[str, Any] | None:
    return None if estimate is None else estimate.model_dump(mode="json")
