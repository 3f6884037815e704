"""By kind of rewording: what each kind costs, and the tables of the headline measures."""

from __future__ import annotations

from reports.rows import headline_tables
from reports.sections.section import PageData, PageSection


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    described = [kind for kind in page.summary.kinds if kind.description]
    return {
        "glossary": "; ".join(f"{kind.name}: {kind.description}" for kind in described),
        "headline_tables": headline_tables(page.summary),
    }


SECTION = PageSection("kinds", "Kinds", "kinds", context)
