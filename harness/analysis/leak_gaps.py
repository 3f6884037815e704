"""Every score three ways: on all prompts, on clean ones, on leaked ones, and the gap between them.

The gap is the mean on leaked prompts less the mean on clean ones. They are different prompts, so
nothing is paired; a row is a source prompt, so everything that one prompt was asked stays together.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from harness.analysis.estimands import Scope, Series, sign_of
from harness.analysis.table import ALL, Measure, Table
from harness.analysis.test_family import number
from harness.records import ORIGINAL
from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import Floats
from harness.stats.two_groups import two_groups
from harness.util.digest import derived_seed
from harness.util.formatting import plural, with_interval

LEVEL, GAIN = "level", "gain"


class _Column(NamedTuple):
    """One quantity, a value a prompt."""

    row: dict[str, Any]
    values: Floats
    scale: tuple[float, float]


def three_ways(
    table: Table,
    scopes: Sequence[Scope],
    baseline: str,
    *,
    seed: int,
    resamples: int,
    level: float,
) -> list[dict[str, Any]]:
    """Levels of every subject and gains over the baseline, by measure and kind.

    Args:
        table: The run's scores.
        scopes: ``all`` and, where there are, ``clean`` and ``leaked``.
        baseline: Whom the gains are against.
        seed: Seed of the run.
        resamples: Bootstrap resamples.
        level: Confidence level.

    Returns:
        No rows unless some prompts leaked; else one a quantity, with an estimate for each scope
        (None where it has no prompt) and the ``gap``: leaked less clean.
    """
    found = {scope.name: scope for scope in scopes}
    if "leaked" not in found:
        return []
    columns = _columns(table, baseline)
    if not columns:
        return []
    values = np.stack([column.values for column in columns], axis=1)
    scales = np.array([column.scale for column in columns])
    clean, leaked = ~found["leaked"].prompts, found["leaked"].prompts
    rows = [dict(column.row) for column in columns]
    for name, chosen in (("all", clean | leaked), ("clean", clean), ("leaked", leaked)):
        estimates = _levels(
            values[chosen], scales, derived_seed(seed, "leak", name), resamples, level
        )
        for row, estimate in zip(rows, estimates, strict=True):
            row[name] = estimate
    gaps = two_groups(
        (values[leaked], values[clean]),
        rng=np.random.default_rng(derived_seed(seed, "leak", "gap")),
        resamples=resamples,
        level=level,
        span=scales[:, 1] - scales[:, 0],
    )
    for index, row in enumerate(rows):
        row["gap"] = (
            None
            if np.isnan(gaps.mean[index])
            else {
                "mean": number(float(gaps.mean[index])),
                "low": number(float(gaps.low[index])),
                "high": number(float(gaps.high[index])),
                "se": number(float(gaps.se[index])),
                "leaked": int(gaps.first[index]),
                "clean": int(gaps.second[index]),
                "method": "adjusted_welch" if gaps.adjusted[index] else "studentised_bootstrap",
            }
        )
    return rows


def _columns(table: Table, baseline: str) -> list[_Column]:
    found = []
    for measure, dimension in table.dimensions.items():
        span = dimension.high - dimension.low
        base = Series.of(table, measure, baseline).values
        for subject in table.subjects:
            own = Series.of(table, measure, subject).values
            quantities = [(LEVEL, own, (dimension.low, dimension.high))]
            if subject != baseline:
                quantities.append((GAIN, own - base, (-span, span)))
            for what, series, scale in quantities:
                for kind in (ORIGINAL, ALL, *table.kinds):
                    values = table.on_kind(series, kind)
                    if np.isnan(values).all():
                        continue
                    row = {
                        "subject": subject,
                        "judge": measure[0],
                        "dimension": measure[1],
                        "what": what,
                        "kind": kind,
                    }
                    found.append(_Column(row, values, scale))
    return found


def _levels(
    values: Floats, scales: Floats, seed: int, resamples: int, level: float
) -> list[dict[str, Any] | None]:
    if not len(values):
        return [None] * values.shape[1]
    found = studentised_bootstrap(
        values, rng=np.random.default_rng(seed), resamples=resamples, level=level,
        low=scales[:, 0], high=scales[:, 1],
    )  # fmt: skip
    return [
        None
        if not found.n[i]
        else {
            "mean": number(float(found.mean[i])),
            "low": number(float(found.low[i])),
            "high": number(float(found.high[i])),
            "se": number(float(found.se[i])),
            "n": int(found.n[i]),
        }
        for i in range(values.shape[1])
    ]


def first_line(
    audit: Mapping[str, int],
    main: str,
    gaps: Sequence[Mapping[str, Any]],
    table: Table,
    headline: Sequence[Measure],
) -> str | None:
    """What the verdict must begin with where test prompts stand in the training data; else None.

    Args:
        audit: Source prompts by audit label.
        main: The scope that the finding rests on.
        gaps: From :func:`three_ways`.
        table: The run's scores.
        headline: The leading measure first.
    """
    leaked, total = audit["leaked"], sum(audit.values())
    if not leaked:
        return None
    stand = "stands" if leaked == 1 else "stand"
    text = f"Leaked: {leaked} of {plural(total, 'test prompt')} {stand} in the training data"
    said = [
        f"{row['subject']} gains {with_interval(row['gap'], sign=True)} more on them than on clean ones"
        for row in gaps
        if headline
        and (row["judge"], row["dimension"]) == headline[0]
        and (row["what"], row["kind"]) == (GAIN, ORIGINAL)
        and row["gap"] is not None
        and row["gap"]["low"] is not None
        and sign_of(table, headline[0]) > 0
    ]
    if said:
        text += f" ({'; '.join(said)})"
    if main == "clean":
        return f"{text}; what follows rests on the other {total - leaked}."
    return f"{text}, too few do not, and what follows measures memory too."
