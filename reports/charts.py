"""The charts of the page: one list. A new chart is a function and an entry of ``CHARTS``."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from harness.analysis.estimates import Measure
from harness.analysis.summary_schema import Summary
from harness.records import IDENTITY
from reports.bars import drops, gains, memorisation_gains, memorisation_shares
from reports.curves import severity, worst_of_k
from reports.drawing import Chart
from reports.maps import heatmap, radar
from reports.rows import scale_of


@dataclass(frozen=True)
class ChartEntry:
    """One chart, or one chart a headline measure.

    Attributes:
        section: Id of the section that shows it.
        draw: Draws it from the summary; made by ``once`` or ``by_measure``.
        caption: The line under its title, or a function of the summary that words it.
        leading_only: The page shows it for the leading measure only; ``figures/`` has them all.
        wide: It takes the whole width of the page.
    """

    section: str
    draw: Callable[[Summary], Iterable[Chart]]
    caption: str | Callable[[Summary], str] = ""
    leading_only: bool = False
    wide: bool = False


@dataclass(frozen=True)
class PlacedChart:
    """A drawn chart and its place on the page; no section where only ``figures/`` has it."""

    chart: Chart
    section: str | None
    caption: str
    wide: bool


def once(draw: Callable[[Summary], Chart | None]) -> Callable[[Summary], Iterable[Chart]]:
    """Draw one chart of the whole summary, where the function returns one."""
    return lambda summary: [chart] if (chart := draw(summary)) else []


def by_measure(
    draw: Callable[[Summary, Measure], Chart | None],
) -> Callable[[Summary], Iterable[Chart]]:
    """Draw one chart for each headline measure, where the function returns one."""
    return lambda summary: [
        replace(chart, measure=measure)
        for measure in summary.headline.measures
        if (chart := draw(summary, measure))
    ]


def radar_caption(summary: Summary) -> str:
    """Say what the axes of the leading measure's radar chart rest on."""
    n = summary.radar[0].n
    basis = (
        f"Levels on the {n} prompts that have every kind."
        if n
        else "Level on the originals, moved by what each kind changes on its own prompts."
    )
    return f"{basis} The centre is not zero; intervals are in the bars."


def gains_caption(summary: Summary) -> str:
    """Say which side of zero is better."""
    scales = [scale_of(summary, measure) for measure in summary.headline.measures]
    lower = any(scale and scale.higher_is_better is False for scale in scales)
    corrected = any(row.corrected_gain_originals is not None for row in summary.contrasts)
    by_judge = "By the judge alone, not corrected by people. " if corrected else ""
    return (
        f"{by_judge}Right of zero is {'worse' if lower else 'better'}. Lines are 95% intervals: where one"
        " crosses zero, the difference may be chance. In brackets: prompts."
    )


def drops_caption(summary: Summary) -> str:
    """Say what a bar to the right means, and what ``identity`` is."""
    repeated = any(kind.name == IDENTITY for kind in summary.kinds)
    return "Bars to the right of zero lost quality." + (
        " “identity” is the same prompt, repeated unchanged." if repeated else ""
    )


CHARTS = (
    ChartEntry("finding", by_measure(radar), radar_caption, leading_only=True),
    ChartEntry("finding", by_measure(gains), gains_caption, leading_only=True),
    ChartEntry("memory", once(memorisation_gains), "Lines are intervals."),
    ChartEntry("memory", once(memorisation_shares), "Lines are intervals."),
    ChartEntry("kinds", by_measure(drops), drops_caption),
    ChartEntry(
        "kinds",
        once(heatmap),
        "Each cell: drop against the same prompts' originals, in percent of the measure's scale."
        " Orange is worse.",
        wide=True,
    ),
    ChartEntry("severity", by_measure(severity)),
    ChartEntry("worst", by_measure(worst_of_k)),
)
"""Every chart of the page, in the order of the page."""


def draw_all(summary: Summary) -> list[PlacedChart]:
    """Draw every chart that the summary has figures for."""
    leading = summary.headline.measures[:1]
    return [
        PlacedChart(
            chart,
            None if entry.leading_only and chart.measure not in leading else entry.section,
            entry.caption if isinstance(entry.caption, str) else entry.caption(summary),
            entry.wide,
        )
        for entry in CHARTS
        for chart in entry.draw(summary)
    ]
