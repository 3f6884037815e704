"""The change at rising severity of a rewording: a section of charts alone."""

from __future__ import annotations

from reports.sections.section import PageSection

SECTION = PageSection(
    "severity", "Severity", "severity", applies=lambda page: bool(page.charts_of("severity"))
)
