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
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

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
from harness.analysis.scopes import Scope
from harness.analysis.series import Change, Series
from harness.analysis.table import ALL, Table
from harness.analysis.test_family import QuantityLedger, Test, number
from harness.records import IDENTITY, Severity
from harness.stats.closed_forms import expected_worst, fieller

SEVERITIES: tuple[Severity, ...] = ("light", "medium", "heavy")
WORST_SHARE = 0.9
MAX_K = 10

RowT = TypeVar("RowT", bound=MeasureRow)


@dataclass(frozen=True)
class PendingRow(Generic[RowT]):
    """A row whose estimates are entered into the ledger but not solved yet.

    Attributes:
        make: Makes the row from its estimates.
        keys: By field of the row, the key of its estimate in the ledger.
    """

    make: Callable[..., RowT]
    keys: Mapping[str, Hashable]

    def filled(self, estimates: Mapping[Hashable, Estimate]) -> RowT:
        """Return the row; an estimate that no prompt has is None."""
        return self.make(
            **{
                name: estimates[key] if estimates[key].n else None
                for name, key in self.keys.items()
            }
        )


class Estimands:
    """Enters what a table can tell into a ledger, and returns the rows that are pending.

    Args:
        table: The run's scores.
        ledger: Where to enter.
        headline: Measures whose tests carry the finding.
        main: Scope that the finding rests on.
        baseline: The subject that the others are compared with.
    """

    def __init__(
        self,
        table: Table,
        ledger: QuantityLedger,
        headline: Sequence[Measure],
        main: Scope,
        baseline: str,
    ) -> None:
        self.table, self.ledger, self.headline, self.main = table, ledger, headline, main
        self.baseline = baseline

    def _pairs(self) -> Iterator[tuple[Measure, str]]:
        for measure in self.table.dimensions:
            for subject in self.table.subjects:
                yield measure, subject

    def cells(self) -> list[PendingRow[SummaryCell]]:
        """Enter levels and changes of every subject, measure and kind, on the finding's prompts."""
        return [
            row
            for measure, subject in self._pairs()
            for series in [Series.of(self.table, measure, subject)]
            for kind in [ALL, *self.table.kinds]
            for row in self._cell(subject, series, kind)
        ]

    def _cell(self, subject: str, series: Series, kind: str) -> Iterator[PendingRow[SummaryCell]]:
        table, scope, measure = self.table, self.main, series.measure
        dimension, span = table.dimensions[measure], table.span(measure)
        scale = (dimension.low, dimension.high)
        parts = Change.of(table, measure, series.values, kind)
        if np.isnan(scope.only(parts.on_variants)).all() and not series.expected.any():
            return
        trials = None
        if table.is_rate(measure):
            inside = scope.prompts[table.cluster]
            trials = int((~np.isnan(series.values) & inside).sum())
        keys = _keys("cell", measure, subject, kind, of=("variants", "originals", "change"))
        variants, originals = scope.only(parts.paired_variants), scope.only(parts.paired_originals)
        self.ledger.enter(keys["variants"], variants, scale, trials=trials)
        self.ledger.enter(keys["originals"], originals, scale, trials=trials)
        tested: Test | None = "detail" if measure in self.headline and kind != IDENTITY else None
        self.ledger.enter(keys["change"], scope.only(parts.change), (-span, span), test=tested)
        make = partial(
            SummaryCell,
            subject=subject,
            **measure._asdict(),
            kind=kind,
            against=table.baseline_for(measure),
            n=int((~np.isnan(variants)).sum()),
            **series.missing(table, kind, scope)._asdict(),
            drop=None,
            worst=None,
        )
        yield PendingRow(make, keys)

    def contrasts(self, scopes: Sequence[Scope]) -> list[PendingRow[Contrast]]:
        """Enter every other subject against the baseline: gains and difference in differences."""
        table = self.table
        return [
            row
            for measure, subject in self._pairs()
            if subject != self.baseline
            for series in [
                Series.of(table, measure, subject).minus(Series.of(table, measure, self.baseline))
            ]
            for scope in scopes
            for kind in [ALL, *table.kinds]
            for row in self._contrast(subject, series, kind, scope)
        ]

    def _contrast(
        self, subject: str, series: Series, kind: str, scope: Scope
    ) -> Iterator[PendingRow[Contrast]]:
        table, measure = self.table, series.measure
        span = table.span(measure)
        parts = Change.of(table, measure, series.values, kind)
        if np.isnan(scope.only(parts.on_variants)).all() and not series.expected.any():
            return
        test: Test | None = None
        if (scope.name, scope.topic) == (self.main.name, None) and kind != IDENTITY:
            test = "headline" if measure in self.headline and kind == ALL else "detail"
        place = ("contrast", scope.name, scope.topic, measure, subject, kind)
        keys = _keys(*place, of=("gain_originals", "gain_variants", "did"))
        originals, variants = scope.only(parts.paired_originals), scope.only(parts.paired_variants)
        on_originals = test if kind == ALL else None
        self.ledger.enter(keys["gain_originals"], originals, (-span, span), test=on_originals)
        self.ledger.enter(keys["gain_variants"], variants, (-span, span), test=test)
        self.ledger.enter(keys["did"], scope.only(parts.change), (-2 * span, 2 * span), test=test)
        make = partial(
            Contrast,
            subject=subject,
            **measure._asdict(),
            baseline=self.baseline,
            kind=kind,
            scope=scope.name,
            topic=scope.topic,
            against=table.baseline_for(measure),
            n=int((~np.isnan(variants)).sum()),
            **series.missing(table, kind, scope)._asdict(),
            kept=_kept(parts, scope),
        )
        yield PendingRow(make, keys)

    def pairs(self) -> list[PendingRow[SubjectPair]]:
        """Enter every two of the compared subjects against each other, on the headline measures."""
        others = [s for s in self.table.subjects if s != self.baseline]
        return [
            self._pair(measure, one, two)
            for measure in self.headline
            for one, two in itertools.combinations(others, 2)
        ]

    def _pair(self, measure: Measure, one: str, two: str) -> PendingRow[SubjectPair]:
        table, span = self.table, self.table.span(measure)
        series = Series.of(table, measure, one).minus(Series.of(table, measure, two))
        parts = Change.of(table, measure, series.values, ALL)
        variants = self.main.only(parts.paired_variants)
        keys = _keys("pair", measure, one, two, of=("gain_originals", "gain_variants", "did"))
        for name, values, reach in (
            ("gain_originals", self.main.only(parts.paired_originals), span),
            ("gain_variants", variants, span),
            ("did", self.main.only(parts.change), 2 * span),
        ):
            self.ledger.enter(keys[name], values, (-reach, reach), test="detail")
        n = int((~np.isnan(variants)).sum())
        make = partial(SubjectPair, subject=one, against=two, **measure._asdict(), n=n)
        return PendingRow(make, keys)

    def severities(self) -> list[PendingRow[SeverityPoint]]:
        """Enter level and change at each severity of kinds that have several, without fillers."""
        return [
            row
            for measure, subject in self._pairs()
            for series in [Series.of(self.table, measure, subject)]
            for kind in self.table.real_kinds
            for row in self._severity_curve(subject, series, kind)
        ]

    def _severity_curve(
        self, subject: str, series: Series, kind: str
    ) -> Iterator[PendingRow[SeverityPoint]]:
        table, measure = self.table, series.measure
        dimension, span = table.dimensions[measure], table.span(measure)
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
            place = ("severity", measure, subject, kind, severity)
            keys = _keys(*place, of=("variants", "change"))
            self.ledger.enter(keys["variants"], values, (dimension.low, dimension.high))
            self.ledger.enter(keys["change"], values - originals, (-span, span))
            make = partial(
                SeverityPoint, subject=subject, **measure._asdict(), kind=kind, severity=severity
            )
            yield PendingRow(make, keys)

    def worst_cases(self) -> list[PendingRow[WorstPoint]]:
        """Enter the expected worst of k variants, for every k that nearly all prompts can give."""
        return [
            row
            for measure, subject in self._pairs()
            if self.table.sign(measure) != 0
            for kind in [ALL, *self.table.kinds]
            for row in self._worst_curve(measure, subject, kind)
        ]

    def _worst_curve(
        self, measure: Measure, subject: str, kind: str
    ) -> Iterator[PendingRow[WorstPoint]]:
        table, sign = self.table, self.table.sign(measure)
        dimension = table.dimensions[measure]
        rows = np.isin(table.kind, table.real_kinds) if kind == ALL else table.rows(kind)
        rows &= self.main.prompts[table.cluster]
        values = table.values[measure][:, table.subjects.index(subject)]
        wide = sign * table.wide(values, rows)
        counts = (~np.isnan(wide)).sum(axis=1)
        counts = counts[counts > 0]
        if not counts.size:
            return
        most = int(np.quantile(counts, 1 - WORST_SHARE, method="inverted_cdf"))
        for k in range(1, min(most, MAX_K) + 1):
            if kind != ALL and k not in (1, most, MAX_K):
                continue
            keys = _keys("worst", measure, subject, kind, k, of=("expected_worst",))
            worst = sign * expected_worst(wide, k)
            self.ledger.enter(keys["expected_worst"], worst, (dimension.low, dimension.high))
            make = partial(WorstPoint, subject=subject, **measure._asdict(), kind=kind, k=k)
            yield PendingRow(make, keys)


