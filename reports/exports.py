"""A run's figures for other tools: CSV, Parquet, Markdown, a model card, LaTeX."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from io import StringIO
from pathlib import Path, PurePath
from typing import Any

from harness.analysis import ALL
from harness.pipeline.store import Run
from harness.records import Manifest, Sample, Score
from harness.util.files import make_folder, readable_os_errors, write_atomically
from harness.util.formatting import plural
from reports import rows as page
from reports.sanitise import visible
from reports.sections import judges as judging

Row = dict[str, Any]

FOLDER = "exports"
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")

ESTIMATES: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("cells", ("originals", "variants", "change", "drop", "worst")),
    ("contrasts", ("gain_originals", "gain_variants", "did", "kept")),
    ("topics", ("gain_originals", "gain_variants", "did")),
    ("pairs", ("gain_originals", "gain_variants", "did")),
    ("severities", ("variants", "change")),
    ("worst", ("expected_worst",)),
)
_KEYS = ("subject", "against", "judge", "dimension", "kind", "severity", "k", "scope")
_FIGURES = ("mean", "low", "high", "se", "n", "method", "p", "p_holm", "mde")


def export(run_dir: Path) -> list[Path]:
    """Write every export of an analysed run into its ``exports/`` folder.

    Returns:
        The files: ``estimates`` and ``scores`` as CSV and Parquet, ``report.md``,
        ``model-card.md`` and ``tables.tex``.

    Raises:
        StoreError: The run was not analysed, or its folder cannot be written.
    """
    run = Run.open(run_dir)
    summary, manifest = run.summary(), run.manifest()
    folder = run.root / FOLDER
    make_folder(folder)
    tables = {"estimates": list(tidy(summary))}
    if scores := list(tidy_scores(run.read(Score), run.read(Sample))):
        tables["scores"] = scores  # a comparison has none of its own
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


def tidy(summary: Mapping[str, Any]) -> Iterator[Row]:
    """One row an estimate, whatever section of the summary it stands in."""
    for section, names in ESTIMATES:
        for row in summary[section]:
            for name in names:
                estimate = row.get(name)
                if estimate is None:
                    continue
                yield {
                    "section": section,
                    "estimand": name,
                    "baseline": summary["baseline"],
                    **{key: row.get(key) for key in _KEYS if key != "k"},
                    "k": row.get("k", estimate.get("k")),
                    **{key: estimate.get(key) for key in _FIGURES if key != "n"},
                    "n": estimate.get("n", row.get("n")),
                    "judge_checked": judging.checked(summary, row),
                }


def tidy_scores(scores: Iterable[Score], samples: Iterable[Sample]) -> Iterator[Row]:
    """One row a judgement, with the audit's verdict on its prompt."""
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


def safe_cell(value: Any) -> Any:
    """A text that a spreadsheet does not take for a formula: those get an apostrophe in front."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return value


def to_csv(rows: Sequence[Row]) -> str:
    """CSV (RFC 4180, lines end in LF); an empty cell is a missing value."""
    out = StringIO()
    if rows:
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows({key: safe_cell(value) for key, value in row.items()} for row in rows)
    return out.getvalue()


def to_parquet(rows: Sequence[Row], path: Path) -> None:
    """Parquet with the same columns as the CSV; texts are left as they are.

    Raises:
        StoreError: The file cannot be written.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {key: [row[key] for row in rows] for key in (rows[0] if rows else ())}
    with readable_os_errors(path, "be written"):
        pq.write_table(pa.table(columns), path)


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "|".join([" --- "] * len(header)) + "|"
    for row in rows:
        yield "| " + " | ".join(md(cell) for cell in row) + " |"


