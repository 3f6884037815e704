"""One value a row or a prompt: what a subject scored, beside another's or its own originals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from harness.analysis.estimates import Bounds, Measure, MissingScores, RadarLevels
from harness.analysis.scopes import Scope
from harness.analysis.table import Mask, Table
from harness.analysis.test_family import mean_of, number
from harness.records import IDENTITY, ORIGINAL
from harness.stats.closed_forms import Floats

MISSING_BOUND = 0.10
"""From this share of missing scores on, a cell carries the bounds that they leave open."""

MIN_COMMON = 10
"""Fewest prompts that must be common to all kinds for their levels to stand on one radar chart."""


class Missing(NamedTuple):
    """What is missing of a series, by the names that rows of the summary have for it."""

    missing: MissingScores
    missing_originals: MissingScores
    bounds: Bounds | None


@dataclass(frozen=True)
class Series:
    """One value a row of a table, and what its missing ones could be.

    Attributes:
        table: The run's scores.
        measure: What was scored.
        subject: Whose answers.
        values: Shape (rows,); NaN is missing.
        expected: Where a value was to be expected.
        least: ``values`` with the missing ones at their least.
        most: ``values`` with the missing ones at their greatest.
    """

    table: Table
    measure: Measure
    subject: str
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
        least, most = (np.where(gap, end, values) for end in (dimension.low, dimension.high))
        return cls(table, measure, subject, values, expected, least, most)

    def minus(self, other: Series) -> Series:
        """Subtract another subject's scores row by row, on the same variants."""
        return replace(
            self,
            values=self.values - other.values,
            expected=self.expected & other.expected,
            least=self.least - other.most,
            most=self.most - other.least,
        )

    def change(self, kind: str) -> Change:
        """Average each prompt on a kind and on what that kind is compared with."""
        return self._change(self.values, kind)

    def _change(self, values: Floats, kind: str) -> Change:
        against = self.table.baseline_for(self.measure)
        v = self.table.on_kind(values, kind)
        if against == kind:
            return Change(v, np.full_like(v, np.nan))
        if kind == IDENTITY:  # what asking again changes is one answer less another
            return Change(v, self.table.per_prompt(values, self.table.rows(against)))
        return Change(v, self.table.on_kind(values, against))

    def missing(self, kind: str, scope: Scope) -> Missing:
        """Count the missing scores on a kind and on its baseline; bound the means where many are."""
        variants = self._count(kind, scope)
        originals = self._count(self.table.baseline_for(self.measure), scope)
        many = max(variants.share, originals.share) > MISSING_BOUND
        return Missing(variants, originals, self._bounds(kind, scope) if many else None)

    def _count(self, kind: str, scope: Scope) -> MissingScores:
        rows = self.expected & self.table.rows(kind) & scope.prompts[self.table.cluster]
        expected, missing = int(rows.sum()), int((rows & np.isnan(self.values)).sum())
        share = missing / expected if expected else 0.0
        return MissingScores(expected=expected, missing=missing, share=number(share) or 0.0)

    def _bounds(self, kind: str, scope: Scope) -> Bounds:
        """Bound level and change: every missing score at one end of its scale."""
        lowest, highest = (self._change(values, kind) for values in (self.least, self.most))
        pairs = {
            "variants": (lowest.on_variants, highest.on_variants),
            "originals": (lowest.paired_originals, highest.paired_originals),
            "change": (
                lowest.on_variants - highest.on_originals,
                highest.on_variants - lowest.on_originals,
            ),
        }
        return Bounds(
            **{
                name: (mean_of(scope.only(least)), mean_of(scope.only(most)))
                for name, (least, most) in pairs.items()
            }
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

    @property
    def both(self) -> Mask:
        """Return the prompts that have the two."""
        return np.asarray(~np.isnan(self.on_variants) & ~np.isnan(self.on_originals))

    @property
    def paired_originals(self) -> Floats:
        """Return the originals of the prompts that have variants, else all."""
        return (
            np.where(self.both, self.on_originals, np.nan) if self.both.any() else self.on_originals
        )

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


def radar(table: Table, measure: Measure, prompts: Mask) -> RadarLevels:
    """Return one value an axis (the original and each kind) and subject, comparable across axes.

    Kinds apply to different prompts, so plain means would compare prompts, not kinds. Where at
    least ``MIN_COMMON`` prompts have every kind from every subject, the axes are levels on those;
    else each kind's axis is the mean over the originals of all prompts, moved by what the kind
    changes on its own prompts (paired). So the outer of two subjects is the better one where higher
    is better, which a chart of the changes alone would hide.
    """
    axes = (ORIGINAL, *table.real_kinds)
    levels = {
        subject: [np.where(prompts, table.on_kind(scores, kind), np.nan) for kind in axes]
        for subject, scores in zip(table.subjects, table.values[measure].T, strict=True)
    }
    common = np.all([~np.isnan(x) for of_subject in levels.values() for x in of_subject], axis=0)
    n = int(common.sum())
    on_common = n >= MIN_COMMON
    return RadarLevels(
        **measure._asdict(),
        basis="levels on common prompts" if on_common else "originals moved by paired changes",
        n=n if on_common else None,
        axes=axes,
        values={
            subject: tuple(
                mean_of(x[common]) if on_common else _moved(of_subject[0], x - of_subject[0])
                for x in of_subject
            )
            for subject, of_subject in levels.items()
        },
    )


def _moved(originals: Floats, changes: Floats) -> float | None:
    start, change = mean_of(originals), mean_of(changes)
    return None if start is None or change is None else number(start + change)
