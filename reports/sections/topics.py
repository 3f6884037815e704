"""By topic: the gains of the leading measure, exploratory."""

from __future__ import annotations

from harness.analysis import ALL
from harness.analysis.estimates import Contrast
from reports.sections.section import PageData, PageSection


def topic_rows(page: PageData) -> list[Contrast]:
    """Return the contrasts of every topic on the leading measure, all kinds together."""
    leading = page.summary.headline.measures[:1]
    return [row for row in page.summary.topics if row.measure in leading and row.kind == ALL]


SECTION = PageSection(
    "topics",
    "Topics",
    "topics",
    context=lambda page: {"topics": topic_rows(page)},
    applies=lambda page: bool(topic_rows(page)),
)
