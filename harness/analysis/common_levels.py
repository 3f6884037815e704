"""Levels that may stand on the axes of one radar chart."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.analysis.estimates import Measure, RadarLevels
from harness.analysis.table import Mask, Table
from harness.analysis.test_family import number
from harness.records import ORIGINAL

Values = np.ndarray[Any, np.dtype[np.float64]]

MIN_COMMON = 10
"""Fewest prompts that must be common to all kinds for their levels to be shown."""


def radar(table: Table, measure: Measure, prompts: Mask) -> RadarLevels:
    """Return one value an axis (the original and each kind) and subject, comparable across axes.

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
    on_common = n >= MIN_COMMON
    shown = {
        (subject, kind): _mean(values[common])
        if on_common
        else _moved(level[subject, ORIGINAL], values - level[subject, ORIGINAL])
        for (subject, kind), values in level.items()
    }
    return RadarLevels(
        **measure._asdict(),
        basis="levels on common prompts" if on_common else "originals moved by paired changes",
        n=n if on_common else None,
        axes=axes,
        values={s: tuple(shown[s, kind] for kind in axes) for s in table.subjects},
    )


def _moved(originals: Values, changes: Values) -> float | None:
    start, change = _mean(originals), _mean(changes)
    return None if start is None or change is None else number(start + change)


def _mean(values: Values) -> float | None:
    present = values[~np.isnan(values)]
    return number(float(present.mean())) if present.size else None
