"""How a chart is drawn and kept: figure, SVG for the page, alt text, names that fit."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO, StringIO
from typing import Any

from harness.analysis.estimates import Interval, Measure
from harness.analysis.summary_schema import Summary
from harness.util.digest import digest
from reports import style

MAX_NAME = 24


@dataclass(frozen=True)
class Chart:
    """One drawn chart.

    Attributes:
        name: Stem of its files.
        title: What it shows, as a heading.
        alt: The same in words with the main figures, for those who cannot see it.
        svg: Standalone SVG.
        png: The same at 144 dots an inch.
        measure: The measure that it shows; None where it shows several, or none.
    """

    name: str
    title: str
    alt: str
    svg: str
    png: bytes
    measure: Measure | None = None

    def inline(self) -> str:
        """Return the SVG for the page: ids of its own, theme colours, the page's font, alt text."""
        from markupsafe import escape

        name, body = self.name, self.svg[self.svg.index("<svg") :]
        body = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', body)
        body = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', body)
        body = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", body)
        body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
        for literal, variable in style.THEMED.items():
            body = body.replace(literal, variable)
        body = re.sub(r"'DejaVu Sans'[^;\"]*", "var(--font)", body)
        tag, _, content = body.partition(">")
        return (
            f'<svg role="img" aria-labelledby="{name}-title {name}-desc"{tag.removeprefix("<svg")}>'
            f'<title id="{name}-title">{escape(self.title)}</title>'
            f'<desc id="{name}-desc">{escape(self.alt)}</desc>{content}'
        )


def short(name: str, most: int = MAX_NAME) -> str:
    """Shorten a name to fit an axis, without characters that a chart cannot show."""
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


def looks(summary: Summary) -> dict[str, dict[str, Any]]:
    """Return the options of every subject's line: label, colour and, beside it, a marker."""
    colours = style.colours(summary.subjects, summary.baseline)
    markers = style.markers(summary.subjects, summary.baseline)
    return {
        name: {"label": short(name), "color": colours[name], "marker": markers[name], "ms": 5}
        for name in summary.subjects
    }


def arms(estimates: Iterable[Interval]) -> tuple[list[float], list[float]]:
    """Return how far intervals reach below and above their means; zeros where there is none."""
    below, above = [], []
    for estimate in estimates:
        mean, low, high = estimate.mean, estimate.low, estimate.high
        if mean is None or low is None or high is None:
            mean = low = high = 0.0
        below.append(max(0.0, mean - low))
        above.append(max(0.0, high - mean))
    return below, above


def slug(text: str) -> str:
    """Make a name for files and ids from a label that may hold anything."""
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40] or "measure"
    safe = re.fullmatch(r"[a-z0-9 _-]{1,40}", text.lower())
    return plain if safe else f"{plain}-{digest(text)[:6]}"
