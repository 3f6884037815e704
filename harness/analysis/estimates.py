"""The estimates of a summary and the rows that hold them: sections of ``summary.json``.

Numbers have six significant digits; None is "cannot be said".
"""

from __future__ import annotations

from typing import Literal, NamedTuple

from harness.records import Record, Severity

Method = Literal["studentised_bootstrap", "adjusted_student", "clustered_wilson", "none"]
ScopeName = Literal["all", "clean", "leaked"]


class Measure(NamedTuple):
    """What a judge measures on one of its dimensions; ``[judge, dimension]`` in JSON.

    Attributes:
        judge: The judge's label in the suite.
        dimension: The dimension's name, unique within the judge.
    """

    judge: str
    dimension: str


class Interval(Record):
    """A mean with its confidence interval.

    Attributes:
        mean: The mean.
        low: Lower end at the summary's confidence level; None where there is none.
        high: Upper end.
    """

    mean: float | None
    low: float | None
    high: float | None


class Estimate(Interval):
    """A mean over source prompts, and whether it differs from zero.

    Attributes:
        se: Standard error.
        n: Source prompts.
        method: How the interval was made; ``none`` under two prompts.
        p: Of the sign-flip test against zero; None where zero was not tested.
        p_holm: The same after Holm's correction over all tests of the page.
        mde: Smallest effect that is seen with 80 % probability; None where zero was not tested.
    """

    se: float | None
    n: int
    method: Method
    p: float | None = None
    p_holm: float | None = None
    mde: float | None = None


class ScopeLevel(Interval):
    """A mean over the prompts of one scope.

    Attributes:
        se: Standard error.
        n: Source prompts.
    """

    se: float | None
    n: int


class LeakDifference(Interval):
    """The mean on leaked prompts less the mean on clean ones, which are other prompts: unpaired.

    Attributes:
        se: Standard error.
        leaked: Leaked prompts.
        clean: Clean prompts.
        method: How the interval was made.
    """

    se: float | None
    leaked: int
    clean: int
    method: Literal["adjusted_welch", "studentised_bootstrap"]


class WorstCase(Estimate):
    """The expected worst of k variants of a prompt.

    Attributes:
        k: How many variants.
    """

    k: int


class MissingScores(Record):
    """Scores that were to be expected and are not there.

    Attributes:
        expected: Scores that were to be expected.
        missing: Those of them that are not there.
        share: ``missing`` of ``expected``.
    """

    expected: int
    missing: int
    share: float


class Bounds(Record):
    """Where means could lie if every missing score stood at the low, and at the high end.

    Attributes:
        variants: Of the level on variants.
        originals: Of the level on originals.
        change: Of the change between the two.
    """

    variants: tuple[float | None, float | None]
    originals: tuple[float | None, float | None]
    change: tuple[float | None, float | None]


class MeasureRow(Record):
    """A row about one subject and one measure.

    Attributes:
        subject: The subject.
        judge: The judge's label.
        dimension: The dimension's name.
    """

    subject: str
    judge: str
    dimension: str

    @property
    def measure(self) -> Measure:
        """Return judge and dimension."""
        return Measure(self.judge, self.dimension)


class SummaryCell(MeasureRow):
    """Levels and change of one subject, measure and kind, on the prompts of the headline's scope.

    Attributes:
        kind: The kind of rewording; ``(all kinds)`` pools all but ``identity``.
        against: What the variants are compared with: ``original`` or ``identity``.
        n: Prompts with variants (and, where there are any, with what they are compared with).
        missing: Scores missing on the variants.
        missing_originals: Scores missing on what they are compared with.
        bounds: Where more than 10 % are missing.
        variants: Level on the variants.
        originals: Level on what they are compared with, for the same prompts.
        change: Variants less originals.
        drop: The change signed so that worse is positive; None without a better end.
        worst: Expected worst case at the largest k that nearly all prompts can give.
    """

    kind: str
    against: str
    n: int
    missing: MissingScores
    missing_originals: MissingScores
    bounds: Bounds | None
    variants: Estimate | None
    originals: Estimate | None
    change: Estimate | None
    drop: Interval | None
    worst: WorstCase | None


class Contrast(MeasureRow):
    """One subject against the baseline, on one measure, kind and set of prompts.

    Attributes:
        baseline: What it is compared with.
        kind: The kind of rewording; ``(all kinds)`` pools all but ``identity``.
        scope: The prompts: all, those that did not leak, those that did.
        topic: Only the prompts of this topic; None for all topics.
        against: What the variants are compared with: ``original`` or ``identity``.
        n: Prompts with paired variants.
        missing: Paired scores missing on the variants.
        missing_originals: Paired scores missing on what they are compared with.
        bounds: Where more than 10 % are missing.
        kept: Share of the gain on originals that is there on variants, with Fieller's interval; only
            where that gain is certain.
        gain_originals: Subject less baseline on the originals.
        gain_variants: The same over the very variants that both were scored on.
        did: Difference in differences: what rewording changes for the subject, less the same for
            the baseline.
    """

    baseline: str
    kind: str
    scope: ScopeName
    topic: str | None
    against: str
    n: int
    missing: MissingScores
    missing_originals: MissingScores
    bounds: Bounds | None
    kept: Interval | None
    gain_originals: Estimate | None
    gain_variants: Estimate | None
    did: Estimate | None


class SubjectPair(MeasureRow):
    """Two compared subjects against each other, on a headline measure and all kinds together.

    Attributes:
        against: The other subject.
        n: Prompts with paired variants.
        gain_originals: Subject less the other on the originals.
        gain_variants: The same on the variants that both were scored on.
        did: Difference in differences.
    """

    against: str
    n: int
    gain_originals: Estimate | None
    gain_variants: Estimate | None
    did: Estimate | None


class SeverityPoint(MeasureRow):
    """Level and change at one severity of a kind that has several; fillers stay out.

    Attributes:
        kind: The kind of rewording.
        severity: The severity.
        variants: Level on the variants.
        change: Variants less what they are compared with.
    """

    kind: str
    severity: Severity
    variants: Estimate | None
    change: Estimate | None


class WorstPoint(MeasureRow):
    """The expected worst of k variants.

    Attributes:
        kind: The kind of rewording; ``(all kinds)`` pools all but ``identity``.
        k: How many variants of a prompt.
        expected_worst: Mean over prompts of the expected worst score.
    """

    kind: str
    k: int
    expected_worst: Estimate | None


class LeakGap(MeasureRow):
    """One quantity on all prompts, on clean ones and on leaked ones, and the gap between them.

    Attributes:
        what: The subject's level, or its gain over the baseline.
        kind: The kind of rewording, ``original`` or ``(all kinds)``.
        all: On all prompts.
        clean: On those that did not leak.
        leaked: On those that did.
        gap: Leaked less clean.
    """

    what: Literal["level", "gain"]
    kind: str
    all: ScopeLevel | None
    clean: ScopeLevel | None
    leaked: ScopeLevel | None
    gap: LeakDifference | None


class RadarLevels(Record):
    """Levels of one headline measure that may stand on the axes of one radar chart.

    Attributes:
        judge: The judge's label.
        dimension: The dimension's name.
        basis: Levels on the prompts that have every kind, or originals moved by paired changes.
        n: Prompts behind levels on common prompts; None for the other basis.
        axes: ``original`` and every kind that changes the prompt.
        values: By subject, one value an axis.
    """

    judge: str
    dimension: str
    basis: Literal["levels on common prompts", "originals moved by paired changes"]
    n: int | None
    axes: tuple[str, ...]
    values: dict[str, tuple[float | None, ...]]
