"""What is estimated: levels, drops, differences between subjects, worst cases, severity curves.

Notation, for one source prompt: ``o`` is the mean score on its original, ``v`` the mean over its
variants of one kind; ``b`` is the baseline, ``t`` another subject. All means over prompts are over
the prompts that have every part of the formula.

=================  ==============================================================================
level              mean of ``v``, and of ``o`` over the same prompts
change             mean of ``v - o``; ``drop`` is the same, signed so that worse is positive
gain               mean of ``t - b`` over the very variants that both were scored on
did                mean of ``(t_v - t_o) - (b_v - b_o)``, difference in differences
worst case         mean over prompts of the expected worst of k variants, k equal for all prompts
=================  ==============================================================================
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Generic, NamedTuple, Self, TypeVar

import numpy as np

from harness.analysis.estimates import (
    Contrast,
    Estimate,
    Interval,
    Measure,
    MeasureRow,
    SeverityPoint,
    SubjectPair,
    SummaryCell,
    WorstPoint,
)
from harness.analysis.people import LabelledRun, PeopleLabels
from harness.analysis.scopes import Scope
from harness.analysis.series import Series
from harness.analysis.table import ALL, Mask, Table
from harness.analysis.test_family import Quantity, Test, number
from harness.records import IDENTITY, SEVERITIES
from harness.stats.closed_forms import Floats, expected_worst
from harness.stats.ratios import fieller

WORST_SHARE = 0.9
MAX_K = 10

RowT = TypeVar("RowT", bound=MeasureRow)


@dataclass(frozen=True)
class PendingRow(Generic[RowT]):
    """A row whose estimates are not solved yet: what makes it, and the quantities by its fields."""

    make: Callable[..., RowT]
    quantities: Mapping[str, Quantity]

    def filled(self, estimates: Mapping[Quantity, Estimate]) -> RowT:
        """Return the row; an estimate that no prompt has is None."""
        solved = {name: estimates[quantity] for name, quantity in self.quantities.items()}
        return self.make(**{name: one if one.n else None for name, one in solved.items()})


class _Compared(NamedTuple):
    """A series on a kind and on what the kind is compared with, one value a prompt in scope."""

    variants: Floats
    originals: Floats
    change: Floats

    @classmethod
    def of(cls, series: Series, kind: str, scope: Scope) -> Self:
        parts = series.change(kind)
        return cls(*map(scope.only, (parts.paired_variants, parts.paired_originals, parts.change)))

    @property
    def n(self) -> int:
        return int((~np.isnan(self.variants)).sum())

    def differences(
        self, span: float, *, test: Test | None, on_originals: Test | None
    ) -> dict[str, Quantity]:
        """Return the quantities of one subject less another."""
        return {
            "gain_originals": Quantity(self.originals, (-span, span), on_originals),
            "gain_variants": Quantity(self.variants, (-span, span), test),
            "did": Quantity(self.change, (-2 * span, 2 * span), test),
        }


@dataclass(frozen=True)
class Estimands:
    """What a table can tell, as rows that wait for their estimates.

    Attributes:
        table: The run's scores.
        headline: Measures whose tests carry the finding.
        main: Scope that the finding rests on.
        baseline: The subject that the others are compared with.
        people: People's labels of the run's own answers, where there are any.
    """

    table: Table
    headline: Sequence[Measure]
    main: Scope
    baseline: str
    people: PeopleLabels | None = None

    def _series(self) -> Iterator[Series]:
        for measure in self.table.dimensions:
            for subject in self.table.subjects:
                yield Series.of(self.table, measure, subject)

    def cells(self) -> Iterator[PendingRow[SummaryCell]]:
        """Yield levels and changes of every subject, measure and kind, on the finding's prompts."""
        for series in self._series():
            if series.expected.any():
                for kind in [ALL, *self.table.kinds]:
                    yield self._cell(series, kind)

    def _cell(self, series: Series, kind: str) -> PendingRow[SummaryCell]:
        table, measure = self.table, series.measure
        scale, span = table.scale(measure), table.span(measure)
        compared = _Compared.of(series, kind, self.main)
        tested: Test | None = "detail" if measure in self.headline and kind != IDENTITY else None
        return PendingRow(
            partial(
                SummaryCell,
                **_kind_fields(series, kind, self.main),
                n=compared.n,
                drop=None,
                worst=None,
            ),
            {
                "variants": Quantity(
                    compared.variants, scale, trials=self._trials(series, kind, compared.variants)
                ),
                "originals": Quantity(
                    compared.originals,
                    scale,
                    trials=self._trials(series, table.baseline_for(measure), compared.originals),
                ),
                "change": Quantity(compared.change, (-span, span), tested),
            },
        )

    def _trials(self, series: Series, kind: str, per_prompt: Floats) -> int | None:
        """Count the answers behind the rates of a kind; None where a measure is no rate."""
        if not self.table.is_rate(series.measure):
            return None
        inside = ~np.isnan(per_prompt)[self.table.cluster] & self.table.rows(kind)
        return int((~np.isnan(series.values) & inside).sum())

    def contrasts(self, scopes: Sequence[Scope]) -> Iterator[PendingRow[Contrast]]:
        """Yield every other subject against the baseline: gains and difference in differences."""
        for series in self._series():
            if series.subject == self.baseline:
                continue
            difference = series.minus(Series.of(self.table, series.measure, self.baseline))
            if difference.expected.any():
                for scope in scopes:
                    for kind in [ALL, *self.table.kinds]:
                        yield self._contrast(difference, kind, scope)

    def _contrast(self, series: Series, kind: str, scope: Scope) -> PendingRow[Contrast]:
        test: Test | None = None
        if (scope.name, scope.topic) == (self.main.name, None) and kind != IDENTITY:
            test = "headline" if series.measure in self.headline and kind == ALL else "detail"
        compared = _Compared.of(series, kind, scope)
        make = partial(
            Contrast,
            **_kind_fields(series, kind, scope),
            n=compared.n,
            baseline=self.baseline,
            scope=scope.name,
            topic=scope.topic,
            kept=_kept(compared, self.table, series.measure),
        )
        on_originals = test if kind == ALL else None
        span = self.table.span(series.measure)
        judged = compared.differences(span, test=test, on_originals=on_originals)
        further = self._corrected(judged, series, kind, scope)
        if kind == ALL and scope.topic is None:
            further |= self._balanced(judged)
        return PendingRow(make, judged | further)

    def _balanced(self, judged: Mapping[str, Quantity]) -> dict[str, Quantity]:
        """Return the differences with every group weighing alike; none without groups."""
        groups = self.table.groups
        if groups is None:
            return {}
        names = {"gain_originals": "originals", "gain_variants": "variants", "did": "did"}
        return {
            f"balanced_{names[name]}": Quantity(group_means(one.values, groups), one.scale)
            for name, one in judged.items()
        }

    def _corrected(
        self, judged: Mapping[str, Quantity], series: Series, kind: str, scope: Scope
    ) -> dict[str, Quantity]:
        """Return the differences by people, which are tested in the judge's place."""
        if self.people is None or not self.headline:
            return {}
        labelled = LabelledRun(self.table, self.people, self.headline[0])
        quantities: dict[str, Quantity] = {}
        pair = (series.subject, self.baseline)
        for name, values in labelled.differences(series, pair, kind, scope).items():
            mean = values.mean(self.table.families)
            if mean is not None:
                judge = judged[name]
                quantities[name] = replace(judge, test=None)
                quantities[f"corrected_{name}"] = Quantity(
                    values.people,
                    (-values.reach, values.reach),
                    judge.test,
                    people=mean,
                    people_span=values.span,
                )
        return quantities

    def pairs(self) -> Iterator[PendingRow[SubjectPair]]:
        """Yield every two of the compared subjects against each other, on the headline measures."""
        others = [s for s in self.table.subjects if s != self.baseline]
        for measure in self.headline:
            span = self.table.span(measure)
            for one, two in itertools.combinations(others, 2):
                series = Series.of(self.table, measure, one).minus(
                    Series.of(self.table, measure, two)
                )
                compared = _Compared.of(series, ALL, self.main)
                yield PendingRow(
                    partial(
                        SubjectPair, subject=one, against=two, **measure._asdict(), n=compared.n
                    ),
                    compared.differences(span, test="detail", on_originals="detail"),
                )

    def severities(self) -> Iterator[PendingRow[SeverityPoint]]:
        """Yield level and change at each severity of kinds that have several, without fillers."""
        for series in self._series():
            for kind in self.table.real_kinds:
                yield from self._severity_curve(series, kind)

    def _severity_curve(self, series: Series, kind: str) -> Iterator[PendingRow[SeverityPoint]]:
        table, measure = self.table, series.measure
        span = table.span(measure)
        of_kind = table.rows(kind) & ~table.filler
        present = [s for s in SEVERITIES if (of_kind & (table.severity == s)).any()]
        if len(present) < 2:
            return
        originals = table.on_kind(series.values, table.baseline_for(measure))
        for severity in present:
            rows = of_kind & (table.severity == severity)
            values = self.main.only(table.per_prompt(series.values, rows))
            if np.isnan(values).all():
                continue
            yield PendingRow(
                partial(SeverityPoint, **_place(series, kind), severity=severity),
                {
                    "variants": Quantity(values, table.scale(measure)),
                    "change": Quantity(values - originals, (-span, span)),
                },
            )

    def worst_cases(self) -> Iterator[PendingRow[WorstPoint]]:
        """Yield the expected worst of k variants, for every k that nearly all prompts can give.

        Subjects can be compared: of each prompt only variants count that all of them were scored on,
        so that k and the kinds are the same for all. A subject without any score is passed over.
        """
        for measure in self.table.dimensions:
            if self.table.sign(measure) != 0:
                values = self.table.values[measure]
                scored = ~np.isnan(values).all(axis=0)
                common = np.asarray(~np.isnan(values[:, scored]).any(axis=1))
                for subject in np.flatnonzero(scored):
                    series = Series.of(self.table, measure, self.table.subjects[subject])
                    for kind in [ALL, *self.table.kinds]:
                        yield from self._worst_curve(series, kind, common)

    def _worst_curve(
        self, series: Series, kind: str, common: Mask
    ) -> Iterator[PendingRow[WorstPoint]]:
        table, sign = self.table, self.table.sign(series.measure)
        rows = table.rows(kind) & self.main.prompts[table.cluster]
        asked = len(np.unique(table.cluster[rows & series.expected]))
        wide = sign * table.wide(series.values, rows & common)
        counts = (~np.isnan(wide)).sum(axis=1)
        given = counts[counts > 0]
        if not given.size:
            return
        most = int(np.quantile(given, 1 - WORST_SHARE, method="inverted_cdf"))
        for k in range(1, min(most, MAX_K) + 1):
            if kind != ALL and k not in (1, most, MAX_K):
                continue
            worst = Quantity(sign * expected_worst(wide, k), table.scale(series.measure))
            left_out = asked - int((counts >= k).sum())
            make = partial(WorstPoint, **_place(series, kind), k=k, left_out=left_out)
            yield PendingRow(make, {"expected_worst": worst})


