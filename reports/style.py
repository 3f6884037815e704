"""Colours and typography that charts and page share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

INK = "#1b2330"
MUTED = "#5b6675"
GRID = "#d5dbe3"
PAPER = "#ffffff"

# Okabe and Ito's palette: people with any of the common colour blindnesses can distinguish them.
BASELINE = "#77808c"
SUBJECTS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")

# What a chart's literal colours become on the page, where they follow the theme.
THEMED = {INK: "var(--ink)", MUTED: "var(--muted)", GRID: "var(--rule)", PAPER: "var(--paper)"}

RC: dict[str, object] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "jostle",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "text.color": INK,
    "text.usetex": False,
    "text.parse_math": False,
    "axes.edgecolor": GRID,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 12,
    "axes.labelsize": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 9.5,
    "ytick.labelsize": 9.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": PAPER,
    "axes.unicode_minus": True,
}


def colours(subjects: Sequence[str], baseline: str) -> dict[str, str]:
    """Give every subject a colour: grey to the baseline, the palette in order to the others."""
    others = [name for name in subjects if name != baseline]
    return {baseline: BASELINE} | {
        name: SUBJECTS[i % len(SUBJECTS)] for i, name in enumerate(others)
    }


def markers(subjects: Sequence[str], baseline: str) -> dict[str, str]:
    """Give every subject a marker, so that colour is never the only difference."""
    others = [name for name in subjects if name != baseline]
    return {baseline: MARKERS[0]} | {
        name: MARKERS[1 + i % (len(MARKERS) - 1)] for i, name in enumerate(others)
    }


@contextmanager
def applied() -> Iterator[None]:
    """Draw in this style, whatever the user's own settings are."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(RC)
        yield
