"""One self-contained page from a run directory: the finding first, then what it rests on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from importlib.resources import files
from pathlib import Path
from typing import Any

from harness.analysis import ALL
from harness.pipeline.store import Run
from harness.records import IDENTITY, Manifest
from harness.util.files import readable_os_errors, write_atomically
from reports import charts, drawing, explorer
from reports import rows as page
from reports.drawing import Chart
from reports.samples import SampleView, join
from reports.sanitise import visible
from reports.sections import judges as judging
from reports.sections import memorisation as memory
from reports.sections import unanswerable as unknown

TOC = (
    ("finding", "Finding"),
    ("memory", "Learned?"),
    ("kinds", "Kinds"),
    ("severity", "Severity"),
    ("worst", "Worst cases"),
    ("topics", "Topics"),
    ("samples", "Samples"),
    ("audit", "Data and noise"),
    ("judges", "Judges"),
    ("unknown", "Unknown"),
    ("failures", "Failures"),
    ("figures", "All figures"),
    ("run", "Run"),
    ("methods", "Methods"),
)


CHUNK_FOLDER = "report-samples"
INLINE_CHARACTERS = 20_000_000
"""Up to here the samples lie in the page itself; beyond, in files beside it, loaded when looked at."""


def render(run_dir: Path) -> Path:
    """Write ``report.html`` and ``figures/`` of a run that was analysed.

    Args:
        run_dir: The run directory.

    Returns:
        The page's path.

    Raises:
        StoreError: The run has no summary, or its folder cannot be written.
    """
    run = Run.open(run_dir)
    summary = run.summary()
    return write_page(run.root, run.manifest(), summary, join(run, summary["subjects"]))


def write_page(
    folder: Path, manifest: Manifest, summary: dict[str, Any], views: Sequence[SampleView]
) -> Path:
    """Write the page, its charts and, where they are many, its samples into a folder.

    Args:
        folder: Where to.
        manifest: What the run (or the comparison) was made from.
        summary: Its figures.
        views: Its samples with answers and scores.

    Returns:
        The page's path.

    Raises:
        StoreError: The folder cannot be written.
    """
    drawn = draw_all(summary)
    write_figures(folder / "figures", drawn.values())
    measure = page.listed_measure(summary)
    index, chunks = explorer.build(views, summary, measure)
    beside = sum(map(len, chunks)) > INLINE_CHARACTERS
    write_chunks(folder / CHUNK_FOLDER, chunks if beside else [])
    context = {
        "chunk_folder": CHUNK_FOLDER if beside else "",
        "name": manifest.name,
        "date": (manifest.finished or manifest.created)[:10],
        "manifest": manifest,
        "manifest_json": manifest.model_dump_json(indent=2),
        "facts": page.facts(manifest, summary),
        "examples": page.examples(views, measure, summary["baseline"]),
        "listed_label": measure["label"] if measure else "",
        "index": index,
        "chunks": [] if beside else chunks,
        **_figures(summary, drawn),
        **_words(summary),
    }
    path = folder / "report.html"
    write_atomically(path, fill(context))
    return path


def draw_all(summary: dict[str, Any]) -> dict[str, Chart]:
    """Every chart of a summary, by name."""
    return {chart.name: chart for chart in _draw(summary)}


def _draw(summary: dict[str, Any]) -> Iterator[Chart]:
    for data in summary["radar"]:
        if chart := charts.radar(summary, data):
            yield chart
    for judge, dimension in summary["headline"]["measures"]:
        for draw in (charts.gains, charts.drops, charts.severity, charts.worst_curve):
            if chart := draw(summary, judge, dimension):
                yield chart
    if chart := charts.heatmap(summary):
        yield chart
    yield from memory.draw(summary)


def write_figures(folder: Path, drawn: Any) -> None:
    """Write charts as SVG and PNG files, in place of those of an earlier rendering."""
    with readable_os_errors(folder, "be written"):
        folder.mkdir(exist_ok=True)
        for old in (*folder.glob("*.svg"), *folder.glob("*.png")):
            old.unlink()
        for chart in drawn:
            (folder / f"{chart.name}.svg").write_text(chart.svg, encoding="utf-8")
            (folder / f"{chart.name}.png").write_bytes(chart.png)


def write_chunks(folder: Path, chunks: Sequence[str]) -> None:
    """Write sample chunks as scripts (a page from a file may load nothing else); clear old ones."""
    with readable_os_errors(folder, "be written"):
        for old in folder.glob("*.js"):
            old.unlink()
        if chunks:
            folder.mkdir(exist_ok=True)
        elif folder.is_dir() and not any(folder.iterdir()):
            folder.rmdir()
        for number, chunk in enumerate(chunks):
            (folder / f"{number}.js").write_text(
                f'jostleChunk({number},"{chunk}")', encoding="ascii"
            )


def _figures(summary: dict[str, Any], drawn: dict[str, Chart]) -> dict[str, Any]:
    names = page.labels(summary)
    slugs = [drawing.slug(names[tuple(m)]) for m in summary["headline"]["measures"]]

    def of(stem: str) -> list[Chart]:
        return [drawn[f"{stem}-{s}"] for s in slugs if f"{stem}-{s}" in drawn]

    lead = slugs[:1]
    return {
        "radars": [
            (data, drawn[f"radar-{s}"])
            for data, s in zip(summary["radar"], slugs, strict=True)
            if f"radar-{s}" in drawn and s in lead
        ],
        "gain_charts": of("gains")[:1],
        "drop_charts": of("drops"),
        "severity_charts": of("severity"),
        "worst_charts": of("worst"),
        "heatmap": drawn.get("heatmap"),
    }


def _words(summary: dict[str, Any]) -> dict[str, Any]:
    others = [s for s in summary["subjects"] if s != summary["baseline"]]
    headline = [tuple(m) for m in summary["headline"]["measures"]]
    lower = any(
        m["higher_is_better"] is False
        for m in summary["measures"]
        if (m["judge"], m["dimension"]) in headline
    )
    sections = {
        "severity": bool(summary["severities"]),
        "topics": bool(_topics(summary)),
        "unknown": "unknown" in summary,
        "memory": bool(summary.get("memorisation")),
    }
    return {
        "summary": summary,
        "finding": summary["finding"],
        "ALL": ALL,
        "subjects_line": f"{', '.join(others)} against {summary['baseline']}"
        if others
        else summary["baseline"],
        "label_of": lambda row: page.labels(summary)[row["judge"], row["dimension"]],
        "has_llm": any(j["llm"] for j in summary["judges"].values()),
        "has_identity": any(k["name"] == IDENTITY for k in summary["kinds"]),
        "kind_words": page.kind_words(summary),
        "right_is": "worse" if lower else "better",
        "light_groups": page.light_groups(summary),
        "headline_tables": page.headline_tables(summary),
        "topics": _topics(summary),
        "leak_rows": page.leak_rows(summary),
        "leak_gaps": page.leak_gaps(summary),
        "noise_lines": page.noise_lines(summary),
        "identity_worst": page.identity_worst(summary),
        "all_rows": page.all_rows(summary),
        **judging.context(summary),
        **unknown.context(summary),
        **memory.context(summary),
        "toc": [(id_, label) for id_, label in TOC if sections.get(id_, True)],
    }


def _topics(summary: dict[str, Any]) -> list[dict[str, Any]]:
    lead = summary["headline"]["measures"][:1]
    return [
        row
        for row in summary["topics"]
        if [row["judge"], row["dimension"]] in lead and row["kind"] == ALL
    ]


def template(name: str) -> str:
    """A shipped template's text."""
    return (files("reports.templates") / name).read_text(encoding="utf-8")


def fill(context: dict[str, Any], name: str = "report.html.j2") -> str:
    """Fill a template; every value is escaped, and the page may run our one script and no other."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(template),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = lambda value: (
        value if isinstance(value, Markup) else visible(str(value))
    )
    environment.globals.update(page.HELPERS)
    js = template("report.js")
    sha = base64.b64encode(hashlib.sha256(js.encode()).digest()).decode()
    # Samples too many for the page are scripts beside it.
    beside = " 'self' file:" if context.get("chunk_folder") else ""
    policy = (
        f"default-src 'none'; script-src 'sha256-{sha}'{beside}; style-src 'unsafe-inline'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )
    return environment.get_template(name).render(
        **context, css=template("report.css"), js=js, csp=policy
    )
