"""The charts of a report, drawn from ``summary.json`` alone."""

from __future__ import annotations

import math
from typing import Any

from harness.analysis import ALL
from harness.util.formatting import figure
from reports import style
from reports.drawing import Chart, Mark, draw, intervals, reach, short, slug

Summary = dict[str, Any]


def measure_label(summary: Summary, judge: str, dimension: str) -> str:
    """A measure's name for people."""
    found = (
        m["label"]
        for m in summary["measures"]
        if (m["judge"], m["dimension"]) == (judge, dimension)
    )
    return next(found, f"{judge} {dimension}")


def radar(summary: Summary, data: dict[str, Any]) -> Chart | None:
    """Baseline against the others over the kinds; None with fewer than three axes."""
    axes, values = data["axes"], data["values"]
    numbers = [v for row in values.values() for v in row]
    if len(axes) < 3 or any(v is None for v in numbers):
        return None
    angles = [2 * math.pi * i / len(axes) for i in range(len(axes))]
    colours = style.colours(summary["subjects"], summary["baseline"])
    marks = style.markers(summary["subjects"], summary["baseline"])
    spread = (max(numbers) - min(numbers)) or 1e-3
    low, high = min(numbers) - 0.6 * spread, max(numbers) + 0.12 * spread

    def paint(page: Any) -> None:
        axis = page.add_subplot(projection="polar")
        axis.set_theta_offset(math.pi / 2)
        axis.set_theta_direction(-1)
        for subject, row in values.items():
            ring, turn = [*row, row[0]], [*angles, angles[0]]
            axis.plot(
                turn,
                ring,
                color=colours[subject],
                marker=marks[subject],
                ms=5,
                lw=1.8,
                label=short(subject),
            )
            if subject != summary["baseline"]:
                axis.fill(turn, ring, color=colours[subject], alpha=0.10, lw=0)
        axis.set_ylim(low, high)
        axis.set_xticks(angles, [short(a, 16) for a in axes], color=style.INK)
        axis.tick_params(axis="x", pad=8)
        from matplotlib.ticker import MaxNLocator

        axis.yaxis.set_major_locator(MaxNLocator(4))
        axis.set_rlabel_position(180 / len(axes))
        axis.spines["polar"].set_color(style.GRID)
        page.legend(loc="outside lower center", ncols=min(3, len(values)))

    label = measure_label(summary, data["judge"], data["dimension"])
    title = f"{label}: level on each kind"
    per_subject = (
        f"{subject}: " + ", ".join(f"{a} {figure(v, 3)}" for a, v in zip(axes, row, strict=True))
        for subject, row in values.items()
    )
    alt = f"Radar chart. {'. '.join(per_subject)}. The centre is not zero."
    return draw(f"radar-{slug(label)}", title, alt, paint, (5.0, 4.9))


def drops(summary: Summary, judge: str, dimension: str) -> Chart | None:
    """Bars: what each kind of rewording costs each subject."""
    label = measure_label(summary, judge, dimension)
    rows = [
        Mark(c["kind"], c["subject"], c["drop"] or c["change"], c["n"])
        for c in summary["cells"]
        if (c["judge"], c["dimension"]) == (judge, dimension) and (c["drop"] or c["change"])
    ]
    oriented = any(
        c["drop"] for c in summary["cells"] if (c["judge"], c["dimension"]) == (judge, dimension)
    )
    return intervals(
        f"drops-{slug(label)}",
        f"{label}: {'what each rewording costs' if oriented else 'what each rewording changes'}",
        "drop against the same prompts' originals (right is worse)"
        if oriented
        else "change against the same prompts' originals",
        _order(rows, summary),
        colours=style.colours(summary["subjects"], summary["baseline"]),
        shapes=style.markers(summary["subjects"], summary["baseline"]),
        bars=True,
    )


def gains(summary: Summary, judge: str, dimension: str) -> Chart | None:
    """Each subject against the baseline: on the originals, and on each kind of rewording."""
    label = measure_label(summary, judge, dimension)
    rows = []
    for c in summary["contrasts"]:
        if (c["judge"], c["dimension"], c["scope"]) != (
            judge,
            dimension,
            summary["headline"]["scope"],
        ):
            continue
        if c["kind"] == ALL and c["gain_originals"]:
            rows.append(Mark("original", c["subject"], c["gain_originals"], c["n"]))
        if c["gain_variants"]:
            rows.append(Mark(c["kind"], c["subject"], c["gain_variants"], c["n"]))
    return intervals(
        f"gains-{slug(label)}",
        f"{label}: difference from {short(summary['baseline'])}",
        f"difference from {short(summary['baseline'])} on the very same prompts",
        _order(rows, summary),
        colours=style.colours(summary["subjects"], summary["baseline"]),
        shapes=style.markers(summary["subjects"], summary["baseline"]),
        bars=True,
    )


