"""Charts of bars: estimates with their intervals about a zero line, a row a kind or probe."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.analysis import ALL
from harness.analysis.estimates import Interval, Measure
from harness.analysis.memorisation_schema import PairedDifference, SubjectMemorisation
from harness.analysis.summary_schema import Summary
from harness.records import ORIGINAL
from harness.util.formatting import figure
from reports import style
from reports.drawing import Chart, arms, draw, short, slug
from reports.rows import label_of

LEAST_PROMPTS = 5
"""Estimates from fewer prompts are in the tables only: their intervals would dwarf the rest."""


@dataclass(frozen=True)
class Bar:
    """One estimate to draw, in the row of a kind or probe, with the number of prompts behind it."""

    row: str
    subject: str
    estimate: Interval
    n: int


def drops(summary: Summary, measure: Measure) -> Chart | None:
    """Draw what each kind of rewording costs each subject."""
    label = label_of(summary, measure)
    cells = [cell for cell in summary.cells if cell.measure == measure]
    bars = [
        Bar(cell.kind, cell.subject, estimate, cell.n)
        for cell in cells
        if (estimate := cell.drop or cell.change)
    ]
    oriented = any(cell.drop for cell in cells)
    return _draw_bars(
        f"drops-{slug(label)}",
        f"{label}: {'what each rewording costs' if oriented else 'what each rewording changes'}",
        "drop against the same prompts' originals (right is worse)"
        if oriented
        else "change against the same prompts' originals",
        _ordered(bars, summary),
        style.colours(summary.subjects, summary.baseline),
    )


def gains(summary: Summary, measure: Measure) -> Chart | None:
    """Draw each subject against the baseline: on originals and on each kind of rewording."""
    label = label_of(summary, measure)
    bars = []
    for row in summary.contrasts:
        if (row.measure, row.scope) != (measure, summary.headline.scope):
            continue
        if row.kind == ALL and row.gain_originals:
            bars.append(Bar(ORIGINAL, row.subject, row.gain_originals, row.n))
        if row.gain_variants:
            bars.append(Bar(row.kind, row.subject, row.gain_variants, row.n))
    return _draw_bars(
        f"gains-{slug(label)}",
        f"{label}: difference from {short(summary.baseline)}",
        f"difference from {short(summary.baseline)} on the very same prompts",
        _ordered(bars, summary),
        style.colours(summary.subjects, summary.baseline),
    )


def _ordered(bars: Sequence[Bar], summary: Summary) -> list[Bar]:
    """Sort: original, all kinds together, each kind as in the suite; subjects as in the suite."""
    kinds = [ORIGINAL, ALL, *(kind.name for kind in summary.kinds if kind.name != ORIGINAL)]
    return sorted(bars, key=lambda bar: (kinds.index(bar.row), summary.subjects.index(bar.subject)))


Difference = Callable[[SubjectMemorisation], PairedDifference | None]


def _level(key: str) -> Difference:
    """Return a reader of the difference from the baseline in one line of the evidence."""
    return lambda one: next((row.difference for row in one.levels if row.key == key), None)


def _gain(key: str) -> Difference:
    """Return a reader of a difference of losses, turned into a gain."""
    level = _level(key)
    return lambda one: _negated(level(one))


# Where a bar rests on fewer prompts than the one it is compared with, that one is drawn a second
# time on those prompts; the lines whose keys end in `_common` exist in no other case.
_GAINS: tuple[tuple[str, Difference], ...] = (
    ("training prompts", lambda one: one.contrasts.gain_training),
    ("those with a rewording", _gain("loss_training_common")),
    ("the same, reworded", lambda one: one.contrasts.gain_reworded),
    ("clean prompts", lambda one: one.contrasts.gain_clean),
    ("those rated both ways", _gain("loss_clean_common")),
    ("a stranger's prompt", _gain("loss_foreign")),
)
_SHARES: tuple[tuple[str, Difference], ...] = (
    ("recited, training", _level("recited_training")),
    ("recited, clean", _level("recited_clean")),
    ("ROUGE-L, as trained", _level("rouge_training")),
    ("those with a rewording", _level("rouge_training_common")),
    ("ROUGE-L, reworded", _level("rouge_reworded")),
)


def memorisation_gains(summary: Summary) -> Chart | None:
    """Draw how far training raised the likelihood of the responses."""
    return _probe_bars(
        summary,
        "memory-gains",
        "How much more likely the responses became",
        f"gain over {short(summary.baseline)}, nats a token",
        _GAINS,
    )


def memorisation_shares(summary: Summary) -> Chart | None:
    """Draw what is recited, with and without a rewording of the prompt."""
    return _probe_bars(
        summary,
        "memory-copies",
        "What is recited, with the prompt as trained and reworded",
        f"share beyond {short(summary.baseline)}",
        _SHARES,
    )


def _probe_bars(
    summary: Summary,
    name: str,
    title: str,
    axis_label: str,
    lines: Sequence[tuple[str, Difference]],
) -> Chart | None:
    if summary.memorisation is None:
        return None
    subjects = summary.memorisation.subjects
    bars = [
        Bar(label, one.subject, estimate, estimate.n)
        for label, difference in lines
        for one in subjects
        if (estimate := difference(one))
    ]
    names = [summary.baseline, *(one.subject for one in subjects)]
    return _draw_bars(name, title, axis_label, bars, style.colours(names, summary.baseline))


def _negated(estimate: PairedDifference | None) -> PairedDifference | None:
    if estimate is None:
        return None
    turned = {"mean": estimate.mean, "low": estimate.high, "high": estimate.low}
    return estimate.model_copy(
        update={name: None if end is None else -end + 0.0 for name, end in turned.items()}
    )


def _draw_bars(
    name: str, title: str, axis_label: str, bars: Sequence[Bar], colours: Mapping[str, str]
) -> Chart | None:
    """Draw rows of bars with their intervals; return None without any."""
    bars = [bar for bar in bars if bar.estimate.mean is not None and bar.n >= LEAST_PROMPTS]
    if not bars:
        return None
    rows = list(dict.fromkeys(bar.row for bar in bars))
    prompts = {row: max(bar.n for bar in bars if bar.row == row) for row in rows}
    subjects = list(dict.fromkeys(bar.subject for bar in bars))
    step = 0.8 / len(subjects)
    height = 1.15 + len(rows) * max(0.42, 0.24 * len(subjects))

    def paint(page: Any) -> None:
        axis = page.add_subplot()
        axis.grid(axis="y", visible=False)
        axis.spines["left"].set_visible(False)
        for index, subject in enumerate(subjects):
            series = [bar for bar in bars if bar.subject == subject]
            y = [rows.index(bar.row) + (index - (len(subjects) - 1) / 2) * step for bar in series]
            x = [bar.estimate.mean for bar in series]
            look = {"label": short(subject), "color": colours[subject], "alpha": 0.85, "lw": 0}
            axis.barh(y, x, step * 0.86, **look)
            whisker = {"fmt": "none", "ecolor": style.INK, "elinewidth": 1.2, "capsize": 2.5}
            axis.errorbar(x, y, xerr=arms(bar.estimate for bar in series), **whisker)
        axis.axvline(0, color=style.MUTED, lw=1)
        names = ["all rewordings" if row == ALL else short(row) for row in rows]
        axis.set_yticks(
            range(len(rows)),
            [f"{label} ({prompts[row]})" for label, row in zip(names, rows, strict=True)],
            color=style.INK,
        )
        axis.set_ylim(len(rows) - 0.45, -0.55)
        axis.margins(x=0.06)
        axis.set_xlabel(axis_label)
        if len(subjects) > 1:
            page.legend(loc="outside upper left", ncols=min(4, len(subjects)))

    alt = f"{axis_label}. {'; '.join(_in_words(bars[:40]))}."
    return draw(name, title, alt, paint, (5.6, height))


def _in_words(bars: Sequence[Bar]) -> Iterator[str]:
    for bar in bars:
        low, high = bar.estimate.low, bar.estimate.high
        interval = "" if low is None else f" ({figure(low, 3)} to {figure(high, 3)})"
        yield f"{bar.row}, {bar.subject}: {figure(bar.estimate.mean, 3)}{interval}"
