"""The estimates of a summary and the rows that hold them: sections of ``summary.json``.

Numbers have six significant digits; None is "cannot be said".
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from pydantic import Field

from harness.records import Record, Severity

Method = Literal[
    "studentised_bootstrap", "adjusted_student", "clustered_wilson", "prediction_powered", "none"
]
ScopeName = Literal["all", "clean", "leaked"]


class Measure(NamedTuple):
    """What a judge measures on one of its dimensions; ``[judge, dimension]`` in JSON."""

    judge: str = Field(description="The judge's label in the suite.")
    dimension: str = Field(description="The dimension's name, unique within the judge.")


class Interval(Record):
    """A mean with its confidence interval."""

    mean: float | None = Field(description="The mean.")
    low: float | None = Field(description="Lower end at the summary's level; None without one.")
    high: float | None = Field(description="Upper end.")


class ScopeLevel(Interval):
    """A mean over the source prompts of one scope."""

    se: float | None = Field(description="Standard error.")
    n: int = Field(description="Source prompts.")


class Estimate(ScopeLevel):
    """A mean over source prompts, and whether it differs from zero."""

    clusters: int = Field(
        default=0,
        description="Independent observations: prompts, related ones (see ``data.group_by``) as one.",
    )
    method: Method = Field(description="How the interval was made; ``none`` under two clusters.")
    p: float | None = Field(
        default=None,
        description="Against zero: the larger of the sign-flip test's and the interval's, which is made stricter with fewer than 20 clusters; None where zero was not tested.",
    )
    alpha: float | None = Field(
        default=None,
        description="What ``p`` must reach on its own to be shown: Holm's first step over all tests of the page.",
    )
    p_holm: float | None = Field(
        default=None, description="The same after Holm's correction over all tests of the page."
    )
    mde: float | None = Field(
        default=None,
        description="Smallest true difference whose ``p`` reaches ``alpha`` with 80 % probability; None where zero was not tested, or there is none.",
    )
    moved: int = Field(
        default=0, description="Clusters whose values do not add up to zero: ties do not count."
    )
    needed: int | None = Field(
        default=None,
        description="Fewest such clusters with which the corrected test can pass; None where zero was not tested.",
    )

    @property
    def observations(self) -> int:
        """Return the number of independent observations: clusters, where they were counted."""
        return self.clusters or self.n


class CorrectedEstimate(Estimate):
    """A difference by people: their labels of some prompts, with the judge's scores of all.

    On people's scale, whatever the judge's is.
    """

    span: float = Field(description="Width of people's scale.")
    labelled: int = Field(description="Prompts that people labelled.")
    weight: float | None = Field(description="What the judge's values were multiplied by.")
    correlation: float | None = Field(
        description="Of people's and the judge's differences over the labelled prompts."
    )
    sd: float | None = Field(description="Standard deviation of people's differences.")
    alone: Interval = Field(description="By people's labels alone, without the judge.")


class LeakDifference(Interval):
    """The mean on leaked prompts less the mean on clean ones, which are other prompts: unpaired."""

    se: float | None = Field(description="Standard error.")
    leaked: int = Field(description="Leaked prompts.")
    clean: int = Field(description="Clean prompts.")
    method: Literal["adjusted_welch", "studentised_bootstrap"] = Field(
        description="How the interval was made."
    )


class WorstCase(Estimate):
    """The expected worst of k variants of a prompt."""

    k: int = Field(description="How many variants.")
    left_out: int = Field(
        default=0,
        description="Prompts without k variants that every subject was scored on.",
    )


class MissingScores(Record):
    """Scores that were to be expected and are not there."""

    expected: int = Field(description="Scores that were to be expected.")
    missing: int = Field(description="Those of them that are not there.")
    share: float = Field(description="``missing`` of ``expected``.")


class Bounds(Record):
    """Where means could lie if every missing score stood at the low, and at the high end."""

    variants: tuple[float | None, float | None] = Field(description="Of the level on variants.")
    originals: tuple[float | None, float | None] = Field(description="Of the level on originals.")
    change: tuple[float | None, float | None] = Field(description="Of the change between the two.")


class Measured(Record):
    """A record about one measure."""

    judge: str = Field(description="The judge's label.")
    dimension: str = Field(description="The dimension's name.")

    @property
    def measure(self) -> Measure:
        """Return judge and dimension."""
        return Measure(self.judge, self.dimension)


class MeasureRow(Measured):
    """A row about one subject and one measure."""

    subject: str = Field(description="The subject.")


class PairedRow(MeasureRow):
    """A row about one kind of rewording beside what its variants are compared with."""

    kind: str = Field(description="Kind of rewording; ``(all kinds)`` pools all but ``identity``.")
    against: str = Field(description="That: ``original`` or ``identity``.")
    n: int = Field(description="Prompts with variants and, where any has it, with ``against``.")
    missing: MissingScores = Field(description="Scores missing on the variants.")
    missing_originals: MissingScores = Field(description="Scores missing on ``against``.")
    bounds: Bounds | None = Field(description="Where more than 10 % are missing.")


class SummaryCell(PairedRow):
    """Levels and change of one subject, measure and kind, on the prompts of the headline's scope."""

    variants: Estimate | None = Field(description="Level on the variants.")
    originals: Estimate | None = Field(description="Level on ``against``, for the same prompts.")
    change: Estimate | None = Field(description="Variants less originals.")
    drop: Interval | None = Field(
        description="The change signed so that worse is positive; None without a better end."
    )
    worst: WorstCase | None = Field(
        description="Expected worst case at the largest k that nearly all prompts can give."
    )


