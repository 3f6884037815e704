"""Levels that may stand on the axes of one radar chart."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.analysis.table import Mask, Measure, Table
from harness.analysis.test_family import number
from harness.records import ORIGINAL

Values = np.ndarray[Any, np.dtype[np.float64]]

MIN_COMMON = 10
"""Fewest prompts that must be common to all kinds for their levels to be shown."""


def radar(table: Table, measure: Measure, prompts: Mask) -> dict[str, Any]:
    """One value an axis (the original and each kind) and subject, comparable across axes.

    Kinds apply to different prompts, so plain means would compare prompts, not kinds. Where at
    least ``MIN_COMMON`` prompts have every kind from every subject, the axes are levels on those;
    else each kind's axis is the mean over the originals of all prompts, moved by what the kind
    changes on its own prompts (paired). So the outer of two subjects is the better one where higher
    is better, which a chart of the changes alone would hide.
    """
    column = table.subjects.index
    kinds = table.real_kinds
    level = {
        (subject, kind): np.where(
            prompts, table.on_kind(table.values[measure][:, column(subject)], kind), np.nan
        )
        for subject in table.subjects
        for kind in (ORIGINAL, *kinds)
    }
    common = np.all([~np.isnan(values) for values in level.values()], axis=0)
    n = int(common.sum())
    axes = (ORIGINAL, *kinds)
    if n >= MIN_COMMON:
        basis = "levels on common prompts"
        shown = {key: _mean(values[common]) for key, values in level.items()}
    else:
        basis = "originals moved by paired changes"
        shown = {
            (s, k): _moved(level[s, ORIGINAL], level[s, k] - level[s, ORIGINAL]) for s, k in level
        }
    return {
        "judge": measure[0],
        "dimension": measure[1],
        "basis": basis,
        "n": n if basis.startswith("levels") else None,
        "axes": list(axes),
        "values": {subject: [shown[subject, kind] for kind in axes] for subject in table.subjects},
    }


def _moved(originals: Values, changes: Values) -> float | None:
    start, change = _mean(originals), _mean(changes)
    return None if start is None or change is None else number(start + change)


def _mean(values: Values) -> float | None:
    present = values[~np.isnan(values)]
    return number(float(present.mean())) if present.size else None