def _order(marks: list[Mark], summary: Summary) -> list[Mark]:
    """Original, all kinds together, each kind as the suite has them; subjects in the suite's order."""
    kinds = ["original", ALL, *(k["name"] for k in summary["kinds"] if k["name"] != "original")]
    subjects = summary["subjects"]
    return sorted(marks, key=lambda m: (kinds.index(m.row), subjects.index(m.series)))


def heatmap(summary: Summary) -> Chart | None:
    """Kind by measure: the drop as a share of the scale, for each subject a panel."""
    measures = [m for m in summary["measures"] if m["higher_is_better"] is not None]
    kinds = [ALL, *(k["name"] for k in summary["kinds"] if k["name"] != "original")]
    found = {
        (c["subject"], c["judge"], c["dimension"], c["kind"]): c["drop"]
        for c in summary["cells"]
        if c["drop"]
    }
    used = [m for m in measures if any(k[1:3] == (m["judge"], m["dimension"]) for k in found)]
    if not used:
        return None
    subjects = summary["subjects"]
    spans = [m["high"] - m["low"] for m in used]

    def share(subject: str, kind: str, m: dict[str, Any], span: float) -> float:
        drop = found.get((subject, m["judge"], m["dimension"], kind))
        return 100 * drop["mean"] / span if drop else math.nan

    grids = {
        s: [[share(s, k, m, span) for m, span in zip(used, spans, strict=True)] for k in kinds]
        for s in subjects
    }
    limit = (
        max(
            (abs(v) for grid in grids.values() for row in grid for v in row if not math.isnan(v)),
            default=1.0,
        )
        or 1.0
    )
    panel_width = max(2.2, 0.56 * len(used))
    stacked = 1.6 + panel_width * len(subjects) > 10.5
    rows, columns = (len(subjects), 1) if stacked else (1, len(subjects))
    size = (1.6 + panel_width * columns, (0.34 * len(kinds) + 1.7) * rows)
    names = [m["dimension"] for m in used]
    ticks = [
        m["label"]
        if names.count(m["dimension"]) > 1 or m["judge"] == m["dimension"]
        else m["dimension"].replace("_", " ")
        for m in used
    ]

    def paint(page: Any) -> None:
        panels = page.subplots(rows, columns, squeeze=False, sharey=True)
        for panel, subject in zip(panels.ravel(), subjects, strict=True):
            panel.grid(visible=False)
            panel.spines[:].set_visible(False)
            # Vector cells: an image would be scaled and smoothed by the browser.
            panel.pcolormesh(
                [x - 0.5 for x in range(len(used) + 1)],
                [y - 0.5 for y in range(len(kinds) + 1)],
                grids[subject],
                cmap="PuOr_r",
                vmin=-limit,
                vmax=limit,
            )
            panel.set_ylim(len(kinds) - 0.5, -0.5)
            panel.set_title(short(subject))
            panel.set_xticks(
                range(len(used)),
                [short(tick, 20) for tick in ticks],
                rotation=35,
                ha="right",
                rotation_mode="anchor",
            )
            panel.set_yticks(range(len(kinds)), [short(k) for k in kinds])
            for y, row in enumerate(grids[subject]):
                for x, value in enumerate(row):
                    if not math.isnan(value):
                        # On strong cells white, on pale ones black: both keep 4.5 to 1.
                        colour = "#fdfdfd" if abs(value) > 0.62 * limit else "#14181f"
                        panel.text(
                            x,
                            y,
                            figure(value, 1),
                            ha="center",
                            va="center",
                            fontsize=8.5,
                            color=colour,
                        )

    parts = (
        f"{s}, {k}: "
        + ", ".join(
            f"{m['label']} {figure(v, 1)} %"
            for m, v in zip(used, row, strict=True)
            if not math.isnan(v)
        )
        for s in subjects
        for k, row in zip(kinds, grids[s], strict=True)
    )
    return draw(
        "heatmap",
        "Drop by kind and measure, in percent of each scale",
        f"Heat map; positive is worse. {'; '.join(parts)}."[:4000],
        paint,
        size,
    )


