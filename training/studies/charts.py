"""Charts of a study, in the style of the reports."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from harness.memorisation.counterfactual import Counterfactual
from reports import style
from reports.drawing import Chart, draw, short, slug
from training.curves import perplexity
from training.studies.findings import short_path
from training.studies.summary import Points, StudyTraining, mib

MOST_LINES = 8
"""Beyond this many trainings a chart of lines cannot be read; the table has them all."""

TITLES = {
    "loss": "Loss (thick: validation, thin: training)",
    "perplexity": "Validation perplexity",
    "gap": "Validation loss minus training loss",
}
"""Titles of the charts of curves by what they show, which begins their files' names."""

MEMORISED = "in-against-out"
"""Name of the chart of a study of halves."""

_COSTS: tuple[tuple[str, str, str, Callable[[StudyTraining], float | None]], ...] = (
    ("peak_cpu_mib", "Peak CPU memory of the process", "MiB", lambda row: row.peak_cpu_mib),
    ("peak_gpu_mib", "Peak GPU memory", "MiB", lambda row: row.peak_gpu_mib),
    ("memory_footprint_bytes", "Weights in memory", "MiB", lambda row: mib(row.memory_footprint_bytes)),
    ("weights_bytes", "Size on disk of what was trained", "MiB", lambda row: mib(row.weights_bytes)),
    ("tokens_per_second", "Tokens a second in training", "tokens/s", lambda row: row.tokens_per_second),
)  # fmt: skip
"""File name, title, unit and figure of each chart of bars."""

_SOLID, _DASHES = "-", ((4, 3), (1, 2), (6, 2, 1, 2), (2, 4), (8, 3), (1, 4), (3, 1, 1, 4))
"""Only the first line is solid, so that lines on top of one another show through."""


def curves(rows: Sequence[StudyTraining]) -> Iterator[Chart]:
    """Draw loss, perplexity and gap over the steps, one line a training.

    Trainings that are validated on different data go into different charts.
    """
    sets = dict.fromkeys(row.validation for row in rows if row.eval_loss)
    for data in sets:
        drawn = [row for row in rows if row.validation == data and row.eval_loss]
        tail = f", {short_path(data)}" if len(sets) > 1 else ""
        if len(drawn) > MOST_LINES:
            tail += f", first {MOST_LINES} of {len(drawn)} trainings"
        for what, title in TITLES.items():
            yield _lines(f"{what}-{slug(data)}", title + tail, data, drawn[:MOST_LINES], what)


def costs(rows: Sequence[StudyTraining]) -> Iterator[Chart]:
    """Draw memory, speed and size of each training as bars."""
    for name, title, unit, figure in _COSTS:
        values = {row.name: value for row in rows if (value := figure(row))}
        if values and len({f"{v:.3g}" for v in values.values()}) > 1:
            yield _bars(slug(name), title, unit, values)


def in_against_out(record: Counterfactual) -> Chart:
    """Draw every row's likelihood under adapters trained with it against those trained without."""
    scores = [row.token_likelihood for row in record.rows]
    outside, inside = [s.outside for s in scores], [s.inside for s in scores]
    memorised = [score.memorised > record.above.threshold for score in scores]

    def paint(page: Any) -> None:
        axis = page.add_subplot()
        ends = min(*outside, *inside), max(*outside, *inside)
        axis.plot(ends, ends, color=style.MUTED, lw=1)
        for beyond, label in ((False, "not above"), (True, "above")):
            points = [
                (x, y) for x, y, m in zip(outside, inside, memorised, strict=True) if m == beyond
            ]
            if points:
                axis.scatter(
                    *zip(*points, strict=True), s=16, alpha=0.7, lw=0,
                    color=style.SUBJECTS[int(beyond)], marker=style.MARKERS[int(beyond)],
                    label=f"{label} {record.above.threshold:g} nats a token ({len(points)})",
                )  # fmt: skip
        axis.set_xlabel("trained without the row: log-likelihood, nats a token")
        axis.set_ylabel("trained with the row")
        page.legend(loc="outside upper left", ncols=2)

    title = "Each training row: in against out"
    alt = (
        f"{title}. Of {len(scores)} rows {sum(memorised)} lie more than"
        f" {record.above.threshold:g} nats a token above the diagonal; on average a row is"
        f" {record.memorised.mean or 0:+.3f} nats a token likelier under adapters that were trained"
        " with it."
    )
    return draw(MEMORISED, title, alt, paint, (5.6, 5.0))


def _lines(name: str, title: str, data: str, rows: Sequence[StudyTraining], what: str) -> Chart:
    def paint(page: Any) -> None:
        axis = page.add_subplot()
        for index, row in enumerate(rows):
            look: dict[str, Any] = {
                "color": style.SUBJECTS[index % len(style.SUBJECTS)],
                "linestyle": (0, _DASHES[(index - 1) % len(_DASHES)]) if index else _SOLID,
            }
            if what == "loss" and row.loss:
                axis.plot(*zip(*row.loss, strict=True), lw=0.9, alpha=0.6, **look)
            points = _points(row, what)
            if points:
                marker = style.MARKERS[index % len(style.MARKERS)]
                axis.plot(
                    *zip(*points, strict=True), lw=2, marker=marker, ms=9 - 5 * index / MOST_LINES,
                    label=short(row.name), **look,
                )  # fmt: skip
        axis.set_xlabel("step")
        axis.xaxis.get_major_locator().set_params(integer=True)
        axis.set_ylabel("perplexity" if what == "perplexity" else "nats per token")
        if what == "gap":
            axis.axhline(0, color=style.MUTED, lw=1)
        page.legend(loc="outside upper left", ncols=min(3, len(rows)))

    ends = (
        f"{row.name}: {points[0][1]:.3f} to {points[-1][1]:.3f}"
        for row in rows
        if (points := _points(row, what))
    )
    return draw(name, title, f"{title} on {data}. {'; '.join(ends)}.", paint, (6.4, 4.0))


def _points(row: StudyTraining, what: str) -> Points:
    if what == "perplexity":
        return tuple((step, perplexity(loss)) for step, loss in row.eval_loss)
    return row.eval_loss if what == "loss" else row.gap


def _bars(name: str, title: str, unit: str, values: Mapping[str, float]) -> Chart:
    def paint(page: Any) -> None:
        axis = page.add_subplot()
        axis.grid(axis="y", visible=False)
        positions = range(len(values))
        colours = [style.SUBJECTS[index % len(style.SUBJECTS)] for index in positions]
        bars = axis.barh(positions, list(values.values()), height=0.6, color=colours, lw=0)
        axis.bar_label(bars, fmt="{:,.4g}", padding=4, color=style.INK, fontsize=9.5)
        axis.set_yticks(positions, [short(label) for label in values], color=style.INK)
        axis.set_ylim(len(values) - 0.5, -0.5)
        axis.set_xlim(0, max(values.values()) * 1.18)
        axis.set_xlabel(unit)

    alt = f"{title}: " + ", ".join(f"{k} {v:,.4g} {unit}" for k, v in values.items()) + "."
    return draw(name, title, alt, paint, (5.6, 1.0 + 0.42 * len(values)))
