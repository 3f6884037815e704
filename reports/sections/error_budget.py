"""What the next run should spend on: components of variance, and what each step buys."""

from __future__ import annotations

from harness.analysis.error_budget_schema import ErrorBudget, VarianceComponent
from harness.analysis.error_words import DIFFERENCE_WORDS, SOURCE_WORDS, step_words
from harness.util.formatting import figure
from reports.sections.section import PageData, PageSection

SHORT = {"gain_originals": "originals", "gain_variants": "reworded", "did": "difference (DiD)"}
"""The differences, as the columns of the page's tables call them."""


def component_text(row: VarianceComponent) -> str:
    """Return a component's standard deviation with its interval: ``0.41 [0.30, 0.52]``."""
    if row.variance is None:
        return "not told apart"
    roots = [None if v is None else max(v, 0.0) ** 0.5 for v in (row.variance, row.low, row.high)]
    text = figure(roots[0])
    return text if None in roots else f"{text} [{figure(roots[1])}, {figure(roots[2])}]"


def component_rows(budget: ErrorBudget) -> list[tuple[str, str, str]]:
    """Return source, standard deviation and share of each component, as text."""
    return [
        (
            SOURCE_WORDS[row.source]
            + (f" (with {', '.join(row.includes)})" if row.includes else ""),
            component_text(row),
            "–" if row.share is None else f"{figure(100 * row.share, 0)}%",
        )
        for row in budget.components
    ]


def lever_rows(budget: ErrorBudget) -> list[tuple[str, ...]]:
    """Return the cells of each step: difference, step, what it takes off, its cost, what halves."""
    return [
        (
            SHORT[row.difference],
            step_words(row),
            f"{figure(100 * (1 - row.factor), 0)}%",
            f"{row.answers:,}",
            f"{row.judgements:,}",
            f"{row.labels:,}" if row.labels else "–",
            "–" if row.halves_at is None else f"{row.halves_at:,.0f}",
        )
        for row in budget.levers
    ]


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    return {
        "budgets": [
            (budget, component_rows(budget), lever_rows(budget))
            for budget in page.summary.error_budgets
        ],
        "difference_words": DIFFERENCE_WORDS,
    }


SECTION = PageSection(
    "spend",
    "What to spend on",
    "error_budget",
    context,
    applies=lambda page: bool(page.summary.error_budgets),
)
