"""Charts of many kinds or measures at once: the radar and the heat map."""

from __future__ import annotations

import math
from typing import Any

from harness.analysis import ALL
from harness.analysis.estimates import Measure
from harness.analysis.summary_schema import Summary
from harness.records import ORIGINAL
from harness.util.formatting import figure
from reports import style
from reports.drawing import Chart, draw, looks, short, slug
from reports.rows import label_of


def radar(summary: Summary, measure: Measure) -> Chart | None:
    """Draw the levels of all subjects on each kind; return None with fewer than three axes."""
    levels = next((row for row in summary.radar if row.measure == measure), None)
    if levels is None or len(levels.axes) < 3:
        return None
    axes = levels.axes
    values = {
        subject: [value for value in row if value is not None]
        for subject, row in levels.values.items()
    }
    if any(len(row) < len(axes) for row in values.values()):
        return None
    numbers = [value for row in values.values() for value in row]
    angles = [2 * math.pi * i / len(axes) for i in range(len(axes))]
    subjects = looks(summary)
    spread = (max(numbers) - min(numbers)) or 1e-3
    low, high = min(numbers) - 0.6 * spread, max(numbers) + 0.12 * spread

    def paint(page: Any) -> None:
        from matplotlib.ticker import MaxNLocator

        axis = page.add_subplot(projection="polar")
        axis.set_theta_offset(math.pi / 2)
        axis.set_theta_direction(-1)
        for subject, row in values.items():
            ring, turn = [*row, row[0]], [*angles, angles[0]]
            axis.plot(turn, ring, lw=1.8, **subjects[subject])
            if subject != summary.baseline:
                axis.fill(turn, ring, color=subjects[subject]["color"], alpha=0.10, lw=0)
        axis.set_ylim(low, high)
        axis.set_xticks(angles, [short(a, 16) for a in axes], color=style.INK)
        axis.tick_params(axis="x", pad=8)
        axis.yaxis.set_major_locator(MaxNLocator(4))
        axis.set_rlabel_position(180 / len(axes))
        axis.spines["polar"].set_color(style.GRID)
        page.legend(loc="outside lower center", ncols=min(3, len(values)))

    label = label_of(summary, measure)
    per_subject = (
        f"{subject}: " + ", ".join(f"{a} {figure(v, 3)}" for a, v in zip(axes, row, strict=True))
        for subject, row in values.items()
    )
    return draw(
        f"radar-{slug(label)}",
        f"{label}: level on each kind",
        f"Radar chart. {'. '.join(per_subject)}. The centre is not zero.",
        paint,
        (5.0, 4.9),
    )


def heatmap(summary: Summary) -> Chart | None:
    """Draw the drop by kind and measure as a share of the scale, a panel a subject."""
    drops = {
        (cell.subject, cell.measure, cell.kind): cell.drop.mean
        for cell in summary.cells
        if cell.drop and cell.drop.mean is not None
    }
    scales = [
        scale
        for scale in summary.measures
        if scale.higher_is_better is not None
        and any(measure == scale.measure for _, measure, _ in drops)
    ]
    if not scales:
        return None
    kinds = [ALL, *(kind.name for kind in summary.kinds if kind.name != ORIGINAL)]
    subjects = summary.subjects
    grids = {
        subject: [
            [
                100 * drops.get((subject, scale.measure, kind), math.nan) / (scale.high - scale.low)
                for scale in scales
            ]
            for kind in kinds
        ]
        for subject in subjects
    }
    shares = [abs(v) for grid in grids.values() for row in grid for v in row if not math.isnan(v)]
    limit = max(shares, default=1.0) or 1.0
    panel_width = max(2.2, 0.56 * len(scales))
    stacked = 1.6 + panel_width * len(subjects) > 10.5
    rows, columns = (len(subjects), 1) if stacked else (1, len(subjects))
    size = (1.6 + panel_width * columns, (0.34 * len(kinds) + 1.7) * rows)
    dimensions = [scale.dimension for scale in scales]
    ticks = [
        scale.label
        if dimensions.count(scale.dimension) > 1 or scale.judge == scale.dimension
        else scale.dimension.replace("_", " ")
        for scale in scales
    ]

    def paint(page: Any) -> None:
        panels = page.subplots(rows, columns, squeeze=False, sharey=True)
        for panel, subject in zip(panels.ravel(), subjects, strict=True):
            panel.grid(visible=False)
            panel.spines[:].set_visible(False)
            # Vector cells: an image would be scaled and smoothed by the browser.
            across = [x - 0.5 for x in range(len(scales) + 1)]
            down = [y - 0.5 for y in range(len(kinds) + 1)]
            panel.pcolormesh(across, down, grids[subject], cmap="PuOr_r", vmin=-limit, vmax=limit)
            panel.set_ylim(len(kinds) - 0.5, -0.5)
            panel.set_title(short(subject))
            names = [short(tick, 20) for tick in ticks]
            slanted = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"}
            panel.set_xticks(range(len(scales)), names, **slanted)
            panel.set_yticks(range(len(kinds)), [short(kind) for kind in kinds])
            for y, row in enumerate(grids[subject]):
                for x, value in enumerate(row):
                    if math.isnan(value):
                        continue
                    # White on strong cells, black on pale ones: both have a contrast of 4.5 to 1.
                    colour = "#fdfdfd" if abs(value) > 0.62 * limit else "#14181f"
                    centred = {"ha": "center", "va": "center", "fontsize": 8.5}
                    panel.text(x, y, figure(value, 1), color=colour, **centred)

    parts = (
        f"{subject}, {kind}: "
        + ", ".join(
            f"{scale.label} {figure(value, 1)} %"
            for scale, value in zip(scales, row, strict=True)
            if not math.isnan(value)
        )
        for subject in subjects
        for kind, row in zip(kinds, grids[subject], strict=True)
    )
    return draw(
        "heatmap",
        "Drop by kind and measure, in percent of each scale",
        f"Heat map; positive is worse. {'; '.join(parts)}."[:4000],
        paint,
        size,
    )