def severity(summary: Summary, judge: str, dimension: str) -> Chart | None:
    """Curves: the change at rising severity, a panel a kind."""
    label = measure_label(summary, judge, dimension)
    rows = [
        r
        for r in summary["severities"]
        if (r["judge"], r["dimension"]) == (judge, dimension) and r["change"]
    ]
    kinds = list(dict.fromkeys(r["kind"] for r in rows))
    if not kinds:
        return None
    colours = style.colours(summary["subjects"], summary["baseline"])
    shapes = style.markers(summary["subjects"], summary["baseline"])
    levels = ("light", "medium", "heavy")
    columns = min(3, len(kinds))
    lines = math.ceil(len(kinds) / columns)

    def paint(page: Any) -> None:
        panels = page.subplots(lines, columns, squeeze=False, sharey=True).ravel()
        for panel in panels[len(kinds) :]:
            panel.set_axis_off()
        for panel, kind in zip(panels, kinds, strict=False):
            panel.axhline(0, color=style.MUTED, lw=1)
            panel.set_title(short(kind))
            for i, subject in enumerate(summary["subjects"]):
                own = [r for r in rows if (r["kind"], r["subject"]) == (kind, subject)]
                x = [levels.index(r["severity"]) + 0.08 * i for r in own]
                y = [r["change"]["mean"] for r in own]
                arms = [reach(r["change"]) for r in own]
                low, high = [a for a, _ in arms], [b for _, b in arms]
                panel.errorbar(
                    x,
                    y,
                    yerr=[low, high],
                    color=colours[subject],
                    marker=shapes[subject],
                    ms=5,
                    lw=1.6,
                    elinewidth=1.2,
                    label=short(subject),
                )
            panel.set_xticks(range(len(levels)), levels)
            panel.set_xlim(-0.4, 2.5)
        panels[0].set_ylabel("change against the originals")
        handles, labels = panels[0].get_legend_handles_labels()
        page.legend(handles, labels, loc="outside upper left", ncols=4)

    parts = (
        f"{r['kind']} {r['severity']}, {r['subject']}: {figure(r['change']['mean'], 3)}"
        for r in rows
    )
    return draw(
        f"severity-{slug(label)}",
        f"{label}: change at rising severity",
        f"Change against the originals of the same prompts. {'; '.join(parts)}."[:4000],
        paint,
        (2.6 * columns + 1.0, 2.7 * lines + 0.5),
    )


def worst_curve(summary: Summary, judge: str, dimension: str) -> Chart | None:
    """Expected worst of k variants as k grows, beside the same for unchanged prompts."""
    label = measure_label(summary, judge, dimension)
    rows = [
        r
        for r in summary["worst"]
        if (r["judge"], r["dimension"], r["kind"]) == (judge, dimension, ALL)
        and r["expected_worst"]
    ]
    if max((r["k"] for r in rows), default=0) < 2:
        return None
    colours = style.colours(summary["subjects"], summary["baseline"])
    shapes = style.markers(summary["subjects"], summary["baseline"])

    def paint(page: Any) -> None:
        axis = page.add_subplot()
        for subject in summary["subjects"]:
            own = [r for r in rows if r["subject"] == subject]
            x = [r["k"] for r in own]
            y = [r["expected_worst"]["mean"] for r in own]
            axis.plot(
                x,
                y,
                color=colours[subject],
                marker=shapes[subject],
                ms=5,
                lw=1.8,
                label=short(subject),
            )
            arms = [reach(r["expected_worst"]) for r in own]
            axis.fill_between(
                x,
                [v - a for v, (a, _) in zip(y, arms, strict=True)],
                [v + b for v, (_, b) in zip(y, arms, strict=True)],
                color=colours[subject],
                alpha=0.14,
                lw=0,
            )
        axis.set_xlabel("k, variants of one prompt (k = 1 is the mean)")
        axis.set_ylabel("expected worst score")
        axis.set_xticks(sorted({r["k"] for r in rows}))
        page.legend(loc="outside upper left", ncols=4)

    parts = (f"{r['subject']}, k {r['k']}: {figure(r['expected_worst']['mean'], 3)}" for r in rows)
    return draw(
        f"worst-{slug(label)}",
        f"{label}: the worst of k rewordings",
        f"{'; '.join(parts)}."[:4000],
        paint,
        (6.2, 3.3),
    )
