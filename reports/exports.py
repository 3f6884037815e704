"""A run's figures for other tools: tidy tables as CSV and Parquet, beside the written documents."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator, Sequence
from io import StringIO
from pathlib import Path

from harness.analysis.estimates import Contrast, MeasureRow
from harness.analysis.summary_schema import Summary
from harness.pipeline.store import Run
from harness.records import Sample, Score
from harness.util.files import readable_os_errors, write_atomically
from reports.documents import latex, markdown, model_card
from reports.rows import checked

Row = dict[str, object]
"""One row of a table, by column."""

FOLDER = "exports"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

ESTIMANDS = {
    "cells": ("originals", "variants", "change", "drop", "worst"),
    "contrasts": ("gain_originals", "gain_variants", "did", "kept"),
    "topics": ("gain_originals", "gain_variants", "did"),
    "pairs": ("gain_originals", "gain_variants", "did"),
    "severities": ("variants", "change"),
    "worst": ("expected_worst",),
}
"""Fields of the summary, and those of their rows that hold the estimates to export."""

_KEYS = ("subject", "against", "judge", "dimension", "kind", "severity")
_FIGURES = ("mean", "low", "high", "se", "method", "p", "p_holm", "mde")


def export(run_dir: Path) -> list[Path]:
    """Write every export of an analysed run into its ``exports/`` folder; return the files.

    Raises:
        StoreError: The run was not analysed, or its folder cannot be written.
    """
    run = Run.open(run_dir)
    summary, manifest = run.summary(), run.manifest()
    folder = run.root / FOLDER
    with readable_os_errors(folder, "be made"):
        folder.mkdir(exist_ok=True)
    tables = {"estimates": list(tidy(summary))}
    if scores := list(tidy_scores(run.read(Score), run.read(Sample))):
        tables["scores"] = scores  # a comparison has none
    texts = {
        **{f"{name}.csv": to_csv(rows) for name, rows in tables.items()},
        "report.md": markdown(summary, manifest),
        "model-card.md": model_card(summary, manifest),
        "tables.tex": latex(summary),
    }
    for name, text in texts.items():
        write_atomically(folder / name, text)
    for name, rows in tables.items():
        to_parquet(rows, folder / f"{name}.parquet")
    return [folder / name for name in [*texts, *(f"{name}.parquet" for name in tables)]]


def tidy(summary: Summary) -> Iterator[Row]:
    """Yield one row for each estimate of the summary."""
    sections = dict(summary)
    for section, names in ESTIMANDS.items():
        rows: Sequence[MeasureRow] = sections[section]
        for row in rows:
            fields = dict(row)
            for name in names:
                if fields[name] is None:
                    continue
                figures = dict(fields[name])
                yield {
                    "section": section,
                    "estimand": name,
                    "baseline": summary.baseline,
                    **{key: fields.get(key) for key in _KEYS},
                    "scope": _scope(row),
                    "k": fields.get("k", figures.get("k")),
                    **{key: figures.get(key) for key in _FIGURES},
                    "n": figures.get("n", fields.get("n")),
                    "judge_checked": checked(summary, row.measure),
                }


def _scope(row: MeasureRow) -> str | None:
    """Return the prompts that a contrast is about."""
    if not isinstance(row, Contrast):
        return None
    return row.scope if row.topic is None else f"topic {row.topic}"


def tidy_scores(scores: Iterable[Score], samples: Iterable[Sample]) -> Iterator[Row]:
    """Yield one row for each judgement, with the audit's verdict on its prompt."""
    audit = {sample.id: sample.audit for sample in samples}
    for score in scores:
        yield {
            "sample_id": score.sample_id,
            "audit": audit.get(score.sample_id),
            "kind": score.perturbation,
            "severity": score.severity,
            "replicate": score.replicate,
            "subject": score.subject,
            "repeat": score.repeat,
            "judge": score.judge,
            "dimension": score.dimension,
            "version": score.version,
            "judge_repeat": score.judge_repeat,
            "opponent": score.comparison.opponent if score.comparison else None,
            "status": score.status,
            "value": score.value,
        }


def safe_cell(value: object) -> object:
    """Put an apostrophe in front of a text that a spreadsheet would take for a formula."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def to_csv(rows: Sequence[Row]) -> str:
    """Format as CSV (RFC 4180, lines end in LF); an empty cell is a missing value."""
    out = StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: safe_cell(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def to_parquet(rows: Sequence[Row], path: Path) -> None:
    """Write Parquet with the same columns as the CSV; texts are left as they are.

    Raises:
        StoreError: The file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
    with readable_os_errors(path, "be written"):
        pq.write_table(pa.table(columns), path)
