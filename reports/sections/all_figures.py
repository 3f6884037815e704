"""All figures: every measure, kind and subject in one table."""

from __future__ import annotations

from reports.sections.section import PageData, PageSection


def context(page: PageData) -> dict[str, object]:
    """Set every cell beside the contrast of the same subject, measure and kind."""
    summary = page.summary
    contrasts = {
        (row.subject, row.measure, row.kind): row
        for row in summary.contrasts
        if row.scope == summary.headline.scope
    }
    return {
        "figure_rows": [
            (cell, contrasts.get((cell.subject, cell.measure, cell.kind))) for cell in summary.cells
        ]
    }


SECTION = PageSection("figures", "All figures", "all_figures", context)
