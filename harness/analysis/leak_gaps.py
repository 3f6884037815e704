"""Every score three ways: on all prompts, on clean ones, on leaked ones, and the gap between them.

The gap is the mean on leaked prompts less the mean on clean ones. They are different prompts, so
nothing is paired; a row is a source prompt, so everything that one prompt was asked stays together.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import Literal, NamedTuple

import numpy as np

from harness.analysis.estimates import LeakDifference, LeakGap, ScopeLevel
from harness.analysis.scopes import Scope
from harness.analysis.series import Series
from harness.analysis.table import ALL, Table
from harness.analysis.test_family import BootstrapSettings, column_means, figures_of
from harness.records import ORIGINAL
from harness.stats.bootstrap import Intervals
from harness.stats.closed_forms import Floats
from harness.stats.cluster_sums import Clustered
from harness.stats.two_groups import two_groups
from harness.util.digest import derived_seed

_Quantity = tuple[Literal["level", "gain"], Floats, tuple[float, float]]


class _Column(NamedTuple):
    """One quantity, a value a prompt, and the row that it belongs to."""

    make: partial[LeakGap]
    values: Floats
    scale: tuple[float, float]


def leak_gaps(
    table: Table, scopes: Sequence[Scope], baseline: str, settings: BootstrapSettings
) -> tuple[LeakGap, ...]:
    """Compare levels of every subject and gains over the baseline, by measure and kind.

    No rows unless some prompts leaked; an estimate is None where its scope has no prompt.
    """
    leaked = next((scope.prompts for scope in scopes if scope.name == "leaked"), None)
    columns = [] if leaked is None else list(_columns(table, baseline))
    if leaked is None or not columns:
        return ()
    values = np.stack([column.values for column in columns], axis=1)
    scales = np.array([column.scale for column in columns])
    levels = {
        name: _levels(Clustered(values[chosen], table.families[chosen]), scales, name, settings)
        for name, chosen in (("all", leaked | ~leaked), ("clean", ~leaked), ("leaked", leaked))
    }
    gaps = two_groups(
        (
            Clustered(values[leaked], table.families[leaked]),
            Clustered(values[~leaked], table.families[~leaked]),
        ),
        rng=np.random.default_rng(derived_seed(settings.seed, "leak", "gap")),
        resamples=settings.resamples,
        level=settings.level,
        span=scales[:, 1] - scales[:, 0],
    )
    return tuple(
        column.make(**{name: of_scope[i] for name, of_scope in levels.items()}, gap=_gap(gaps, i))
        for i, column in enumerate(columns)
    )


def _columns(table: Table, baseline: str) -> Iterator[_Column]:
    for measure in table.dimensions:
        span = table.span(measure)
        base = Series.of(table, measure, baseline).values
        for subject in table.subjects:
            scores = Series.of(table, measure, subject).values
            quantities: list[_Quantity] = [("level", scores, table.scale(measure))]
            if subject != baseline:
                quantities.append(("gain", scores - base, (-span, span)))
            for what, series, scale in quantities:
                for kind in (ORIGINAL, ALL, *table.kinds):
                    values = table.on_kind(series, kind)
                    if np.isnan(values).all():
                        continue
                    make = partial(
                        LeakGap, subject=subject, **measure._asdict(), what=what, kind=kind
                    )
                    yield _Column(make, values, scale)


def _levels(
    prompts: Clustered, scales: Floats, scope: str, settings: BootstrapSettings
) -> list[ScopeLevel | None]:
    """Estimate every column on the prompts of a scope; None where it has no prompt."""
    if not len(prompts.values):
        return [None] * prompts.values.shape[1]
    intervals = column_means(prompts, scales, settings, "leak", scope)
    return [
        ScopeLevel(**figures_of(intervals, i), n=n) if n else None
        for i, n in enumerate(map(int, intervals.n))
    ]


def _gap(gaps: Intervals, index: int) -> LeakDifference | None:
    if np.isnan(gaps.mean[index]):
        return None
    return LeakDifference(
        **figures_of(gaps, index),
        leaked=int(gaps.n[0, index]),
        clean=int(gaps.n[1, index]),
        method="adjusted_welch" if gaps.adjusted[index] else "studentised_bootstrap",
    )
