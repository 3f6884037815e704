"""One value a row or a prompt: what a subject scored, beside another's or its own originals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.analysis.estimates import Bounds, Measure, MissingScores
from harness.analysis.scopes import Scope
from harness.analysis.table import ALL, Mask, Table
from harness.analysis.test_family import number
from harness.stats.closed_forms import Floats

MISSING_BOUND = 0.10
"""From this share of missing scores on, a cell carries the bounds that they leave open."""


class Missing(NamedTuple):
    """What is missing of a series, by the names that rows of the summary have for it."""

    missing: MissingScores
    missing_originals: MissingScores
    bounds: Bounds | None


@dataclass(frozen=True)
class Series:
    """One value a row of the table, and what its missing ones could be.

    Attributes:
        measure: What was scored.
        values: Shape (rows,); NaN is missing.
        expected: Where a value was to be expected.
        least: ``values`` with the missing ones at their least.
        most: ``values`` with the missing ones at their greatest.
    """

    measure: Measure
    values: Floats
    expected: Mask
    least: Floats
    most: Floats

    @classmethod
    def of(cls, table: Table, measure: Measure, subject: str) -> Series:
        """Return what one subject scored."""
        column = table.subjects.index(subject)
        values, expected = table.values[measure][:, column], table.expected[measure][:, column]
        gap = expected & np.isnan(values)
        dimension = table.dimensions[measure]
        return cls(
            measure,
            values,
            expected,
            np.where(gap, dimension.low, values),
            np.where(gap, dimension.high, values),
        )

    def minus(self, other: Series) -> Series:
        """Subtract another subject's scores row by row, on the same variants."""
        return Series(
            self.measure,
            self.values - other.values,
            self.expected & other.expected,
            self.least - other.most,
            self.most - other.least,
        )

    def missing(self, table: Table, kind: str, scope: Scope) -> Missing:
        """Count the missing scores on a kind and on its baseline; bound the means where many are."""
        variants = self._count(table, kind, scope)
        originals = self._count(table, table.baseline_for(self.measure), scope)
        many = max(variants.share, originals.share) > MISSING_BOUND
        return Missing(variants, originals, self._bounds(table, kind, scope) if many else None)

    def _count(self, table: Table, kind: str, scope: Scope) -> MissingScores:
        rows = (
            np.isin(table.kind, table.real_kinds) if kind == ALL else table.rows(kind)
        ) & scope.prompts[table.cluster]
        expected = int((self.expected & rows).sum())
        missing = int((self.expected & rows & np.isnan(self.values)).sum())
        share = missing / expected if expected else 0.0
        return MissingScores(expected=expected, missing=missing, share=number(share) or 0.0)

    def _bounds(self, table: Table, kind: str, scope: Scope) -> Bounds:
        """Bound level and change: every missing score at one end of its scale."""
        lowest, highest = (
            Change.of(table, self.measure, values, kind) for values in (self.least, self.most)
        )

        def mean(values: Floats) -> float | None:
            inside = scope.only(values)
            return number(float(np.nanmean(inside))) if (~np.isnan(inside)).any() else None

        return Bounds(
            variants=(mean(lowest.on_variants), mean(highest.on_variants)),
            originals=(mean(lowest.paired_originals), mean(highest.paired_originals)),
            change=(
                mean(lowest.on_variants - highest.on_originals),
                mean(highest.on_variants - lowest.on_originals),
            ),
        )


@dataclass(frozen=True)
class Change:
    """A series on a kind beside the same prompts' originals (or identity), prompt by prompt.

    Attributes:
        on_variants: Shape (clusters,); NaN is missing.
        on_originals: The same on what the kind is compared with.
    """

    on_variants: Floats
    on_originals: Floats

    @classmethod
    def of(cls, table: Table, measure: Measure, values: Floats, kind: str) -> Change:
        """Average the values of each prompt on a kind and on what that kind is compared with."""
        against = table.baseline_for(measure)
        v = table.on_kind(values, kind)
        if against == kind:
            return cls(v, np.full_like(v, np.nan))
        return cls(v, table.on_kind(values, against))

    @property
    def both(self) -> Mask:
        """Return the prompts that have the two."""
        return np.asarray(~np.isnan(self.on_variants) & ~np.isnan(self.on_originals))

    @property
    def paired_originals(self) -> Floats:
        """Return the originals of the prompts that have variants."""
        return np.where(self.both, self.on_originals, np.nan)

    @property
    def paired_variants(self) -> Floats:
        """Return the variants of the prompts that have an original to compare with, else all."""
        return (
            np.where(self.both, self.on_variants, np.nan) if self.both.any() else self.on_variants
        )

    @property
    def change(self) -> Floats:
        """Return variants less originals."""
        return self.on_variants - self.on_originals
