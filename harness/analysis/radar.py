"""Levels that may stand on the axes of one radar chart."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.analysis.ledger import number
from harness.analysis.table import Mask, Measure, Table
from harness.records import ORIGINAL

MIN_COMMON = 10
"""Fewest prompts that must be common to all kinds for their levels to be shown."""


def radar(table: Table, measure: Measure, prompts: Mask) -> dict[str, Any]:
    """One value an axis (the original and each kind) and subject, comparable across axes.

    Kinds apply to different prompts, so plain means would compare prompts, not kinds. Where at
    least ``MIN_COMMON`` prompts have every kind from every subject, the axes are levels on those;
    else each axis is the mean on the kind's own prompts less the mean on their originals.
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
    if n >= MIN_COMMON:
        basis, axes = "levels on common prompts", (ORIGINAL, *kinds)
        shown = {key: values[common] for key, values in level.items()}
    else:
        basis, axes = "paired changes", tuple(kinds)
        shown = {
            (s, k): values - level[s, ORIGINAL] for (s, k), values in level.items() if k != ORIGINAL
        }
    return {
        "judge": measure[0],
        "dimension": measure[1],
        "basis": basis,
        "n": n if basis.startswith("levels") else None,
        "axes": list(axes),
        "values": {
            subject: [_mean(shown[subject, kind]) for kind in axes] for subject in table.subjects
        },
    }


def _mean(values: np.ndarray[Any, np.dtype[np.float64]]) -> float | None:
    present = values[~np.isnan(values)]
    return number(float(present.mean())) if present.size else None
