"""Measures that are derived from others: the mean ``overall``, and how far a panel is apart."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from harness.records import Dimension, Judgement
from harness.stats.agreement import alpha

OVERALL = "overall"
"""Name of the mean over those dimensions of a judge that can be averaged."""

SPREAD = "_spread"
"""Ends the name of a panel's dimension that says how far its members are apart."""


def overall_parts(dimensions: Sequence[Dimension]) -> list[Dimension]:
    """Return the dimensions whose mean a report shows as ``overall``; empty without such a mean.

    Those of one scale that grade an answer by itself, the largest such group, two or more.
    """
    groups: dict[tuple[float, float, bool | None], list[Dimension]] = {}
    for dimension in dimensions:
        if not {"original_answer", "opponent"} & set(dimension.needs):
            scale = (dimension.low, dimension.high, dimension.higher_is_better)
            groups.setdefault(scale, []).append(dimension)
    largest = max(groups.values(), key=len, default=[])
    return largest if len(largest) > 1 else []


def spread_of(dimension: Dimension) -> Dimension:
    """Return the dimension that says how far a panel's members are apart on another."""
    return Dimension(
        name=dimension.name + SPREAD,
        low=0.0,
        high=dimension.high - dimension.low,
        higher_is_better=None,
        needs=dimension.needs,
        description=f"How far the panel's members are apart on {dimension.name}",
    )


def panel_raw(verdicts: Mapping[str, Judgement]) -> str:
    """Write the verdicts of a panel's members, by label, as the ``raw`` text of its score."""
    return json.dumps(
        {
            label: {"value": v.value, "status": v.status, "reason": v.reason, "raw": v.raw}
            for label, v in verdicts.items()
        },
        ensure_ascii=False,
    )


def panel_values(raw: str) -> dict[str, float | None]:
    """Read the members' values, by label, out of what ``panel_raw`` wrote."""
    return {label: verdict.get("value") for label, verdict in json.loads(raw).items()}


def panel_agreement(
    answers: Sequence[Mapping[str, float | None]], level: str = "interval"
) -> float | None:
    """Return Krippendorff's alpha among a panel's members on one dimension.

    Args:
        answers: The members' values of each answer, by label.
        level: ``ordinal`` or ``interval``.
    """
    labels = sorted({label for values in answers for label in values})
    return alpha([[values.get(label) for values in answers] for label in labels], level)
