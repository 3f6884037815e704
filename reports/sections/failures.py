"""Failures at every stage, and the count of answers."""

from __future__ import annotations

from reports.sections.section import PageSection

SECTION = PageSection("failures", "Failures", "failures")
