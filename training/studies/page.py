"""The study's page: one self-contained HTML file from its summary."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple

from harness.util.files import readable_os_errors, write_atomically
from harness.util.formatting import MINUS, figure
from reports.drawing import Chart
from training.studies import charts
from training.studies.summary import StudySuite, StudySummary, StudyTraining, mib


class TrainingColumn(NamedTuple):
    """Column of a table of trainings: heading, format and figure; None where there is none."""

    label: str
    spec: str
    figure: Callable[[StudyTraining], float | str | None]


LOSSES = (
    TrainingColumn("Method", "", lambda row: row.method),
    TrainingColumn("Steps", "d", lambda row: row.steps),
    TrainingColumn("Loss before", ".3f", lambda row: row.eval_loss_before),
    TrainingColumn("Loss after", ".3f", lambda row: row.eval_loss_after),
    TrainingColumn("Perplexity after", ".2f", lambda row: row.eval_perplexity_after),
    TrainingColumn("Lowest loss", ".3f", lambda row: row.best_eval_loss),
    TrainingColumn("at step", "d", lambda row: row.best_step),
    TrainingColumn("Turns up after step", "d", lambda row: row.turned_at),
    TrainingColumn("Gap at the end", ".3f", lambda row: row.final_gap),
)
"""All losses are of the validation data."""

COSTS = (
    TrainingColumn("Trainable parameters", ",d", lambda row: row.trainable_parameters),
    TrainingColumn("Trained weights on disk (MiB)", ".1f", lambda row: mib(row.weights_bytes)),
    TrainingColumn("Base on disk (MiB)", ".1f", lambda row: mib(row.base_bytes)),
    TrainingColumn("Weights in memory (MiB)", ".0f", lambda row: mib(row.memory_footprint_bytes)),
    TrainingColumn("Peak CPU memory (MiB)", ".0f", lambda row: row.peak_cpu_mib),
    TrainingColumn("Peak GPU memory (MiB)", ".0f", lambda row: row.peak_gpu_mib),
    TrainingColumn("Tokens/s", ".1f", lambda row: row.tokens_per_second),
    TrainingColumn("Seconds", ".0f", lambda row: row.seconds),
)

MOST_ROWS = 20
"""Rows with the highest counterfactual memorisation that the page lists; the JSON has all."""

OPEN = ("rouge_l",)
"""Judges whose tables need no click, beside the measures of the headline."""


def write_page(root: Path, summary: StudySummary) -> Path:
    """Write ``report.html`` and ``figures/`` of a study.

    Raises:
        StoreError: The folder cannot be written.
    """
    record = summary.counterfactual
    memorised = [charts.in_against_out(record)] if record else []
    drawn = [*memorised, *charts.curves(summary.cells), *charts.costs(summary.cells)]
    figures = root / "figures"
    with readable_os_errors(figures, "be written"):
        figures.mkdir(exist_ok=True)
        for chart in drawn:
            (figures / f"{chart.name}.svg").write_text(chart.svg, encoding="utf-8")
            (figures / f"{chart.name}.png").write_bytes(chart.png)
    page = root / "report.html"
    write_atomically(page, fill(root, summary, drawn))
    return page


def fill(root: Path, summary: StudySummary, drawn: Sequence[Chart]) -> str:
    """Return the page's HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Path(str(files("training.studies") / "templates"))
    environment = Environment(
        loader=FileSystemLoader(templates), autoescape=True, undefined=StrictUndefined
    )
    environment.filters["figure"] = lambda value, sign=False: figure(value, 3, sign=sign)
    rows = summary.counterfactual.rows if summary.counterfactual else ()
    highest = sorted(rows, key=lambda row: -row.token_likelihood.memorised)[:MOST_ROWS]
    memorised = charts.MEMORISED
    stems = tuple(f"{what}-" for what in charts.TITLES)
    css = (files("reports") / "templates" / "report.css").read_text(encoding="utf-8")
    return environment.get_template("study.html.j2").render(
        css=css,
        summary=summary,
        warnings=_warnings(summary.cells),
        losses=_table(summary.cells, LOSSES),
        costs=_table(summary.cells, COSTS),
        curve_charts=[c for c in drawn if c.name.startswith(stems)],
        cost_charts=[c for c in drawn if not c.name.startswith((*stems, memorised))],
        memorised_charts=[c for c in drawn if c.name == memorised],
        record=summary.counterfactual,
        highest=highest,
        suites=[_suite(root, suite) for suite in summary.suites],
        config=summary.study.model_dump(mode="json"),
    )


def _table(trainings: Sequence[StudyTraining], columns: Sequence[TrainingColumn]) -> dict[str, Any]:
    """Format the columns in which any training has a figure."""
    used = [column for column in columns if any(column.figure(t) is not None for t in trainings)]
    rows = [(training, [_text(column, training) for column in used]) for training in trainings]
    return {"columns": [column.label for column in used], "rows": rows}


def _text(column: TrainingColumn, training: StudyTraining) -> str:
    value = column.figure(training)
    if value is None or isinstance(value, str):
        return value or "–"
    return format(value, column.spec).replace("-", MINUS)


def _warnings(trainings: Sequence[StudyTraining]) -> list[tuple[str, tuple[str, ...]]]:
    """Group equal warnings, with the names of the trainings that have them."""
    names_by_warnings: dict[tuple[str, ...], list[str]] = {}
    for training in trainings:
        if training.warnings:
            names_by_warnings.setdefault(training.warnings, []).append(training.name)
    several = len(trainings) > 1
    return [
        ("all trainings" if several and len(names) == len(trainings) else ", ".join(names), lines)
        for lines, names in names_by_warnings.items()
    ]


def _suite(root: Path, suite: StudySuite) -> dict[str, Any]:
    """Return one suite's part of the page; a table is ``open`` where it needs no click."""
    tables = []
    # Measures of the headline come first; sorting keeps the order of the others.
    for measure in sorted(suite.measures, key=lambda measure: not measure.headline):
        levels = [row for row in suite.levels if row.measure == measure.label]
        pairs = [row for row in suite.pairs if row.measure == measure.label]
        if levels:
            opened = measure.headline or measure.judge in OPEN
            tables.append({"measure": measure, "levels": levels, "pairs": pairs, "open": opened})
    link = os.path.relpath(Path(suite.run) / "report.html", root)
    return {"suite": suite, "tables": tables, "link": link}
