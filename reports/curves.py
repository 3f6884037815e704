"""Charts of curves: scores over the severity of a rewording, and over the number of rewordings."""

from __future__ import annotations

import math
from operator import add, sub
from typing import Any

from harness.analysis import ALL
from harness.analysis.estimates import Measure
from harness.analysis.summary_schema import Summary
from harness.util.formatting import figure
from reports import style
from reports.drawing import Chart, arms, draw, looks, short, slug
from reports.rows import label_of

LEVELS = ("light", "medium", "heavy")
MAX_ALT = 4000


def severity(summary: Summary, measure: Measure) -> Chart | None:
    """Draw the change at rising severity, a panel a kind."""
    label = label_of(summary, measure)
    points = [
        (point, point.change)
        for point in summary.severities
        if point.measure == measure and point.change
    ]
    kinds = list(dict.fromkeys(point.kind for point, _ in points))
    if not kinds:
        return None
    subjects = looks(summary)
    columns = min(3, len(kinds))
    lines = math.ceil(len(kinds) / columns)

    def paint(page: Any) -> None:
        panels = page.subplots(lines, columns, squeeze=False, sharey=True).ravel()
        for panel in panels[len(kinds) :]:
            panel.set_axis_off()
        for panel, kind in zip(panels, kinds, strict=False):
            panel.axhline(0, color=style.MUTED, lw=1)
            panel.set_title(short(kind))
            for i, (subject, look) in enumerate(subjects.items()):
                curve = [
                    (point, change)
                    for point, change in points
                    if (point.kind, point.subject) == (kind, subject)
                ]
                panel.errorbar(
                    [LEVELS.index(point.severity) + 0.08 * i for point, _ in curve],
                    [change.mean for _, change in curve],
                    yerr=arms(change for _, change in curve),
                    lw=1.6,
                    elinewidth=1.2,
                    **look,
                )
            panel.set_xticks(range(len(LEVELS)), LEVELS)
            panel.set_xlim(-0.4, 2.5)
        panels[0].set_ylabel("change against the originals")
        handles, labels = panels[0].get_legend_handles_labels()
        page.legend(handles, labels, loc="outside upper left", ncols=4)

    parts = (
        f"{point.kind} {point.severity}, {point.subject}: {figure(change.mean, 3)}"
        for point, change in points
    )
    return draw(
        f"severity-{slug(label)}",
        f"{label}: change at rising severity",
        f"Change against the originals of the same prompts. {'; '.join(parts)}."[:MAX_ALT],
        paint,
        (2.6 * columns + 1.0, 2.7 * lines + 0.5),
    )


def worst_of_k(summary: Summary, measure: Measure) -> Chart | None:
    """Draw the expected worst score of k rewordings of a prompt as k grows."""
    label = label_of(summary, measure)
    points = [
        (point, point.expected_worst)
        for point in summary.worst
        if (point.measure, point.kind) == (measure, ALL) and point.expected_worst
    ]
    if max((point.k for point, _ in points), default=0) < 2:
        return None

    def paint(page: Any) -> None:
        axis = page.add_subplot()
        for subject, look in looks(summary).items():
            curve = [(point.k, worst) for point, worst in points if point.subject == subject]
            x, y = [k for k, _ in curve], [worst.mean or 0.0 for _, worst in curve]
            axis.plot(x, y, lw=1.8, **look)
            below, above = arms(worst for _, worst in curve)
            low, high = list(map(sub, y, below)), list(map(add, y, above))
            axis.fill_between(x, low, high, color=look["color"], alpha=0.14, lw=0)
        axis.set_xlabel("k, variants of one prompt (k = 1 is the mean)")
        axis.set_ylabel("expected worst score")
        axis.set_xticks(sorted({point.k for point, _ in points}))
        page.legend(loc="outside upper left", ncols=4)

    parts = (f"{point.subject}, k {point.k}: {figure(worst.mean, 3)}" for point, worst in points)
    return draw(
        f"worst-{slug(label)}",
        f"{label}: the worst of k rewordings",
        f"{'; '.join(parts)}."[:MAX_ALT],
        paint,
        (6.2, 3.3),
    )
