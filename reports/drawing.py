"""How a chart is drawn and kept: figure, SVG for the page, alt text, names that fit, rows of estimates."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any

from harness.analysis import ALL
from harness.util.formatting import figure
from reports import style

MAX_NAME = 24


LEAST_PROMPTS = 5
"""Estimates from fewer prompts stand in the tables only: their intervals would dwarf the rest."""


@dataclass(frozen=True)
class Chart:
    """One drawn chart.

    Attributes:
        name: Stem of its files.
        title: What it shows, as a heading.
        alt: The same in words with the main figures, for those who cannot see it.
        svg: Standalone SVG.
        png: The same at 144 dots an inch.
    """

    name: str
    title: str
    alt: str
    svg: str
    png: bytes

    def inline(self) -> str:
        """The SVG for the page: its own ids, theme colours, the page's font, and alt text."""
        return inline_svg(self.svg, self.name, self.title, self.alt)


def inline_svg(svg: str, name: str, title: str, alt: str) -> str:
    """An SVG file's content as an element of a page; several must not share ids."""
    from markupsafe import escape

    body = svg[svg.index("<svg") :]
    body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
    body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', body)
    body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    for literal, variable in style.THEMED.items():
        body = body.replace(literal, variable)
    body = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", body)
    label = f'role="img" aria-labelledby="{name}-title {name}-desc"'
    titles = (
        f'<title id="{name}-title">{escape(title)}</title>'
        f'<desc id="{name}-desc">{escape(alt)}</desc>'
    )
    return re.sub(
        r"<svg\b([^>]*)>", rf"<svg {label}\1>" + titles.replace("\\", "\\\\"), body, count=1
    )


def short(name: str, most: int = MAX_NAME) -> str:
    """A name that fits an axis, without characters that a chart cannot show."""
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in name)
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def draw(
    name: str, title: str, alt: str, paint: Callable[[Any], None], size: tuple[float, float]
) -> Chart:
    """Paint on a figure of ``size`` inches and keep it as SVG and PNG."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    with style.applied():
        canvas = FigureCanvasAgg(Figure(figsize=size, layout="constrained"))
        paint(canvas.figure)
        svg, png = StringIO(), BytesIO()
        canvas.figure.savefig(svg, format="svg", metadata={"Date": None, "Creator": "Jostle"})
        canvas.figure.savefig(png, format="png", dpi=144, metadata={"Software": "Jostle"})
    return Chart(name, title, alt, svg.getvalue(), png.getvalue())


def reach(estimate: dict[str, Any]) -> tuple[float, float]:
    """How far an interval reaches below and above its mean; nothing where there is none."""
    mean, low, high = estimate["mean"], estimate["low"], estimate["high"]
    if low is None or high is None:
        return 0.0, 0.0
    return max(0.0, mean - low), max(0.0, high - mean)


@dataclass(frozen=True)
class Mark:
    """One estimate to draw: row, series, and its interval."""

    row: str
    series: str
    estimate: dict[str, Any]
    n: int


def intervals(
    name: str,
    title: str,
    axis_label: str,
    marks: Sequence[Mark],
    *,
    colours: dict[str, str],
    shapes: dict[str, str],
    bars: bool = False,
) -> Chart | None:
    """Rows of estimates with their 95 % intervals about a zero line; None without any."""
    marks = [m for m in marks if m.estimate["mean"] is not None and m.n >= LEAST_PROMPTS]
    if not marks:
        return None
    rows = list(dict.fromkeys(m.row for m in marks))
    prompts = {row: max(m.n for m in marks if m.row == row) for row in rows}
    series = list(dict.fromkeys(m.series for m in marks))
    step = 0.8 / len(series)
    height = 1.15 + len(rows) * max(0.42, 0.24 * len(series))

    def paint(page: Any) -> None:
        axis = page.add_subplot()
        axis.grid(axis="y", visible=False)
        axis.spines["left"].set_visible(False)
        for index, one in enumerate(series):
            own = [m for m in marks if m.series == one]
            y = [rows.index(m.row) + (index - (len(series) - 1) / 2) * step for m in own]
            x = [m.estimate["mean"] for m in own]
            arms = [reach(m.estimate) for m in own]
            error = [[a for a, _ in arms], [b for _, b in arms]]
            if bars:
                axis.barh(
                    y, x, height=step * 0.86, color=colours[one], alpha=0.85, label=short(one), lw=0
                )
                axis.errorbar(
                    x, y, xerr=error, fmt="none", ecolor=style.INK, elinewidth=1.2, capsize=2.5
                )
            else:
                axis.errorbar(
                    x,
                    y,
                    xerr=error,
                    fmt=shapes[one],
                    ms=6,
                    color=colours[one],
                    elinewidth=2,
                    capsize=0,
                    label=short(one),
                )
        axis.axvline(0, color=style.MUTED, lw=1)
        axis.set_yticks(
            range(len(rows)), [f"{_named(row)} ({prompts[row]})" for row in rows], color=style.INK
        )
        axis.set_ylim(len(rows) - 0.45, -0.55)
        axis.margins(x=0.06)
        axis.set_xlabel(axis_label)
        if len(series) > 1:
            page.legend(loc="outside upper left", ncols=min(4, len(series)))

    parts = (
        f"{m.row}, {m.series}: {figure(m.estimate['mean'], 3)}"
        + (
            f" ({figure(m.estimate['low'], 3)} to {figure(m.estimate['high'], 3)})"
            if m.estimate["low"] is not None
            else ""
        )
        for m in marks[:40]
    )
    return draw(name, title, f"{axis_label}. {'; '.join(parts)}.", paint, (5.6, height))


def _named(row: str) -> str:
    return "all rewordings" if row == ALL else short(row)


def slug(text: str) -> str:
    """A name for files and ids, from a label that may hold anything."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "measure"
    from harness.util.digest import digest

    return (
        plain if re.fullmatch(r"[a-z0-9 _-]{1,40}", text.lower()) else f"{plain}-{digest(text)[:6]}"
    )
