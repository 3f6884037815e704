"""What a verdict is made of: the measures that lead, and the estimates that decide.

No word of the report may claim more than the tests and intervals behind it: :func:`direction` is the
one place that turns an estimate into better, worse or unclear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.estimates import Contrast, Estimate, Measure, SummaryCell
from harness.analysis.scopes import Scope
from harness.analysis.summary_schema import Direction
from harness.analysis.table import ALL, Table
from harness.judging.derived import OVERALL
from harness.records import IDENTITY

ALPHA = 0.05
MARGIN = 0.025
"""Share of a scale that counts as "about the same": a tenth of a point from 1 to 5."""

LLM_OVERALL, LLM, LEARNED_OVERALL, LEARNED, UNDECLARED = 100, 200, 300, 400, 1000
"""Ranks in the headline of dimensions that declare none, by what their judge is."""

BAND = 100
"""Declared ranks of one such band lead together."""


def choose_headline(table: Table) -> list[Measure]:
    """Choose the measures that the finding rests on, the leading one first.

    By rank: that which a dimension declares (``Dimension.headline``), else a language model before a
    judge learned from labels before anything else, and each one's overall mean before its
    dimensions. Only measures with a better end that were scored, and that can be set against the
    baseline's. Declared ranks of one band lead together; of the others, the first alone.
    """
    ranks = {m: _rank(table, m) for m in table.dimensions if _can_lead(table, m)}
    ranked = sorted(ranks, key=lambda measure: ranks[measure])
    if not ranked or table.dimensions[ranked[0]].headline is None:
        return ranked[:1]
    return [
        measure
        for measure in ranked
        if table.dimensions[measure].headline is not None
        and ranks[measure] // BAND == ranks[ranked[0]] // BAND
    ]


def _can_lead(table: Table, measure: Measure) -> bool:
    dimension = table.dimensions[measure]
    return (
        dimension.higher_is_better is not None
        # Who wins a comparison has no level of the baseline to be set against.
        and not {"original_answer", "opponent"} & set(dimension.needs)
        and not np.isnan(table.values[measure]).all()
    )


def _rank(table: Table, measure: Measure) -> int:
    declared = table.dimensions[measure].headline
    if declared is not None:
        return declared
    overall = measure.dimension == OVERALL
    if measure.judge in table.llm:
        return LLM_OVERALL if overall else LLM
    if measure.judge in table.learned:
        return LEARNED_OVERALL if overall else LEARNED
    return UNDECLARED


def direction(estimate: Estimate | None, sign: int) -> Direction:
    """Call a difference better or worse only where it passed the correction for all tests shown."""
    if estimate is None or estimate.p_holm is None or estimate.p_holm > ALPHA:
        return "unclear"
    low, high, mean = estimate.low, estimate.high, estimate.mean
    if low is None or high is None or mean is None or low <= 0 <= high:
        return "unclear"
    return "better" if mean * sign > 0 else "worse"


def suggestive(estimate: Estimate | None) -> bool:
    """Return whether the interval excludes zero although the corrected test does not."""
    if estimate is None or estimate.low is None or estimate.high is None:
        return False
    return not estimate.low <= 0 <= estimate.high


@dataclass(frozen=True)
class Evidence:
    """What the verdict on one subject and measure is made of.

    Attributes:
        subject: The subject.
        baseline: The subject that it is compared with.
        label: The measure's name for people.
        sign: 1 where higher is better, else -1.
        margin: What counts as "about the same", in the measure's units.
        contrast: The differences for all kinds together.
        drops: The subject's changes by kind.
    """

    subject: str
    baseline: str
    label: str
    sign: int
    margin: float
    contrast: Contrast
    drops: Sequence[SummaryCell]

    @property
    def gain_originals(self) -> Estimate | None:
        """Return the difference from the baseline on the originals that the verdict rests on."""
        return self.contrast.gain_originals

    @property
    def gain_variants(self) -> Estimate | None:
        """Return the difference on the reworded prompts that the verdict rests on."""
        return self.contrast.gain_variants

    @property
    def did(self) -> Estimate | None:
        """Return the difference in differences that the verdict rests on."""
        return self.contrast.did

    @property
    def original(self) -> Direction:
        """Compare with the baseline on the original prompts."""
        return direction(self.gain_originals, self.sign)

    @property
    def reworded(self) -> Direction:
        """Compare with the baseline on the reworded prompts."""
        return direction(self.gain_variants, self.sign)

    @property
    def robustness(self) -> Direction:
        """Say if rewording costs the subject less (better) or more (worse) than the baseline."""
        return direction(self.did, self.sign)

    @property
    def extra_loss(self) -> float | None:
        """Return the most that rewording may cost the subject beyond what it costs the baseline."""
        did = self.did
        if did is None or did.low is None or did.high is None:
            return None
        return max(0.0, -did.low if self.sign > 0 else did.high)

    @property
    def equivalent(self) -> bool:
        """Return whether any extra loss is within the margin: not a difference test but a bound."""
        return self.extra_loss is not None and self.extra_loss < self.margin

    @property
    def costliest(self) -> SummaryCell | None:
        """Return the kind with the largest drop of the subject that passed the correction."""
        worse = [cell for cell in self.drops if direction(cell.change, self.sign) == "worse"]
        return max(worse, key=lambda cell: abs(_mean(cell.change)), default=None)


def _mean(estimate: Estimate | None) -> float:
    return 0.0 if estimate is None or estimate.mean is None else estimate.mean


@dataclass(frozen=True)
class VerdictBasis:
    """The estimates of a run that its verdict rests on, all on the prompts of ``scope``.

    The leading measure comes first in ``headline``.
    """

    table: Table
    headline: Sequence[Measure]
    scope: Scope
    cells: Sequence[SummaryCell]
    contrasts: Sequence[Contrast]

    @property
    def lead(self) -> Sequence[Evidence]:
        """Return the leading measure's evidence; none where no measure can lead."""
        return self.evidence(self.headline[0]) if self.headline else ()

    def evidence(self, measure: Measure) -> Sequence[Evidence]:
        """Return one piece of evidence on a measure for each compared subject."""
        table = self.table
        return [
            Evidence(
                subject=row.subject,
                baseline=row.baseline,
                label=table.label(measure),
                sign=table.sign(measure),
                margin=MARGIN * table.span(measure),
                contrast=row,
                drops=[
                    cell
                    for cell in self.cells
                    if (cell.measure, cell.subject) == (measure, row.subject)
                    and cell.kind not in (ALL, IDENTITY)
                    and cell.change is not None
                ],
            )
            for row in self.contrasts
            if (row.measure, row.kind) == (measure, ALL)
        ]

    def contrast(self, measure: Measure, subject: str) -> Contrast | None:
        """Return a subject's contrast of all kinds together."""
        place = (measure, subject, ALL)
        rows = (c for c in self.contrasts if (c.measure, c.subject, c.kind) == place)
        return next(rows, None)

    def cell(self, measure: Measure, subject: str) -> SummaryCell | None:
        """Return a subject's levels on all kinds together."""
        place = (measure, subject, ALL)
        return next((c for c in self.cells if (c.measure, c.subject, c.kind) == place), None)

    def levels(self) -> Mapping[str, Estimate | None]:
        """Return the leading measure's level on the originals, by subject."""
        if not self.headline:
            return {}
        cells = {s: self.cell(self.headline[0], s) for s in self.table.subjects}
        return {s: cell.originals for s, cell in cells.items() if cell is not None}