class SubjectDifference(MeasureRow):
    """One subject less another, paired variant by variant."""

    gain_originals: Estimate | None = Field(description="Subject less the other on the originals.")
    gain_variants: Estimate | None = Field(description="The same on variants that both have.")
    did: Estimate | None = Field(
        description="Difference in differences: what rewording changes for the subject, less the same for the other."
    )


class Contrast(PairedRow, SubjectDifference):
    """One subject against the baseline, on one measure, kind and set of prompts."""

    baseline: str = Field(description="What it is compared with.")
    scope: ScopeName = Field(description="All prompts, those that did not leak, or those that did.")
    topic: str | None = Field(description="Only the prompts of this topic; None for all topics.")
    corrected_gain_originals: CorrectedEstimate | None = Field(
        default=None, description="``gain_originals`` by people; None without enough labels."
    )
    corrected_gain_variants: CorrectedEstimate | None = Field(
        default=None, description="``gain_variants`` by people."
    )
    corrected_did: CorrectedEstimate | None = Field(default=None, description="``did`` by people.")
    kept: Interval | None = Field(
        description="Share of the gain on originals that is there on variants, with Fieller's interval; only where that gain is certain."
    )
    balanced_originals: Estimate | None = Field(
        default=None,
        description="``gain_originals`` with every group of ``data.group_by`` weighing alike, however many prompts it has; ``n`` counts groups. None without groups.",
    )
    balanced_variants: Estimate | None = Field(
        default=None, description="The same of ``gain_variants``."
    )
    balanced_did: Estimate | None = Field(default=None, description="The same of ``did``.")


class SubjectPair(SubjectDifference):
    """Two compared subjects against each other, on a headline measure and all kinds together."""

    against: str = Field(description="The other subject.")
    n: int = Field(description="Prompts with paired variants.")


class SeverityPoint(MeasureRow):
    """Level and change at one severity of a kind that has several; fillers stay out."""

    kind: str = Field(description="The kind of rewording.")
    severity: Severity = Field(description="The severity.")
    variants: Estimate | None = Field(description="Level on the variants.")
    change: Estimate | None = Field(description="Variants less what they are compared with.")


class WorstPoint(MeasureRow):
    """The expected worst of k variants."""

    kind: str = Field(description="Kind of rewording; ``(all kinds)`` pools all but ``identity``.")
    k: int = Field(description="How many variants of a prompt, the same for every subject.")
    left_out: int = Field(
        default=0,
        description="Prompts without k variants that every subject was scored on.",
    )
    expected_worst: Estimate | None = Field(description="Mean over prompts.")


class LeakGap(MeasureRow):
    """One quantity on all prompts, on clean ones and on leaked ones, and the gap between them."""

    what: Literal["level", "gain"] = Field(description="Its level, or its gain over the baseline.")
    kind: str = Field(description="The kind of rewording, ``original`` or ``(all kinds)``.")
    all: ScopeLevel | None = Field(description="On all prompts.")
    clean: ScopeLevel | None = Field(description="On those that did not leak.")
    leaked: ScopeLevel | None = Field(description="On those that did.")
    gap: LeakDifference | None = Field(description="Leaked less clean.")


class RadarLevels(Measured):
    """Levels of one headline measure that may stand on the axes of one radar chart."""

    basis: Literal["levels on common prompts", "originals moved by paired changes"] = Field(
        description="Levels on the prompts that have every kind, or originals moved by paired changes."
    )
    n: int | None = Field(description="Prompts that all kinds have; None for the other basis.")
    axes: tuple[str, ...] = Field(description="``original`` and every kind but ``identity``.")
    values: dict[str, tuple[float | None, ...]] = Field(description="By subject, one an axis.")
