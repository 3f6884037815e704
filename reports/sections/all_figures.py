"""All figures: every measure, kind and subject in one table."""

from __future__ import annotations

from harness.analysis.estimates import Contrast, SummaryCell
from harness.analysis.summary_schema import Summary
from reports.sections.section import PageData, PageSection


def figure_rows(summary: Summary) -> list[tuple[SummaryCell, Contrast | None]]:
    """Return every cell beside the contrast of the same subject, measure and kind."""
    contrasts = {
        (row.subject, row.measure, row.kind): row
        for row in summary.contrasts
        if row.scope == summary.headline.scope
    }
    return [
        (cell, contrasts.get((cell.subject, cell.measure, cell.kind))) for cell in summary.cells
    ]


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    return {"figure_rows": figure_rows(page.summary)}


SECTION = PageSection("figures", "All figures", "all_figures", context)
