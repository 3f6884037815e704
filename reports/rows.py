"""Rows of the summary that several sections and exports show, with the names of their measures."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.estimates import Contrast, Measure, SummaryCell
from harness.analysis.summary_schema import MeasureScale, Summary


def scale_of(summary: Summary, measure: Measure) -> MeasureScale | None:
    """Return the scale of a measure; None where the summary has no such measure."""
    return next((scale for scale in summary.measures if scale.measure == measure), None)


def label_of(summary: Summary, measure: Measure) -> str:
    """Return a measure's name for people."""
    scale = scale_of(summary, measure)
    return scale.label if scale else " ".join(measure)


def leading_measure(summary: Summary) -> MeasureScale | None:
    """Return the measure that single answers are ranked by: the leading headline one, else any."""
    for measure in summary.headline.measures:
        return scale_of(summary, measure)
    oriented = [scale for scale in summary.measures if scale.higher_is_better is not None]
    return next(iter([*oriented, *summary.measures]), None)


@dataclass(frozen=True)
class HeadlineTable:
    """The rows of one headline measure.

    Attributes:
        label: The measure's name for people.
        measure: The measure.
        contrasts: Subjects against the baseline.
        cells: Each subject by itself.
    """

    label: str
    measure: Measure
    contrasts: tuple[Contrast, ...]
    cells: tuple[SummaryCell, ...]


def headline_tables(summary: Summary) -> list[HeadlineTable]:
    """Return a table for each headline measure."""
    scope = summary.headline.scope
    return [
        HeadlineTable(
            label_of(summary, measure),
            measure,
            tuple(row for row in summary.contrasts if (row.measure, row.scope) == (measure, scope)),
            tuple(cell for cell in summary.cells if cell.measure == measure),
        )
        for measure in summary.headline.measures
    ]
