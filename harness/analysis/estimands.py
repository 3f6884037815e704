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
from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.analysis.table import ALL, Mask, Measure, Table
from harness.analysis.test_family import Ledger, Test, number
from harness.records import IDENTITY
from harness.stats.closed_forms import Floats, expected_worst, fieller

MISSING_BOUND = 0.10
"""From this share of missing scores on, a cell carries the bounds that they leave open."""

SEVERITIES = ("light", "medium", "heavy")
WORST_SHARE = 0.9
MAX_K = 10


@dataclass(frozen=True)
class Scope:
    """The prompts that a set of estimates is about.

    Attributes:
        name: ``all``, ``clean``, ``leaked``, or ``topic`` and its name.
        prompts: Shape (clusters,).
    """

    name: str
    prompts: Mask

    def only(self, values: Floats) -> Floats:
        """``values`` with the prompts out of scope made missing."""
        return np.where(self.prompts, values, np.nan)


def sign_of(table: Table, measure: Measure) -> int:
    """+1 where higher is better, -1 where lower is, 0 where neither is."""
    better = table.dimensions[measure].higher_is_better
    return 0 if better is None else (1 if better else -1)


def is_rate(table: Table, measure: Measure) -> bool:
    """Whether every answer was scored 0 or 1 on a 0-to-1 scale."""
    dimension = table.dimensions[measure]
    values = table.values[measure]
    found = values[~np.isnan(values)]
    return bool(
        (dimension.low, dimension.high) == (0, 1) and found.size and np.isin(found, (0, 1)).all()
    )


@dataclass(frozen=True)
class Series:
    """One value a row, and what its missing ones could have been at worst and at best."""

    values: Floats
    expected: Mask
    least: Floats
    most: Floats

    @classmethod
    def of(cls, table: Table, measure: Measure, subject: str) -> Series:
        """What one subject scored."""
        column = table.subjects.index(subject)
        values, expected = table.values[measure][:, column], table.expected[measure][:, column]
        gap = expected & np.isnan(values)
        dimension = table.dimensions[measure]
        return cls(
            values,
            expected,
            np.where(gap, dimension.low, values),
            np.where(gap, dimension.high, values),
        )

    def minus(self, other: Series) -> Series:
        """Row by row: the same variant, this subject against the other."""
        return Series(
            self.values - other.values,
            self.expected & other.expected,
            self.least - other.most,
            self.most - other.least,
        )

    def missing(self, table: Table, kind: str, scope: Scope) -> dict[str, Any]:
        """How many scores were expected on a kind and how many are missing."""
        rows = (
            np.isin(table.kind, table.real_kinds) if kind == ALL else table.rows(kind)
        ) & scope.prompts[table.cluster]
        expected = int((self.expected & rows).sum())
        missing = int((self.expected & rows & np.isnan(self.values)).sum())
        share = missing / expected if expected else 0.0
        return {"expected": expected, "missing": missing, "share": number(share)}


@dataclass(frozen=True)
class Change:
    """A series on a kind beside the same prompts' originals (or identity), prompt by prompt."""

    on_variants: Floats
    on_originals: Floats

    @classmethod
    def of(cls, table: Table, measure: Measure, values: Floats, kind: str) -> Change:
        """What a series is on a kind and on what that kind is compared with."""
        against = table.baseline_for(measure)
        v = table.on_kind(values, kind)
        if against == kind:
            return cls(v, np.full_like(v, np.nan))
        return cls(v, table.on_kind(values, against))

    @property
    def both(self) -> Mask:
        """Prompts that have the two."""
        return np.asarray(~np.isnan(self.on_variants) & ~np.isnan(self.on_originals))

    @property
    def paired_originals(self) -> Floats:
        """The originals of the prompts that have variants."""
        return np.where(self.both, self.on_originals, np.nan)

    @property
    def paired_variants(self) -> Floats:
        """The variants of the prompts that have an original to compare with (else all of them)."""
        return (
            np.where(self.both, self.on_variants, np.nan) if self.both.any() else self.on_variants
        )

    @property
    def change(self) -> Floats:
        """Variants less originals."""
        return self.on_variants - self.on_originals


def bounds_of(
    table: Table, measure: Measure, series: Series, kind: str, scope: Scope
) -> dict[str, Any]:
    """Where level and change could lie if every missing score stood at an end of its scale."""
    lowest, highest = (
        Change.of(table, measure, values, kind) for values in (series.least, series.most)
    )

    def mean(values: Floats) -> float | None:
        inside = scope.only(values)
        return number(float(np.nanmean(inside))) if (~np.isnan(inside)).any() else None

    return {
        "variants": [mean(lowest.on_variants), mean(highest.on_variants)],
        "originals": [mean(lowest.paired_originals), mean(highest.paired_originals)],
        "change": [
            mean(lowest.on_variants - highest.on_originals),
            mean(highest.on_variants - lowest.on_originals),
        ],
    }


