"""By kind of rewording: what each kind costs, and the tables of the headline measures."""

from __future__ import annotations

from harness.variants.kinds import descriptions
from reports.rows import headline_tables
from reports.sections.section import PageData, PageSection


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    lines = descriptions(kind.name for kind in page.summary.kinds)
    return {
        "glossary": "; ".join(f"{name}: {line}" for name, line in lines.items()),
        "headline_tables": headline_tables(page.summary),
    }


SECTION = PageSection("kinds", "Kinds", "kinds", context)
