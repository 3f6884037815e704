"""People's labels of a run's own answers: which differences they correct, and the values for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.analysis.estimates import Measure, ScopeName
from harness.analysis.scopes import Scope
from harness.analysis.series import Series
from harness.analysis.table import ALL, Mask, Table
from harness.judging.derived import OVERALL
from harness.records import DrawnPrompt, LabelScale, VariantKey
from harness.stats.closed_forms import Floats
from harness.stats.prediction_powered import PeopleMean, people_mean

MIN_LABELLED = 15
"""Fewest labelled prompts that correct a difference."""

DIFFERENCES = ("gain_originals", "gain_variants", "did")
"""The differences that are corrected, by their names in a contrast."""


@dataclass(frozen=True)
class PeopleLabels:
    """Labels that people gave to a random draw of a run's own answers.

    Attributes:
        scales: People's scales by dimension.
        values: Mean over annotators by variant, subject and dimension.
        prompts: The prompts that were drawn.
        eligible: Digests of the source prompts that they were drawn from.
        reworded: Those of them that have a rewording to draw.
        scope: The scope that they were drawn from.
        kinds: The kinds of rewording that variants were drawn from.
        annotators: How many people labelled.
        agreement: Krippendorff's alpha (interval) by dimension, None where it is not defined.
    """

    scales: Mapping[str, LabelScale]
    values: Mapping[tuple[VariantKey, str, str], float]
    prompts: Sequence[DrawnPrompt]
    eligible: frozenset[str]
    reworded: frozenset[str]
    scope: ScopeName
    kinds: tuple[str, ...]
    annotators: int
    agreement: Mapping[str, float | None]

    def summary_lines(self) -> list[str]:
        """Say how much was labelled, by how many people, and how far they agree, a line a scale."""
        lines = []
        subjects = {subject for _, subject, _ in self.values}
        for name in self.scales:
            answers = sum(dimension == name for _, _, dimension in self.values)
            whole = sum(
                all((prompt.original, subject, name) in self.values for subject in subjects)
                for prompt in self.prompts
            )
            alpha = self.agreement.get(name)
            if self.annotators < 2:
                agreed = "one person labelled, so that agreement is not known"
            elif alpha is None:
                agreed = "agreement is not defined"
            else:
                agreed = f"{self.annotators} people agree with Krippendorff's alpha {alpha:.2f}"
            lines.append(
                f"{name}: {answers} answers labelled, to {whole} of {len(self.prompts)} drawn"
                f" prompts; {agreed}"
            )
        return lines

    def dimensions_for(self, table: Table, measure: Measure, leading: Measure) -> list[str]:
        """Return the people's dimensions whose mean stands for a measure; none where nothing does.

        Those of the measure's own name; for a judge's overall mean the dimensions that it averages;
        and for the leading measure whatever people were asked, where it names no measure at all.
        """
        if measure.dimension in self.scales:
            return [measure.dimension]
        parts = [part.dimension for part in table.parts.get(measure, ())]
        if parts and all(part in self.scales for part in parts):
            return parts
        names = {other.dimension for other in table.dimensions}
        new = [name for name in self.scales if name not in names]
        if OVERALL in new:
            new = [OVERALL]
        # People's own scales run from bad to good.
        return new if measure == leading and table.sign(measure) > 0 else []

    def covers(self, kind: str, real_kinds: Sequence[str]) -> bool:
        """Return whether the variants were drawn at random from what a kind is averaged over."""
        drawn = set(self.kinds)
        return bool(drawn) and drawn == (set(real_kinds) if kind == ALL else {kind})


class LabelledValues(NamedTuple):
    """One difference, prompt by prompt, each of shape (clusters,); NaN is missing.

    Attributes:
        people: By people, on the labelled prompts.
        judged: By the judge, on the very answers that people labelled.
        judge: By the judge, on all the prompt's answers.
        population: The prompts that the labelled ones were drawn from.
        reach: Greatest possible absolute value of people's difference.
        span: Width of people's scale for one answer.
    """

    people: Floats
    judged: Floats
    judge: Floats
    population: Mask
    reach: float
    span: float

    def mean(self, families: NDArray[np.int64]) -> PeopleMean | None:
        """Estimate people's mean; None with too few labels.

        A prompt that the judge left without a score is taken at the judge's mean: the labels correct
        for that as for any other fault of the judge, and the prompt stays in the population.
        """
        inside = self.population
        people, judge = self.people[inside], self.judge[inside]
        if (~np.isnan(people)).sum() < MIN_LABELLED or np.isnan(judge).all():
            return None
        usual = float(np.nanmean(judge))
        judged = self.judged[inside]
        return people_mean(
            people,
            np.where(np.isnan(judged), usual, judged),
            np.where(np.isnan(judge), usual, judge),
            families[inside],
            span=2 * self.reach,
        )


@dataclass(frozen=True)
class LabelledRun:
    """Puts people's labels beside the scores of a run.

    Attributes:
        table: The run's scores.
        people: The labels.
        leading: The leading measure.
    """

    table: Table
    people: PeopleLabels
    leading: Measure

    def differences(
        self, series: Series, subjects: tuple[str, str], kind: str, scope: Scope
    ) -> dict[str, LabelledValues]:
        """Return the differences that people's labels correct, by name.

        Args:
            series: The judge's scores of one subject less another's.
            subjects: The one and the other.
            kind: Kind of rewording.
            scope: The prompts.
        """
        people, table = self.people, self.table
        dimensions = people.dimensions_for(table, series.measure, self.leading)
        covered = people.covers(kind, table.real_kinds)
        outside = scope.topic is not None or scope.name != people.scope
        if not dimensions or outside or not (covered or kind == ALL):
            return {}
        change = series.change(kind)
        o, v = change.on_originals, change.on_variants
        originals = self._by_people(dimensions, subjects, originals=True)
        # Where the judge has no score there can still be a label: the draw says who could be drawn.
        drawn_from = self._among(people.eligible) & scope.prompts
        reworded = drawn_from & self._among(people.reworded)
        on_kind = np.isin(np.arange(len(table.clusters)), table.cluster[table.rows(kind)])
        if on_kind.any():  # the same prompts as the judge's own line
            drawn_from &= on_kind
        span = float(np.mean([people.scales[d].high - people.scales[d].low for d in dimensions]))
        corrected = {"gain_originals": LabelledValues(originals, o, o, drawn_from, span, span)}
        if covered:
            variants = self._by_people(dimensions, subjects, originals=False)
            judged = self._judged_variants(series)
            corrected["gain_variants"] = LabelledValues(
                variants, judged, v, reworded & on_kind, span, span
            )
            corrected["did"] = LabelledValues(
                variants - originals, judged - o, v - o, reworded & on_kind, 2 * span, span
            )
        return corrected

    def _among(self, clusters: frozenset[str]) -> Mask:
        return np.array([cluster in clusters for cluster in self.table.clusters], dtype=np.bool_)

    def _by_people(
        self, dimensions: Sequence[str], subjects: tuple[str, str], *, originals: bool
    ) -> Floats:
        """Return people's differences by prompt, on originals or on the drawn rewordings."""
        place = {cluster: number for number, cluster in enumerate(self.table.clusters)}
        values = np.full(len(place), np.nan)
        for prompt in self.people.prompts:
            key = prompt.original if originals else prompt.variant
            if key is None or prompt.cluster not in place:
                continue
            one, two = (self._value(key, subject, dimensions) for subject in subjects)
            if one is not None and two is not None:
                values[place[prompt.cluster]] = one - two
        return values

    def _value(self, key: VariantKey, subject: str, dimensions: Sequence[str]) -> float | None:
        given = [self.people.values.get((key, subject, name)) for name in dimensions]
        present = [value for value in given if value is not None]
        return sum(present) / len(present) if len(present) == len(given) else None

    def _judged_variants(self, series: Series) -> Floats:
        """Return the judge's differences on the drawn rewordings themselves, by prompt."""
        place = {cluster: number for number, cluster in enumerate(self.table.clusters)}
        values = np.full(len(place), np.nan)
        for prompt in self.people.prompts:
            row = None if prompt.variant is None else self.table.row_of.get(prompt.variant)
            if row is not None and prompt.cluster in place:
                values[place[prompt.cluster]] = series.values[row]
        return values
