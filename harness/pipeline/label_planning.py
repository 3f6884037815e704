"""How many labels by people buy which half-width, before anybody labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.analysis import ALL, Summary
from harness.analysis.estimates import CorrectedEstimate
from harness.pipeline.planning import DifferenceSpread
from harness.stats.prediction_powered import half_width

LABELS = (30, 50, 100)
"""Labelled prompts that a plan shows."""

GUESSED = (0.2, 0.8)
"""Correlations of a judge's and people's differences that are taken where none was measured: from a
judge that hardly sees what people see to one that follows them closely."""


class LabelSpread(NamedTuple):
    """What a plan for labels rests on.

    Attributes:
        sd: Standard deviation of people's differences over prompts.
        correlations: Least and greatest correlation with the judge's; equal where it was measured.
        source: Where the two are from.
    """

    estimand: str
    sd: float
    correlations: tuple[float, float]
    source: str


class LabelPlan(NamedTuple):
    """What a number of labelled prompts gives.

    Attributes:
        half_widths: Of the corrected 95 % interval, with the better and with the worse judge.
        alone: Of the interval of the labels alone.
    """

    labels: int
    half_widths: tuple[float, float]
    alone: float


def label_spreads(spreads: Sequence[DifferenceSpread], pilot: Summary | None) -> list[LabelSpread]:
    """Return what is known of people's differences: measured in a labelled pilot, else guessed."""
    measured = {} if pilot is None else _measured(pilot)
    rows = []
    for spread in spreads:
        known = measured.get(spread.estimand)
        if known is not None and known.sd is not None and known.correlation is not None:
            text = f"measured on {known.labelled} labelled prompts of the pilot"
            r = known.correlation
            rows.append(LabelSpread(spread.estimand, known.sd, (r, r), text))
        else:
            text = (
                f"people's spread taken as the judge's, {spread.sd:.3g}; its correlation with people"
                f" not known: {GUESSED[0]:g} to {GUESSED[1]:g}"
            )
            rows.append(LabelSpread(spread.estimand, spread.sd, GUESSED, text))
    return rows


def label_plans(spread: LabelSpread, prompts: int) -> list[LabelPlan]:
    """Return the half-widths that numbers of labels give, up to the number of prompts."""
    worse, better = sorted(spread.correlations, key=abs)
    counts = sorted({min(n, prompts) for n in LABELS if n <= prompts or n == LABELS[0]})
    return [
        LabelPlan(
            n,
            (half_width(spread.sd, better, n, prompts), half_width(spread.sd, worse, n, prompts)),
            half_width(spread.sd, 0.0, n, prompts),
        )
        for n in counts
    ]


def label_lines(spread: LabelSpread, plans: Sequence[LabelPlan]) -> list[str]:
    """Write the plan of one difference, a line a number of labels."""
    lines = []
    for plan in plans:
        low, high = plan.half_widths
        given = f"±{low:.2f}" if f"{low:.2f}" == f"{high:.2f}" else f"±{low:.2f} to ±{high:.2f}"
        lines.append(f"{plan.labels} labelled prompts: {given} (labels alone ±{plan.alone:.2f})")
    return lines


def _measured(pilot: Summary) -> dict[str, CorrectedEstimate]:
    """Return the corrected differences of a pilot's leading measure; of several subjects the widest."""
    widest: dict[str, CorrectedEstimate] = {}
    for row in pilot.contrasts:
        if row.measure not in pilot.headline.measures[:1] or row.kind != ALL:
            continue
        for name, corrected in (
            ("gain_originals", row.corrected_gain_originals),
            ("gain_variants", row.corrected_gain_variants),
            ("did", row.corrected_did),
        ):
            if corrected is not None and (
                name not in widest or (corrected.sd or 0.0) > (widest[name].sd or 0.0)
            ):
                widest[name] = corrected
    return widest
