"""What a verdict is made of: the measures that lead, and the estimates that decide.

No word of the report may claim more than the tests and intervals behind it: :func:`direction` is the
one place that turns an estimate into better, worse or unclear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.analysis.correction_words import corrected_label
from harness.analysis.estimates import Contrast, Estimate, Measure, SummaryCell
from harness.analysis.margins import margin_of
from harness.analysis.scopes import Scope
from harness.analysis.summary_schema import Direction, Margin
from harness.analysis.table import ALL, Table
from harness.analysis.test_family import ALPHA
from harness.judging.derived import OVERALL
from harness.records import IDENTITY

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
    if estimate is None or estimate.mean is None:
        return "not measured"
    if estimate.p_holm is None or estimate.p_holm > ALPHA:
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


def too_few(estimate: Estimate | None) -> bool:
    """Return whether no data on so few prompts could have passed the corrected test.

    Prompts without a difference do not count, since a sign flip does not move them: where many were
    asked and few differ, it is said only of a difference whose interval excludes zero.
    """
    if estimate is None or estimate.mean is None or estimate.needed is None:
        return False
    few = estimate.observations < estimate.needed or suggestive(estimate)
    return few and estimate.moved < estimate.needed


EXTREME_SHARE = 0.5
"""From this share of prompts at an end of the scale on, a mean can hardly move further that way."""


@dataclass(frozen=True)
class Extremes:
    """Shares of prompts whose original scores at the worst and at the best end of the scale."""

    worst: float
    best: float

    @property
    def nothing_to_lose(self) -> bool:
        """Return whether the floor hides what rewording could cost."""
        return self.worst >= EXTREME_SHARE

    @property
    def nothing_to_gain(self) -> bool:
        """Return whether the ceiling hides by how much another could be better."""
        return self.best >= EXTREME_SHARE


@dataclass(frozen=True)
class Evidence:
    """What the verdict on one subject and measure is made of.

    Attributes:
        subject: The subject.
        baseline: The subject that it is compared with.
        label: The measure's name for people.
        sign: 1 where higher is better, else -1.
        margin: What counts as "about the same"; None where nobody said and no noise was measured.
        contrast: The differences for all kinds together.
        drops: The subject's changes by kind.
        extremes: By subject, this one's and the baseline's; empty for one without scores.
        unscored: Those of the two that have no score at all.
        asked_again: Whether unchanged prompts were asked again.
    """

    subject: str
    baseline: str
    label: str
    sign: int
    margin: Margin | None
    contrast: Contrast
    drops: Sequence[SummaryCell]
    extremes: Mapping[str, Extremes]
    unscored: Sequence[str]
    asked_again: bool

    @property
    def named(self) -> str:
        """Return the measure's name, and the labels that correct it where any do."""
        return corrected_label(self.label, self.contrast)

    @property
    def corrected(self) -> bool:
        """Return whether the verdict rests on people's labels."""
        return self.contrast.corrected_gain_originals is not None

    @property
    def gain_originals(self) -> Estimate | None:
        """Return the difference from the baseline on the originals that the verdict rests on."""
        return self.contrast.corrected_gain_originals or self.contrast.gain_originals

    @property
    def gain_variants(self) -> Estimate | None:
        """Return the difference on the reworded prompts that the verdict rests on."""
        return self.contrast.corrected_gain_variants or self.contrast.gain_variants

    @property
    def did(self) -> Estimate | None:
        """Return the difference in differences that the verdict rests on."""
        return self.contrast.corrected_did or self.contrast.did

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
        if self.extra_loss is None or self.margin is None or self.floored is not None:
            return False
        return self.extra_loss < self.margin.value

    @property
    def floored(self) -> str | None:
        """Return whose low level alone can explain what the comparison of losses shows; else None.

        Who has nothing to lose loses less than another: the subject where it seems to lose no more,
        the baseline where the subject seems to lose more.
        """
        name = self.baseline if self.robustness == "worse" else self.subject
        ends = self.extremes.get(name)
        return name if ends is not None and ends.nothing_to_lose else None

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
    margins: Mapping[Measure, float] = field(default_factory=dict)

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
                margin=self._margin_for(measure, row),
                contrast=row,
                drops=[
                    cell
                    for cell in self.cells
                    if (cell.measure, cell.subject) == (measure, row.subject)
                    and cell.kind not in (ALL, IDENTITY)
                    and cell.change is not None
                ],
                extremes={
                    name: ends
                    for name in (row.subject, row.baseline)
                    if (ends := self._extremes(measure, name)) is not None
                },
                asked_again=self.asked_again,
                unscored=[
                    name
                    for name in (row.baseline, row.subject)
                    if np.isnan(table.values[measure][:, table.subjects.index(name)]).all()
                ],
            )
            for row in self.contrasts
            if (row.measure, row.kind) == (measure, ALL)
        ]

    @property
    def asked_again(self) -> bool:
        """Return whether unchanged prompts were asked again."""
        return IDENTITY in self.table.kinds

    def margin(self, measure: Measure, subject: str) -> Margin | None:
        """Return how small a subject's difference in a measure's change counts as none."""
        again = self.contrast(measure, subject, IDENTITY)
        if again is None:
            return margin_of(self.margins.get(measure), None)
        # Of a measure whose variants are compared with `identity`, that is the level itself.
        noise = again.did if again.against != IDENTITY else again.gain_variants
        return margin_of(self.margins.get(measure), noise)

    def _margin_for(self, measure: Measure, row: Contrast) -> Margin | None:
        """Return the margin; None where people used another scale, which no margin was named for."""
        by_people = row.corrected_did
        if by_people is not None and by_people.span != self.table.span(measure):
            return None
        return self.margin(measure, row.subject)

    def _extremes(self, measure: Measure, subject: str) -> Extremes | None:
        """Return how many originals of a subject lie at the ends of a measure's scale."""
        table = self.table
        values = table.values[measure][:, table.subjects.index(subject)]
        originals = self.scope.only(table.on_kind(values, table.baseline_for(measure)))
        originals = originals[~np.isnan(originals)]
        if not originals.size or not table.sign(measure):
            return None
        ends = table.scale(measure)[:: table.sign(measure)]
        worst, best = (float(np.isclose(originals, end).mean()) for end in ends)
        return Extremes(worst, best)

    def contrast(self, measure: Measure, subject: str, kind: str = ALL) -> Contrast | None:
        """Return a subject's contrast on a kind, by default on all together."""
        place = (measure, subject, kind)
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
