"""How the figures are made, in plain words."""

from __future__ import annotations

from reports.sections.section import PageSection

SECTION = PageSection("methods", "Methods", "methods")