def _keys(*place: Hashable, of: Sequence[str]) -> dict[str, Hashable]:
    """Return the ledger's key of every estimate of a row."""
    return {name: (*place, name) for name in of}


def _kept(parts: Change, scope: Scope) -> Interval | None:
    """Return the share of the gain on originals that is kept on variants.

    To be read only where the gain is certain, see :func:`without_uncertain_share`.
    """
    ratio = fieller(scope.only(parts.on_variants), scope.only(parts.paired_originals))
    if ratio is None:
        return None
    mean, low, high = map(number, ratio)
    return Interval(mean=mean, low=low, high=high)


def without_uncertain_share(row: Contrast, sign: int) -> Contrast:
    """Drop the share kept where the gain on originals is not certain.

    Args:
        row: The contrast.
        sign: 1 where higher is better, -1 where lower is, 0 where neither is.
    """
    gain = row.gain_originals
    ends = () if gain is None or gain.low is None or gain.high is None else (gain.low, gain.high)
    certain = bool(ends) and min(sign * end for end in ends) > 0
    return row if certain else row.model_copy(update={"kept": None})


def drop_of(change: Estimate | None, sign: int) -> Interval | None:
    """Turn a change into a drop: worse is positive; None without a better end.

    Args:
        change: Variants less originals.
        sign: 1 where higher is better, -1 where lower is, 0 where neither is.
    """
    if change is None or change.mean is None or not sign:
        return None

    def turned(value: float | None) -> float | None:
        return None if value is None else -sign * value + 0.0

    low, high = turned(change.low), turned(change.high)
    if sign > 0:
        low, high = high, low
    return Interval(mean=turned(change.mean), low=low, high=high)
