"""The finding and the headline tables as documents: Markdown, a model card, LaTeX."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import PurePath

from harness.analysis import ALL
from harness.analysis.estimates import Interval, SummaryCell
from harness.analysis.summary_schema import Summary
from harness.records import Manifest
from harness.util.formatting import plural
from reports.display import interval_text, mean_text, p_value, visible
from reports.rows import HeadlineTable, headline_tables, judge_note, label_of

GAINS = ("Subject", "Kind", "Prompts", "Gain on originals", "Gain on variants", "DiD", "p (Holm)")
LEVELS = ("Subject", "Kind", "Prompts", "On originals", "On variants", "Drop")


def estimate_text(estimate: Interval | None, sign: bool = False) -> str:
    """Format as ``+0.42 [0.25, 0.60]``; a dash for none."""
    if estimate is None or estimate.mean is None:
        return "–"
    return f"{mean_text(estimate, sign)} {interval_text(estimate)}".strip()


def gain_rows(table: HeadlineTable) -> Iterator[list[str]]:
    """Yield the cells of a table of gains, texts not yet escaped."""
    for row in table.contrasts:
        yield [
            row.subject,
            row.kind,
            str(row.n),
            estimate_text(row.gain_originals, True),
            estimate_text(row.gain_variants, True),
            estimate_text(row.did, True),
            p_value(row.did),
        ]


def level_rows(table: HeadlineTable) -> Iterator[list[str]]:
    """Yield the cells of a table of levels and drops, texts not yet escaped."""
    for cell in table.cells:
        yield [
            cell.subject,
            cell.kind,
            str(cell.n),
            estimate_text(cell.originals),
            estimate_text(cell.variants),
            estimate_text(cell.drop, True),
        ]


def md(text: str) -> str:
    """Escape a text so that Markdown, and the HTML it becomes, show it as it is."""
    return re.sub(r"([\\`*_{}\[\]<>#|~$!&])", r"\\\1", visible(text)).replace("\n", " ")


def _md_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """Yield the lines of a Markdown table."""
    yield "| " + " | ".join(header) + " |"
    yield "|" + "|".join([" --- "] * len(header)) + "|"
    for row in rows:
        yield "| " + " | ".join(md(cell) for cell in row) + " |"


def markdown(summary: Summary, manifest: Manifest) -> str:
    """Return the finding, the traffic lights and the headline tables, for a pull request."""
    finding = summary.finding
    lines = [f"## Jostle: {md(manifest.name)}", "", f"**{md(finding.sentence)}**", ""]
    for subject in finding.subjects:
        lines += [md(" ".join([subject.robustness, *subject.also])), ""]
    lines += [md(finding.rests_on), ""]
    if finding.cautions:
        lines += [*(f"- {md(caution)}" for caution in finding.cautions), ""]
    lines += _md_table(
        ("Question", "", "Answer"),
        (
            [
                f"{light.subject}: {light.question}" if light.subject else light.question,
                light.word,
                light.answer,
            ]
            for light in summary.traffic_lights
        ),
    )
    for table in headline_tables(summary):
        lines += ["", f"### {md(table.label)}", ""]
        if note := judge_note(summary, table.measure):
            lines += [md(f"The {note}."), ""]
        if table.contrasts:
            lines += [*_md_table(GAINS, gain_rows(table)), ""]
        lines += _md_table(LEVELS, level_rows(table))
    failed = sum(group.count for group in summary.failures if group.stage != "variants")
    lines += [
        "",
        f"{plural(summary.prompts, 'source prompt')}, {plural(failed, 'failure')};"
        f" {100 * summary.level:.0f}% intervals over source prompts. Repeat with"
        f" `{visible(manifest.command).replace('`', ' ')}`.",
        "",
    ]
    return "\n".join(lines)


def model_card(summary: Summary, manifest: Manifest) -> str:
    """Return a section for a model card, with Hugging Face ``model-index`` metadata in front.

    One result a compared subject: the headline measures on originals and on reworded prompts.
    """
    import yaml

    compared = [s for s in summary.subjects if s != summary.baseline or len(summary.subjects) == 1]
    index = [
        {"name": subject, "results": _card_results(summary, manifest, subject)}
        for subject in compared
    ]
    front = yaml.safe_dump({"model-index": index}, sort_keys=False, allow_unicode=False, width=1000)
    return f"---\n{front}---\n\n{markdown(summary, manifest)}"


def _card_results(summary: Summary, manifest: Manifest, subject: str) -> list[dict[str, object]]:
    cells = {
        cell.measure: cell for cell in summary.cells if (cell.subject, cell.kind) == (subject, ALL)
    }
    return [
        {
            "task": {"type": "text-generation"},
            "dataset": {"name": _data_name(manifest), "type": "jostle"},
            "metrics": _card_metrics(cells[measure], label_of(summary, measure)),
        }
        for measure in summary.headline.measures
        if measure in cells
    ]


def _card_metrics(cell: SummaryCell, label: str) -> list[dict[str, object]]:
    return [
        {
            "type": f"{cell.judge}_{cell.dimension}_{where}",
            "name": f"{label} on {where} prompts",
            "value": estimate.mean,
            "args": {"low": estimate.low, "high": estimate.high, "n": estimate.n},
        }
        for where, estimate in (("original", cell.originals), ("reworded", cell.variants))
        if estimate
    ]


def _data_name(manifest: Manifest) -> str:
    """Return the evaluation data's name without the folder it lies in on this machine."""
    path = str(manifest.data.get("evaluation", {}).get("path") or manifest.name)
    return path if path.startswith(("hub:", "bundled:")) else PurePath(path).name


_TEX = {character: f"\\{character}" for character in "&%$#_{}"} | {
    "\\": r"\textbackslash{}",
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
    """Escape a text so that LaTeX sets it as it is."""
    return "".join(_TEX.get(c, c) for c in visible(text).replace("\n", " "))


def latex(summary: Summary) -> str:
    """Return the headline tables with booktabs, one ``table`` each."""
    parts = ["% \\usepackage{booktabs}, and \\usepackage[T1]{fontenc} for quotation marks"]
    for table in headline_tables(summary):
        label = tex(table.label)
        if note := judge_note(summary, table.measure):
            label += f" (the {tex(note)})"
        if table.contrasts:
            caption = f"{label}: gain over {tex(summary.baseline)}"
            parts.append(_tex_table(GAINS, gain_rows(table), caption))
        parts.append(_tex_table(LEVELS, level_rows(table), f"{label}: levels and drops"))
    return "\n\n".join(parts) + "\n"


def _tex_table(header: Sequence[str], rows: Iterable[Sequence[str]], caption: str) -> str:
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
