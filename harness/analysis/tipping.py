"""What missing scores would have to be for a certain difference to vanish: tipping points.

A mean over the scores that are there says nothing of those that are not, and they are seldom missing
at random: an answer that no judge could read is often a bad one. So for every certain difference
with missing scores behind it, they are filled in: at first with the mean that their subject has,
then step by step towards the ends of the scale that speak against the difference, of both subjects
at once. Where the interval first reaches zero is the tipping point.

Source: Yan, Lee and Li 2009, Missing Data Handling Methods in Medical Device Clinical Trials
(tipping-point analysis); National Research Council 2010, The Prevention and Treatment of Missing
Data in Clinical Trials, ch. 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.analysis.estimates import Estimate, Measure
from harness.analysis.evidence import Evidence, VerdictBasis, direction
from harness.analysis.summary_schema import TippingPoint
from harness.analysis.table import ALL, Mask, Table
from harness.analysis.test_family import BootstrapSettings, column_means, number
from harness.stats.closed_forms import Floats
from harness.stats.cluster_sums import Clustered
from harness.util.formatting import figure, listing, plural

STEPS = 41
"""Values tried between the observed mean and the end of the scale; between two of them it is linear."""

PLAUSIBLE = (0.05, 0.95)
"""Quantiles of what either subject scored, between which a value of the missing ones is plausible."""

Where = Literal["originals", "reworded"]


@dataclass(frozen=True)
class _Gaps:
    """Missing scores of one subject on some rows.

    Attributes:
        values: Its scores, shape (rows,).
        missing: Where one is missing.
        observed: Mean of those that are there, over the rows in question.
        end: The end of the scale that speaks against the difference.
    """

    values: Floats
    missing: Mask
    observed: float
    end: float

    def at(self, step: Floats) -> Floats:
        """Return what the missing scores are at each step from 0 (observed) to 1 (the end)."""
        return np.asarray(self.observed + step * (self.end - self.observed), dtype=np.float64)

    def filled(self, step: float) -> Floats:
        """Return the scores with the missing ones filled in."""
        return np.where(self.missing, self.at(np.array(step)), self.values)


def tipping_points(basis: VerdictBasis, settings: BootstrapSettings) -> tuple[TippingPoint, ...]:
    """Return the tipping point of every certain headline difference with missing scores behind it."""
    return tuple(
        point
        for measure in basis.headline
        for evidence in basis.evidence(measure)
        for point in _of_evidence(basis, measure, evidence, settings)
    )


def _of_evidence(
    basis: VerdictBasis, measure: Measure, evidence: Evidence, settings: BootstrapSettings
) -> Iterator[TippingPoint]:
    contrast = evidence.contrast
    gains: tuple[tuple[Where, str, Estimate | None], ...] = (
        ("originals", contrast.against, contrast.gain_originals),
        ("reworded", ALL, contrast.gain_variants),
    )
    for where, kind, gain in gains:
        if gain is None or direction(gain, evidence.sign) not in ("better", "worse"):
            continue
        gaps = _gaps(basis, measure, kind, evidence, above=(gain.mean or 0.0) > 0)
        if gaps is None:
            continue
        step = _tipping_step(basis, measure, kind, list(gaps.values()), settings)
        counted = {name: gap for name, gap in gaps.items() if gap.missing.any()}
        values = (
            None
            if step is None
            else {name: float(gap.at(np.array(step))) for name, gap in counted.items()}
        )
        yield TippingPoint(
            **measure._asdict(),
            subject=evidence.subject,
            where=where,
            missing={name: int(gap.missing.sum()) for name, gap in counted.items()},
            observed={name: number(gap.observed) or 0.0 for name, gap in counted.items()},
            values=None if values is None else {n: number(v) or 0.0 for n, v in values.items()},
            below={name: gap.end < gap.observed for name, gap in counted.items()},
            plausible=values is not None and _plausible(basis.table, measure, gaps, values),
        )


def _gaps(
    basis: VerdictBasis, measure: Measure, kind: str, evidence: Evidence, *, above: bool
) -> dict[str, _Gaps] | None:
    """Return the missing scores of the subject (first) and the baseline; None where none is missing."""
    table = basis.table
    rows = table.rows(kind) & basis.scope.prompts[table.cluster]
    low, high = table.scale(measure)
    gaps = {}
    for name, end in (
        (evidence.subject, low if above else high),
        (evidence.baseline, high if above else low),
    ):
        column = table.subjects.index(name)
        values = table.values[measure][:, column]
        missing = rows & table.expected[measure][:, column] & np.isnan(values)
        gaps[name] = _Gaps(values, missing, float(np.nanmean(values[rows])), end)
    return gaps if any(gap.missing.any() for gap in gaps.values()) else None


def _tipping_step(
    basis: VerdictBasis,
    measure: Measure,
    kind: str,
    gaps: list[_Gaps],
    settings: BootstrapSettings,
) -> float | None:
    """Return the step in [0, 1] at which the interval reaches zero; None where it never does."""
    table, span = basis.table, basis.table.span(measure)
    subject, baseline = gaps
    steps = np.linspace(0, 1, STEPS)
    columns = np.stack(
        [
            basis.scope.only(table.on_kind(subject.filled(step) - baseline.filled(step), kind))
            for step in steps
        ],
        axis=1,
    )
    scales = np.tile([-span, span], (STEPS, 1)).astype(np.float64)
    data = Clustered(columns, table.families)
    intervals = column_means(data, scales, settings, "tipping")
    # The end of the interval that lies nearer to zero, positive as long as zero is outside.
    ends, sign = (intervals.low, 1) if subject.end < baseline.end else (intervals.high, -1)
    looks = settings.design
    widening = 1.0 if looks is None else looks.widening(settings.level, int(intervals.n.max()))
    reach = sign * (intervals.mean + widening * (ends - intervals.mean))
    reached = np.flatnonzero(reach <= 0)
    if not reached.size:
        return None
    first = int(reached[0])
    if first == 0:
        return 0.0
    before, after = float(reach[first - 1]), float(reach[first])
    return float(steps[first - 1] + (steps[first] - steps[first - 1]) * before / (before - after))


def _plausible(
    table: Table, measure: Measure, gaps: Mapping[str, _Gaps], values: Mapping[str, float]
) -> bool:
    """Return whether every value lies where either subject's scores of the whole run lie."""
    columns = [table.values[measure][:, table.subjects.index(name)] for name in gaps]
    ranges = [np.nanquantile(column, PLAUSIBLE) for column in columns]
    low, high = min(ends[0] for ends in ranges), max(ends[1] for ends in ranges)
    return all(low <= value <= high for value in values.values())


def tipping_words(point: TippingPoint, label: str) -> str:
    """Say what a tipping point is, in a sentence."""
    where = "original" if point.where == "originals" else "reworded"
    counts = listing(
        [f"{plural(count, 'answer')} of {name}" for name, count in point.missing.items()]
    )
    verb = "has" if sum(point.missing.values()) == 1 else "have"
    opening = f"{counts} to {where} prompts {verb} no score in {label}"
    if point.values is None:
        return (
            f"{opening}; whatever they scored, the difference of {point.subject} on {where} prompts"
            " would stay."
        )
    turns = listing(
        [
            f"those of {name} averaged {'under' if point.below[name] else 'over'} {figure(value)}"
            f" (those read average {figure(point.observed[name])})"
            for name, value in point.values.items()
        ]
    )
    return f"{opening}: the difference of {point.subject} would vanish if {turns}."