def md(text: str) -> str:
    """A text that Markdown and the HTML it becomes show as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$!&])", r"\\\1", visible(text)).replace("\n", " ")


def shown(estimate: Mapping[str, Any] | None, sign: bool = False) -> str:
    """``+0.42 [0.25, 0.60]``; a dash for none."""
    if estimate is None or estimate.get("mean") is None:
        return "–"
    text = f"{page.figure_of(estimate, 'mean', sign)} {page.interval_of(estimate)}"
    return text.strip()


def gain_rows(table: Row) -> Iterator[list[str]]:
    """Cells of a table of gains, texts not yet escaped."""
    for c in table["contrasts"]:
        yield [
            c["subject"],
            c["kind"],
            str(c["n"]),
            shown(c["gain_originals"], True),
            shown(c["gain_variants"], True),
            shown(c["did"], True),
            page.p_value(c["did"]),
        ]


def level_rows(table: Row) -> Iterator[list[str]]:
    """Cells of a table of levels and drops, texts not yet escaped."""
    for c in table["cells"]:
        yield [
            c["subject"],
            c["kind"],
            str(c["n"]),
            shown(c["originals"]),
            shown(c["variants"]),
            shown(c["drop"] or c["change"], True),
        ]


def _checked(summary: Mapping[str, Any], table: Row) -> str:
    """How far the judge behind a headline table was checked."""
    return judging.checked(summary, table["cells"][0]) if table["cells"] else ""


GAINS = ("Subject", "Kind", "Prompts", "Gain on originals", "Gain on variants", "DiD", "p (Holm)")
LEVELS = ("Subject", "Kind", "Prompts", "On originals", "On variants", "Drop")


def markdown(summary: Mapping[str, Any], manifest: Manifest) -> str:
    """The finding, the lights and the headline tables, for a pull request."""
    finding = summary["finding"]
    lines = [f"## Jostle: {md(manifest.name)}", "", f"**{md(finding['sentence'])}**", ""]
    for subject in finding["subjects"]:
        lines += [md(" ".join([subject["robustness"], *subject["also"]])), ""]
    lines += [md(finding["rests_on"]), ""]
    lines += [f"- {md(caution)}" for caution in finding["cautions"]]
    lines += [*([""] if finding["cautions"] else [])]
    lines += _table(
        ("Question", "", "Answer"),
        (
            [
                f"{x['subject']}: {x['question']}" if x["subject"] else x["question"],
                x["word"],
                x["answer"],
            ]
            for x in summary["lights"]
        ),
    )
    for table in page.headline_tables(summary):
        lines += ["", f"### {md(table['label'])}", ""]
        if said := _checked(summary, table):
            lines += [md(f"The judge {said}."), ""]
        if table["contrasts"]:
            lines += [*_table(GAINS, gain_rows(table)), ""]
        lines += _table(LEVELS, level_rows(table))
    failed = sum(f["count"] for f in summary["failures"] if f["stage"] != "variants")
    lines += [
        "",
        f"{plural(summary['prompts'], 'source prompt')}, {plural(failed, 'failure')};"
        f" {100 * summary['level']:.0f}% intervals over source prompts. Made again with"
        f" `{visible(manifest.command).replace('`', ' ')}`.",
        "",
    ]
    return "\n".join(lines)


def model_card(summary: Mapping[str, Any], manifest: Manifest) -> str:
    """A section for a model card, with Hugging Face ``model-index`` metadata in front.

    One result a compared subject: the headline measures on originals and on reworded prompts.
    """
    import yaml

    names = page.labels(summary)
    index = []
    for subject in summary["subjects"]:
        if subject == summary["baseline"] and len(summary["subjects"]) > 1:
            continue
        results = []
        for key in map(tuple, summary["headline"]["measures"]):
            cell = next(
                (
                    c
                    for c in summary["cells"]
                    if (c["judge"], c["dimension"]) == key
                    and (c["subject"], c["kind"]) == (subject, ALL)
                ),
                None,
            )
            if cell is None:
                continue
            metrics = [
                {
                    "type": f"{key[0]}_{key[1]}_{where}",
                    "name": f"{names[key]} on {where} prompts",
                    "value": estimate["mean"],
                    "args": {k: estimate[k] for k in ("low", "high", "n")},
                }
                for where, estimate in (
                    ("original", cell["originals"]),
                    ("reworded", cell["variants"]),
                )
                if estimate
            ]
            results.append(
                {
                    "task": {"type": "text-generation"},
                    "dataset": {
                        "name": _data_name(manifest),
                        "type": "jostle",
                    },
                    "metrics": metrics,
                }
            )
        index.append({"name": subject, "results": results})
    front = yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=False, width=1000)
    return f"---\n{front}---\n\n{markdown(summary, manifest)}"


def _data_name(manifest: Manifest) -> str:
    """The evaluation data's name without the folder it lies in on this machine."""
    path = str(manifest.data.get("evaluation", {}).get("path") or manifest.name)
    return path if path.startswith(("hub:", "bundled:")) else PurePath(path).name


_TEX = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\textquotedbl{}",
    "−": "$-$",
    "±": r"$\pm$",
    "–": "--",
}


def tex(text: str) -> str:
    """A text that LaTeX sets as it is."""
    return "".join(_TEX.get(c, c) for c in visible(text).replace("\n", " "))


def latex(summary: Mapping[str, Any]) -> str:
    """The headline tables with booktabs, one ``table`` each."""
    parts = ["% \\usepackage{booktabs}, and \\usepackage[T1]{fontenc} for quotation marks"]
    for table in page.headline_tables(summary):
        label = tex(table["label"])
        if said := _checked(summary, table):
            label += f" (the judge {tex(said)})"
        if table["contrasts"]:
            caption = f"{label}: gain over {tex(summary['baseline'])}"
            parts.append(_tabular(GAINS, gain_rows(table), caption))
        parts.append(_tabular(LEVELS, level_rows(table), f"{label}: levels and drops"))
    return "\n\n".join(parts) + "\n"


def _tabular(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
    lines = [
        r"\begin{table}",
        r"\centering",
        rf"\caption{{{caption}. Brackets are 95\,\% intervals over source prompts.}}",
        rf"\begin{{tabular}}{{ll{'r' * (len(header) - 2)}}}",
        r"\toprule",
        " & ".join(tex(cell) for cell in header) + r" \\",
        r"\midrule",
        *(" & ".join(tex(cell) for cell in row) + r" \\" for row in rows),
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines)
