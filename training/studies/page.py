"""The study's page: one self-contained HTML file from ``summary.json``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.util.files import readable_os_errors, write_atomically
from reports.drawing import Chart
from training.studies import charts
from training.studies.findings import minus

LOSSES = (
    ("method", "Method", ""),
    ("steps", "Steps", "d"),
    ("eval_loss_before", "Loss before", ".3f"),
    ("eval_loss_after", "Loss after", ".3f"),
    ("eval_perplexity_after", "Perplexity after", ".2f"),
    ("best_eval_loss", "Lowest loss", ".3f"),
    ("best_step", "at step", "d"),
    ("turned_at", "Turns up after step", "d"),
    ("final_gap", "Gap at the end", ".3f"),
)
"""Key, heading and format of each column; all losses are of the validation data."""

COSTS = (
    ("trainable_parameters", "Trainable parameters", ",d"),
    ("trained_mib", "Trained weights on disk (MiB)", ".1f"),
    ("base_mib", "Base on disk (MiB)", ".1f"),
    ("footprint_mib", "Weights in memory (MiB)", ".0f"),
    ("peak_cpu_mib", "Peak CPU memory (MiB)", ".0f"),
    ("peak_gpu_mib", "Peak GPU memory (MiB)", ".0f"),
    ("tokens_per_second", "Tokens/s", ".1f"),
    ("seconds", "Seconds", ".0f"),
)


OPEN = ("rouge_l",)
"""Judges whose tables need no click, beside the measures that carry the finding."""


def write_page(root: Path, summary: Mapping[str, Any]) -> Path:
    """Write ``report.html`` and ``figures/`` of a study.

    Raises:
        StoreError: The folder cannot be written.
    """
    drawn = [*charts.curves(summary["cells"]), *charts.costs(summary["cells"])]
    figures = root / "figures"
    with readable_os_errors(figures, "be written"):
        figures.mkdir(exist_ok=True)
        for chart in drawn:
            (figures / f"{chart.name}.svg").write_text(chart.svg, encoding="utf-8")
            (figures / f"{chart.name}.png").write_bytes(chart.png)
    page = root / "report.html"
    write_atomically(page, fill(root, summary, drawn))
    return page


def fill(root: Path, summary: Mapping[str, Any], drawn: list[Chart]) -> str:
    """The page's HTML."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    templates = Path(str(files("training.studies") / "templates"))
    environment = Environment(
        loader=FileSystemLoader(templates), autoescape=True, undefined=StrictUndefined
    )
    rows = [table_row(row) for row in summary["cells"]]
    stems = tuple(f"{what}-" for what in charts.TITLES)
    environment.filters["figure"] = lambda value, spec: minus(format(value, spec))
    css = (files("reports") / "templates" / "report.css").read_text(encoding="utf-8")
    return environment.get_template("study.html.j2").render(
        css=css,
        name=summary["study"]["study"]["name"],
        question=summary["study"]["study"]["question"],
        findings=summary["findings"],
        plan=summary["plan"],
        rows=rows,
        warnings=_warnings(rows),
        losses=_used(LOSSES, rows),
        costs_columns=_used(COSTS, rows),
        curves=[c for c in drawn if c.name.startswith(stems)],
        costs=[c for c in drawn if not c.name.startswith(stems)],
        suites=[_suite(root, suite) for suite in summary["suites"]],
        config=summary["study"],
    )


def table_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """One training as a table shows it: text for each column, None where there is no figure."""
    figures = dict(row)
    figures["trained_mib"] = _mib(row.get("weights_bytes"))
    figures["base_mib"] = _mib(row.get("base_bytes"))
    figures["footprint_mib"] = _mib(row.get("memory_footprint_bytes"))
    figures["final_gap"] = row["gap"][-1][1] if row.get("gap") else None
    shown = {
        key: None if figures.get(key) is None else minus(format(figures[key], spec))
        for key, _, spec in (*LOSSES, *COSTS)
    }
    return {
        "name": row["name"],
        "error": row["error"],
        "warnings": row.get("warnings", []),
        "shown": shown,
    }


def _warnings(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, tuple[str, ...]]]:
    """What trainings warn of, with the names of those that warn of the same."""
    found: dict[tuple[str, ...], list[str]] = {}
    for row in rows:
        if row["warnings"]:
            found.setdefault(tuple(row["warnings"]), []).append(row["name"])
    every = len(rows) > 1
    return [
        ("all trainings" if every and len(names) == len(rows) else ", ".join(names), lines)
        for lines, names in found.items()
    ]


def _used(
    columns: Sequence[tuple[str, str, str]], rows: Sequence[Mapping[str, Any]]
) -> list[tuple[str, str]]:
    """The columns in which any training has a figure."""
    return [
        (key, label)
        for key, label, _ in columns
        if any(row["shown"].get(key) is not None for row in rows)
    ]


def _suite(root: Path, suite: Mapping[str, Any]) -> dict[str, Any]:
    if suite["error"]:
        return {**suite, "tables": [], "link": None}
    tables = []
    for measure in suite["measures"]:
        label = measure["label"]
        levels = [row for row in suite["levels"] if row["measure"] == label]
        pairs = [row for row in suite["pairs"] if row["measure"] == label]
        if levels:
            opened = measure["headline"] or measure["judge"] in OPEN
            tables.append({**measure, "levels": levels, "pairs": pairs, "open": opened})
    tables.sort(key=lambda table: not table["headline"])
    link = os.path.relpath(Path(suite["run"]) / "report.html", root)
    return {**suite, "tables": tables, "link": link}


def _mib(size: float | None) -> float | None:
    return None if size is None else size / 2**20
