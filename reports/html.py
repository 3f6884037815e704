"""One self-contained page from a run directory: the finding first, then what it rests on."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

from harness.analysis import ALL
from harness.analysis.summary_schema import Summary
from harness.pipeline.store import Run
from harness.records import Manifest
from harness.util.files import readable_os_errors, write_atomically
from reports import explorer
from reports.charts import draw_all
from reports.display import HELPERS, visible
from reports.drawing import Chart
from reports.rows import checked_briefly, incomplete, judge_note, label_of, leading_measure
from reports.sample_views import SampleView, join
from reports.sections import (
    all_figures,
    data_and_noise,
    error_budget,
    finding,
    judges,
    kinds,
    memorisation,
    run,
    searched,
    topics,
    unanswerable,
    worst_cases,
)
from reports.sections.section import PageData, PageSection

if TYPE_CHECKING:
    from jinja2 import Environment

SECTIONS = (
    finding.SECTION,
    memorisation.SECTION,
    kinds.SECTION,
    PageSection(
        "severity", "Severity", "severity", applies=lambda page: bool(page.charts_of("severity"))
    ),
    worst_cases.SECTION,
    searched.SECTION,
    topics.SECTION,
    PageSection("samples", "Samples", "samples"),
    data_and_noise.SECTION,
    error_budget.SECTION,
    judges.SECTION,
    unanswerable.SECTION,
    PageSection("failures", "Failures", "failures"),
    all_figures.SECTION,
    run.SECTION,
    PageSection("methods", "Methods", "methods"),
)
"""The sections of the page, in its order."""

CHUNK_FOLDER = "report-samples"
INLINE_CHARACTERS = 20_000_000
"""Up to here the samples lie in the page itself; beyond, in files beside it, loaded on demand."""


def render(run_dir: Path) -> Path:
    """Write ``report.html`` and ``figures/`` of a run that was analysed; return the page's path.

    Raises:
        StoreError: The run has no summary, or its folder cannot be written.
    """
    opened = Run.open(run_dir)
    summary = opened.summary()
    records = opened.records(summary.subjects, summary.baseline)
    return write_page(opened.root, opened.manifest(), summary, join(records))


def write_page(
    folder: Path, manifest: Manifest, summary: Summary, views: Sequence[SampleView]
) -> Path:
    """Write the page, its charts and, where they are many, its samples into a folder.

    Raises:
        StoreError: The folder cannot be written.
    """
    page = PageData(manifest, summary, views, draw_all(summary))
    write_figures(folder / "figures", [placed.chart for placed in page.charts])
    index, chunks = explorer.build(views, summary, leading_measure(summary))
    beside = sum(map(len, chunks)) > INLINE_CHARACTERS
    write_chunks(folder / CHUNK_FOLDER, chunks if beside else [])
    js = template_text("report.js")
    others = [subject for subject in summary.subjects if subject != summary.baseline]
    against = f"{', '.join(others)} against " if others else ""
    template = _environment(summary).get_template("report.html.j2")
    html = template.render(
        manifest=manifest,
        summary=summary,
        compared=against + summary.baseline,
        sections=_sections(page),
        chunk_folder=CHUNK_FOLDER if beside else "",
        index=index,
        chunks=[] if beside else chunks,
        css=template_text("report.css"),
        js=js,
        policy=_security_policy(js, beside),
    )
    path = folder / "report.html"
    write_atomically(path, html)
    return path


def write_figures(folder: Path, charts: Sequence[Chart]) -> None:
    """Write charts as SVG and PNG files, in place of those of an earlier rendering."""
    with readable_os_errors(folder, "be written"):
        folder.mkdir(exist_ok=True)
        for old in (*folder.glob("*.svg"), *folder.glob("*.png")):
            old.unlink()
        for chart in charts:
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
            script = f'jostleChunk({number},"{chunk}")'
            (folder / f"{number}.js").write_text(script, encoding="ascii")


def _sections(page: PageData) -> list[tuple[PageSection, str]]:
    """Fill the template of every section that applies."""
    from markupsafe import Markup

    environment = _environment(page.summary)
    charts = environment.get_template("charts.html.j2")

    def body(section: PageSection) -> str:
        drawn = Markup(charts.render(placed=page.charts_of(section.id)).strip())
        template = environment.get_template(f"{section.template}.html.j2")
        return template.render(summary=page.summary, charts=drawn, **section.context(page))

    return [(section, Markup(body(section))) for section in SECTIONS if section.applies(page)]


def template_text(name: str) -> str:
    """Return the text of a shipped template: one of a section, or one that all share."""
    places = (files(package) / name for package in ("reports.sections", "reports.templates"))
    return next(place for place in places if place.is_file()).read_text(encoding="utf-8")


def _environment(summary: Summary) -> Environment:
    """Return the environment that fills templates; every value is escaped."""
    from jinja2 import Environment, FunctionLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=FunctionLoader(template_text),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["visible"] = lambda value: (
        value if isinstance(value, Markup) else visible(str(value))
    )
    of_summary: dict[str, Callable[..., str]] = {
        function.__name__: partial(function, summary)
        for function in (label_of, judge_note, checked_briefly, incomplete)
    }
    environment.globals.update(HELPERS, ALL=ALL, **of_summary)
    return environment


def _security_policy(js: str, beside: bool) -> str:
    """Allow our one script by its hash, and files beside the page where the samples lie there."""
    sha = base64.b64encode(hashlib.sha256(js.encode()).digest()).decode()
    files_beside = " 'self' file:" if beside else ""
    return (
        f"default-src 'none'; script-src 'sha256-{sha}'{files_beside};"
        " style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"
    )
