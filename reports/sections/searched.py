"""Worst cases by search: drops at an equal budget, and the rewordings that hurt most."""

from __future__ import annotations

from markupsafe import Markup

from harness.analysis.estimates import Measure
from harness.analysis.worst_found_schema import FoundCase, FoundExample, WorstFound
from reports.display import clipped, highlighted, visible
from reports.sections.section import PageData, PageSection

EXAMPLE_CHARACTERS = 1500


def marked_cases(example: FoundExample) -> list[tuple[FoundCase, Markup, str]]:
    """Return every subject's case with its rewording marked and the beginning of its answer."""
    return [
        (
            case,
            highlighted(example.prompt, case.edits)[1],
            "No answer."
            if case.answer is None
            else clipped(visible(case.answer), EXAMPLE_CHARACTERS),
        )
        for case in example.cases
    ]


def measures(worst: WorstFound) -> list[Measure]:
    """Return what scored the searches, in order."""
    return list(dict.fromkeys(row.measure for row in worst.rows))


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    worst = page.summary.worst_found
    assert worst is not None
    return {
        "worst": worst,
        "searched_measures": measures(worst),
        "found_examples": [(example, marked_cases(example)) for example in worst.examples],
    }


def applies(page: PageData) -> bool:
    """Return whether the run searched for worst cases."""
    return page.summary.worst_found is not None


SECTION = PageSection("searched", "Worst by search", "searched", context, applies)