def _place(series: Series, kind: str) -> dict[str, Any]:
    """Return the fields that say what a row is about."""
    return {"subject": series.subject, **series.measure._asdict(), "kind": kind}


def _kind_fields(series: Series, kind: str, scope: Scope) -> dict[str, Any]:
    """Return the fields of a row about a kind that are counted, not estimated."""
    against = series.table.baseline_for(series.measure)
    missing = series.missing(kind, scope)._asdict()
    return {**_place(series, kind), "against": against, **missing}


def group_means(values: Floats, groups: Sequence[str]) -> Floats:
    """Average a quantity over the prompts of each group, at the place of the group's first prompt.

    The mean over what is left weighs all groups alike, however many prompts each has.

    Args:
        values: One value a prompt, shape (prompts,); NaN is missing.
        groups: Group of each prompt.

    Returns:
        Shape (prompts,), NaN but for one prompt a group.
    """
    _, first, group_of = np.unique(np.array(groups), return_index=True, return_inverse=True)
    present = ~np.isnan(values)
    counts = np.bincount(group_of[present], minlength=len(first))
    sums = np.bincount(group_of[present], weights=values[present], minlength=len(first))
    means = np.full(len(values), np.nan)
    means[first] = np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)
    return means


def _kept(compared: _Compared, table: Table, measure: Measure) -> Interval | None:
    """Return the share of the gain on originals that is kept on variants.

    To be read only where the gain is certain, see :func:`without_uncertain_share`.
    """
    span = 2 * table.span(measure)  # of a difference of two scores
    ratio = fieller(compared.variants, compared.originals, span=span, clusters=table.families)
    if ratio is None:
        return None
    mean, low, high = map(number, ratio)
    return Interval(mean=mean, low=low, high=high)


def without_uncertain_share(row: Contrast, sign: int) -> Contrast:
    """Drop the share kept where the gain on originals is not certain, or only the judge's."""
    if row.corrected_gain_originals is not None:
        return row.model_copy(update={"kept": None})
    gain = row.gain_originals
    ends = () if gain is None or gain.low is None or gain.high is None else (gain.low, gain.high)
    certain = bool(ends) and min(sign * end for end in ends) > 0
    return row if certain else row.model_copy(update={"kept": None})


def drop_of(change: Estimate | None, sign: int) -> Interval | None:
    """Turn a change into a drop: worse is positive; None without a better end (``sign`` 0)."""
    if change is None or change.mean is None or not sign:
        return None
    ends = (change.high, change.low) if sign > 0 else (change.low, change.high)
    mean, low, high = (None if x is None else -sign * x + 0.0 for x in (change.mean, *ends))
    return Interval(mean=mean, low=low, high=high)
