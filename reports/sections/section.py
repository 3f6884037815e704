"""What a section of the page is, and what it is made from."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from harness.analysis.summary_schema import Summary
from harness.records import Manifest
from reports.charts import PlacedChart
from reports.sample_views import SampleView


@dataclass(frozen=True)
class PageData:
    """All that the page of a run, or of a comparison, is made from."""

    manifest: Manifest
    summary: Summary
    views: Sequence[SampleView]
    charts: Sequence[PlacedChart]

    def charts_of(self, section: str) -> list[PlacedChart]:
        """Return the charts that a section shows."""
        return [placed for placed in self.charts if placed.section == section]


@dataclass(frozen=True)
class PageSection:
    """One section of the page.

    Attributes:
        id: Its anchor.
        title: Its name in the contents.
        template: Stem of its template, in this folder.
        context: Names for its template, beyond ``summary`` and ``charts``, which all have.
        applies: Whether the page has it.
    """

    id: str
    title: str
    template: str
    context: Callable[[PageData], Mapping[str, object]] = lambda _: {}
    applies: Callable[[PageData], bool] = lambda _: True
