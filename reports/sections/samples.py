"""The sample explorer: an empty frame that the page's script fills from packed data."""

from __future__ import annotations

from reports.sections.section import PageSection

SECTION = PageSection("samples", "Samples", "samples")