class Estimands:
    """Enters what a table can tell into a ledger, and reads it back after the ledger is solved.

    Args:
        table: The run's scores.
        ledger: Where to enter.
        headline: Measures whose tests carry the finding.
        main: Scope that the finding rests on.
    """

    def __init__(
        self, table: Table, ledger: Ledger, headline: list[Measure], main: Scope, baseline: str
    ) -> None:
        self.table, self.ledger, self.headline, self.main = table, ledger, headline, main
        self.baseline = baseline
        self._rows: list[tuple[str, dict[str, Any], dict[str, Hashable]]] = []

    def _add(self, section: str, row: dict[str, Any], **keys: Hashable) -> None:
        self._rows.append((section, row, keys))

    def read(self, section: str, solved: dict[Hashable, dict[str, Any]]) -> list[dict[str, Any]]:
        """The rows of one section with their estimates filled in; None where no prompt has one."""
        return [
            row | {name: (solved[key] if solved[key]["n"] else None) for name, key in keys.items()}
            for where, row, keys in self._rows
            if where == section
        ]

    def _pairs(self) -> Iterator[tuple[Measure, str]]:
        for measure in self.table.dimensions:
            for subject in self.table.subjects:
                yield measure, subject

    def cells(self) -> None:
        """Levels and drops of every subject, measure and kind, on the prompts of the finding."""
        for measure, subject in self._pairs():
            series = Series.of(self.table, measure, subject)
            for kind in [ALL, *self.table.kinds]:
                self._cell(measure, subject, series, kind)

    def _cell(self, measure: Measure, subject: str, series: Series, kind: str) -> None:
        table, scope = self.table, self.main
        dimension = table.dimensions[measure]
        scale, span = (dimension.low, dimension.high), dimension.high - dimension.low
        parts = Change.of(table, measure, series.values, kind)
        if np.isnan(scope.only(parts.on_variants)).all() and not series.expected.any():
            return
        key = ("cell", measure, subject, kind)
        trials = None
        if is_rate(table, measure):
            inside = scope.prompts[table.cluster]
            trials = int((~np.isnan(series.values) & inside).sum())
        variants, originals = scope.only(parts.paired_variants), scope.only(parts.paired_originals)
        self.ledger.enter((*key, "variants"), variants, scale, trials=trials)
        self.ledger.enter((*key, "originals"), originals, scale, trials=trials)
        tested: Test | None = "detail" if measure in self.headline and kind != IDENTITY else None
        self.ledger.enter((*key, "change"), scope.only(parts.change), (-span, span), test=tested)
        missing = series.missing(table, kind, scope)
        missing_originals = series.missing(table, table.baseline_for(measure), scope)
        many = max(missing["share"] or 0.0, missing_originals["share"] or 0.0) > MISSING_BOUND
        self._add(
            "cells",
            {
                "subject": subject,
                "judge": measure[0],
                "dimension": measure[1],
                "kind": kind,
                "against": table.baseline_for(measure),
                "n": int((~np.isnan(variants)).sum()),
                "missing": missing,
                "missing_originals": missing_originals,
                "bounds": bounds_of(table, measure, series, kind, scope) if many else None,
            },
            variants=(*key, "variants"),
            originals=(*key, "originals"),
            change=(*key, "change"),
        )

    def contrasts(self, scopes: list[Scope]) -> None:
        """Every other subject against the baseline: gains and difference in differences."""
        table = self.table
        for measure, subject in self._pairs():
            if subject == self.baseline:
                continue
            series = Series.of(table, measure, subject).minus(
                Series.of(table, measure, self.baseline)
            )
            for scope in scopes:
                for kind in [ALL, *table.kinds]:
                    self._contrast(measure, subject, series, kind, scope)

    def _contrast(
        self, measure: Measure, subject: str, series: Series, kind: str, scope: Scope
    ) -> None:
        table = self.table
        dimension = table.dimensions[measure]
        span = dimension.high - dimension.low
        parts = Change.of(table, measure, series.values, kind)
        if np.isnan(scope.only(parts.on_variants)).all() and not series.expected.any():
            return
        key = ("contrast", scope.name, measure, subject, kind)
        test: Test | None = None
        if scope.name == self.main.name and kind != IDENTITY:
            test = "headline" if measure in self.headline and kind == ALL else "detail"
        original_test = test if kind == ALL else None
        enter = self.ledger.enter
        enter(
            (*key, "original"),
            scope.only(parts.paired_originals),
            (-span, span),
            test=original_test,
        )
        enter((*key, "variants"), scope.only(parts.paired_variants), (-span, span), test=test)
        enter((*key, "did"), scope.only(parts.change), (-2 * span, 2 * span), test=test)
        missing = series.missing(table, kind, scope)
        missing_originals = series.missing(table, table.baseline_for(measure), scope)
        many = max(missing["share"] or 0.0, missing_originals["share"] or 0.0) > MISSING_BOUND
        self._add(
            "contrasts",
            {
                "subject": subject,
                "baseline": self.baseline,
                "judge": measure[0],
                "dimension": measure[1],
                "kind": kind,
                "scope": scope.name,
                "against": table.baseline_for(measure),
                "n": int((~np.isnan(scope.only(parts.paired_variants))).sum()),
                "missing": missing,
                "missing_originals": missing_originals,
                "bounds": bounds_of(table, measure, series, kind, scope) if many else None,
                "kept": self._kept(parts, scope),
            },
            gain_originals=(*key, "original"),
            gain_variants=(*key, "variants"),
            did=(*key, "did"),
        )

    @staticmethod
    def _kept(parts: Change, scope: Scope) -> dict[str, Any] | None:
        """Share of the gain on originals that is kept on variants (read only where it is a gain)."""
        found = fieller(scope.only(parts.on_variants), scope.only(parts.paired_originals))
        if found is None:
            return None
        return dict(zip(("mean", "low", "high"), map(number, found), strict=True))

    def pairs(self) -> None:
        """Every two of the compared subjects against each other, on the headline measures."""
        others = [s for s in self.table.subjects if s != self.baseline]
        for measure in self.headline:
            span = self.table.dimensions[measure].high - self.table.dimensions[measure].low
            series = {s: Series.of(self.table, measure, s) for s in others}
            for one, two in itertools.combinations(others, 2):
                values = series[one].minus(series[two]).values
                parts = Change.of(self.table, measure, values, ALL)
                key = ("pair", measure, one, two)
                for name, found, reach in (
                    ("gain_originals", parts.paired_originals, span),
                    ("gain_variants", parts.paired_variants, span),
                    ("did", parts.change, 2 * span),
                ):
                    self.ledger.enter(
                        (*key, name), self.main.only(found), (-reach, reach), test="detail"
                    )
                row = {
                    "subject": one,
                    "against": two,
                    "judge": measure[0],
                    "dimension": measure[1],
                    "n": int((~np.isnan(self.main.only(parts.paired_variants))).sum()),
                }
                names = ("gain_originals", "gain_variants", "did")
                self._add("pairs", row, **{name: (*key, name) for name in names})

    def severities(self) -> None:
        """Level and change at each severity, for kinds that have several; fillers stay out."""
        table = self.table
        for measure, subject in self._pairs():
            dimension = table.dimensions[measure]
            scale, span = (dimension.low, dimension.high), dimension.high - dimension.low
            series = Series.of(table, measure, subject)
            originals = table.on_kind(series.values, table.baseline_for(measure))
            for kind in table.real_kinds:
                of_kind = table.rows(kind) & ~table.filler
                present = [s for s in SEVERITIES if (of_kind & (table.severity == s)).any()]
                if len(present) < 2:
                    continue
                for severity in present:
                    rows = of_kind & (table.severity == severity)
                    values = self.main.only(table.per_prompt(series.values, rows))
                    if np.isnan(values).all():
                        continue
                    key = ("severity", measure, subject, kind, severity)
                    self.ledger.enter((*key, "variants"), values, scale)
                    self.ledger.enter((*key, "change"), values - originals, (-span, span))
                    row = {
                        "subject": subject,
                        "judge": measure[0],
                        "dimension": measure[1],
                        "kind": kind,
                        "severity": severity,
                    }
                    self._add(
                        "severities",
                        row,
                        variants=(*key, "variants"),
                        change=(*key, "change"),
                    )

    def worst_cases(self) -> None:
        """Expected worst of k variants, for every k that nearly all prompts can give."""
        table = self.table
        for measure, subject in self._pairs():
            sign = sign_of(table, measure)
            if sign == 0:
                continue
            column = table.subjects.index(subject)
            values = table.values[measure][:, column]
            for kind in [ALL, *table.kinds]:
                rows = np.isin(table.kind, table.real_kinds) if kind == ALL else table.rows(kind)
                rows &= self.main.prompts[table.cluster]
                wide = sign * table.wide(values, rows)
                counts = (~np.isnan(wide)).sum(axis=1)
                counts = counts[counts > 0]
                if not counts.size:
                    continue
                most = int(np.quantile(counts, 1 - WORST_SHARE, method="inverted_cdf"))
                for k in range(1, min(most, MAX_K) + 1):
                    if kind != ALL and k not in (1, most, MAX_K):
                        continue
                    self._worst(measure, subject, kind, k, sign * expected_worst(wide, k))

    def _worst(self, measure: Measure, subject: str, kind: str, k: int, values: Floats) -> None:
        dimension = self.table.dimensions[measure]
        key = ("worst", measure, subject, kind, k)
        self.ledger.enter(key, values, (dimension.low, dimension.high))
        row = {
            "subject": subject,
            "judge": measure[0],
            "dimension": measure[1],
            "kind": kind,
            "k": k,
        }
        self._add("worst", row, expected_worst=key)
