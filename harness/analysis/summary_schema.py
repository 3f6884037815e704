"""The whole of ``summary.json``: every figure of the report, typed.

``jostle list --schema summary`` prints this as a JSON schema. A field that changes its meaning or
goes away raises ``SUMMARY_VERSION``; a new one does not.
"""

from __future__ import annotations

import json
from typing import Final, Literal, Self

from pydantic import Field, JsonValue, ValidationError

from harness.analysis.estimates import (
    Contrast,
    Estimate,
    LeakGap,
    Measure,
    RadarLevels,
    ScopeName,
    SeverityPoint,
    SubjectPair,
    SummaryCell,
    WorstPoint,
)
from harness.analysis.memorisation_schema import Memorisation
from harness.analysis.unanswerable_schema import Unanswerable
from harness.errors import StoreError
from harness.judging.calibration_records import CalibrationReport
from harness.records import Dimension, Record

SUMMARY_VERSION: Final = 3

Direction = Literal["better", "worse", "unclear"]
LightColour = Literal["green", "amber", "red", "grey"]


class KindCount(Record):
    """Variants of one kind.

    Attributes:
        name: The kind.
        prompts: Prompts that have a valid variant.
        valid: Valid variants.
        filler: Those of them that were added only to reach the wanted number.
        not_made: Variants that could not be made.
        severities: Valid variants by severity.
    """

    name: str
    prompts: int
    valid: int
    filler: int
    not_made: int
    severities: dict[str, int]


class JudgeSpending(Record):
    """What a judge used, by the run's ledger.

    Attributes:
        calls: Calls of an endpoint.
        prompt_tokens: Tokens read.
        completion_tokens: Tokens written.
        money: By the prices that the suite names.
        seconds: Of the single calls, added up.
        uncounted: Attempts whose tokens the server did not count: they are estimates.
        priced: Whether every endpoint behind the judge has a price.
    """

    calls: int
    prompt_tokens: int
    completion_tokens: int
    money: float
    seconds: float
    uncounted: int
    priced: bool


class OutcomeCount(Record):
    """How the judgements of one dimension ended.

    Attributes:
        dimension: The dimension's name.
        scored: With a score.
        unparsed: With a reply that could not be read.
        refused: The judge refused.
        error: The call failed.
        share: Share scored.
        shares: The same by subject.
        incomplete: Whether a subject is under 90 %.
    """

    dimension: str
    scored: int
    unparsed: int
    refused: int
    error: int
    share: float
    shares: dict[str, float]
    incomplete: bool


class JudgeNoise(Record):
    """How far a judge is from itself on the very same answer.

    Attributes:
        dimension: The dimension's name.
        answers: Answers that were judged more than once.
        sd: Standard deviation within an answer, pooled.
        identical: Share of answers that got the same value every time.
    """

    dimension: str
    answers: int
    sd: float | None
    identical: float | None


class PanelAgreement(Record):
    """How far the members of a panel agree.

    Attributes:
        dimension: The dimension's name.
        answers: Answers that were judged.
        alpha: Krippendorff's alpha; None where it is not defined.
    """

    dimension: str
    answers: int
    alpha: float | None


class JudgeSummary(Record):
    """One judge: what it measures, how its judgements ended, how far it was checked.

    Attributes:
        llm: A language model judges.
        dimensions: What it measures.
        learned: It was learned from people's labels.
        repeats: How often it graded every answer.
        versions: Versions that its scores come from.
        judgements: Judgements on all dimensions.
        scored: Those with a score.
        unparsed: Those with a reply that could not be read.
        refused: Those that the judge refused.
        error: Those whose call failed.
        cost: What it used; None where nothing was counted.
        outcomes: How its judgements ended, a row a dimension.
        noise: Its distance from itself; None for a judge that was asked once.
        agreement: How far its members agree; None for one that is no panel.
        calibration: How far it agrees with people's labels; None where it was not checked.
        structured: How its endpoint was held to JSON, of a panel by member; None where there is none.
    """

    llm: bool
    dimensions: tuple[Dimension, ...]
    learned: bool
    repeats: int = 1
    versions: tuple[str, ...]
    judgements: int
    scored: int
    unparsed: int
    refused: int
    error: int
    cost: JudgeSpending | None = None
    outcomes: tuple[OutcomeCount, ...]
    noise: tuple[JudgeNoise, ...] | None
    agreement: tuple[PanelAgreement, ...] | None
    calibration: CalibrationReport | None = None
    structured: str | dict[str, JsonValue] | None = None


class MeasureScale(Record):
    """One measure: its scale and what it is compared with.

    Attributes:
        judge: The judge's label.
        dimension: The dimension's name.
        label: Name for people.
        low: Least possible value.
        high: Greatest possible value.
        higher_is_better: Which end is good; None where neither is.
        llm: A language model judges.
        rate: Every answer was scored 0 or 1 on a 0-to-1 scale.
        against: What variants are compared with: ``original`` or ``identity``.
        description: One line.
        mean_of: The dimensions that a derived ``overall`` averages; None for all others.
    """

    judge: str
    dimension: str
    label: str
    low: float
    high: float
    higher_is_better: bool | None
    llm: bool
    rate: bool
    against: str
    description: str
    mean_of: tuple[str, ...] | None

    @property
    def measure(self) -> Measure:
        """Return judge and dimension."""
        return Measure(self.judge, self.dimension)


class Headline(Record):
    """What the finding rests on.

    Attributes:
        measures: The leading measure first.
        words: The measures with their scales, in a sentence.
        scope: ``all`` prompts, or ``clean`` ones where prompts leaked.
        prompts: Source prompts in that scope.
    """

    measures: tuple[Measure, ...]
    words: str
    scope: ScopeName
    prompts: int


class SubjectFinding(Record):
    """The verdict on one subject.

    Attributes:
        subject: The subject.
        sentence: Better, worse or neither, on originals and on reworded prompts.
        levels: Where baseline and subject stand on the originals.
        robustness: What rewording costs it beside the baseline.
        also: What other measures say, a line each.
        original: Against the baseline on the originals.
        reworded: Against the baseline on the reworded prompts.
        robust: Whether rewording costs it less (better) or more (worse) than the baseline.
        costliest: The kind with the largest certain drop.
    """

    subject: str
    sentence: str
    levels: str | None
    robustness: str
    also: tuple[str, ...]
    original: Direction
    reworded: Direction
    robust: Direction
    costliest: str | None


class RunFinding(Record):
    """The verdict of a run in words.

    Attributes:
        sentence: The whole of it; begins with ``leak``.
        leak: That test prompts are in the training data; None where none is.
        subjects: Every compared subject.
        rests_on: The measures with their scales.
        cautions: What a reader must know before believing it, a line each.
    """

    sentence: str
    leak: str | None
    subjects: tuple[SubjectFinding, ...]
    rests_on: str
    cautions: tuple[str, ...]


class TrafficLight(Record):
    """One question, answered by a colour.

    Attributes:
        question: The question.
        light: The colour; grey where nobody measured.
        word: The colour in one word.
        answer: The answer in a sentence.
        subject: The subject; None for the whole run.
    """

    question: str
    light: LightColour
    word: str
    answer: str
    subject: str | None


class NoiseChange(Estimate):
    """What asking the very same prompt again changed on a headline measure.

    Attributes:
        judge: The judge's label.
        dimension: The dimension's name.
    """

    judge: str
    dimension: str


class SubjectNoise(Record):
    """The noise floor of one subject.

    Attributes:
        subject: The subject.
        repeated: Prompts that were asked again unchanged.
        identical: Share of them whose answer came back letter for letter.
        zero_by_construction: It answers greedily in fp32.
        changes: On the headline measures.
    """

    subject: str
    repeated: int
    identical: float | None
    zero_by_construction: bool
    changes: tuple[NoiseChange, ...]


class Noise(Record):
    """The identity floor.

    Attributes:
        subjects: Every subject.
    """

    subjects: tuple[SubjectNoise, ...]


class AuditCount(Record):
    """Source prompts by the audit's verdict.

    Attributes:
        clean: Not in the training data.
        leaked: In the training data.
        unchecked: Nobody looked.
    """

    clean: int
    leaked: int
    unchecked: int

    @property
    def total(self) -> int:
        """Return the number of source prompts."""
        return self.clean + self.leaked + self.unchecked


class AnswerCount(Record):
    """The answers of one subject.

    Attributes:
        subject: The subject.
        answers: Answers asked for.
        failed: Those that failed.
        empty: Those without text.
        truncated: Those that were cut at the token limit.
        mean_tokens: Tokens of an answer.
        seconds: Of all answers together.
        repeated: Prompts asked again unchanged (kind ``identity``).
        identical_when_repeated: Share of them whose answer came back letter for letter.
    """

    subject: str
    answers: int
    failed: int
    empty: int
    truncated: int
    mean_tokens: float | None
    seconds: float | None
    repeated: int
    identical_when_repeated: float | None


class FailureGroup(Record):
    """Failures of one sort.

    Attributes:
        stage: ``variants``, ``generations`` or ``scores``.
        kind: What happened.
        subject: The subject, where there is one.
        judge: The judge, where there is one.
        dimension: The dimension, where there is one.
        perturbation: The kind of rewording.
        count: How many.
        messages: Some of their messages.
        samples: Some of their samples.
    """

    stage: Literal["variants", "generations", "scores"]
    kind: str | None
    subject: str | None
    judge: str | None
    dimension: str | None
    perturbation: str | None
    count: int
    messages: tuple[str, ...]
    samples: tuple[str, ...]


class Summary(Record):
    """Every figure of the report.

    Attributes:
        schema_version: ``SUMMARY_VERSION`` of the code that wrote it.
        seed: Seed of the run.
        level: Confidence level of every interval.
        resamples: Bootstrap resamples.
        tests: Tests in the family that is corrected together.
        baseline: The subject that the others are compared with.
        subjects: All subjects, in the order of the suite.
        prompts: Source prompts by content.
        samples: Samples by id.
        kinds: Variants by kind.
        judges: By label.
        measures: Every measure's scale.
        headline: What the finding rests on.
        finding: The verdict in words.
        traffic_lights: Four a compared subject, two for the run, one more with probes.
        radar: A row a headline measure.
        contrasts: Subjects against the baseline.
        topics: The same by topic, for topics with at least 10 prompts.
        cells: Levels and drops.
        pairs: Compared subjects against each other.
        severities: Levels and changes by severity.
        worst: Worst cases.
        leak_gaps: Only where prompts leaked.
        noise: None without kind ``identity``.
        audit: Source prompts by the audit's verdict.
        answers: A row a subject.
        failures: The most frequent first within a stage.
        warnings: Lines that the page shows.
        unanswerable: None unless samples say ``known: false``.
        memorisation: None without probes.
        judges_gone: What judges used that the suite no longer lists, by label.
    """

    schema_version: Literal[3] = SUMMARY_VERSION
    seed: int
    level: float
    resamples: int
    tests: int
    baseline: str
    subjects: tuple[str, ...]
    prompts: int
    samples: int
    kinds: tuple[KindCount, ...]
    judges: dict[str, JudgeSummary]
    measures: tuple[MeasureScale, ...]
    headline: Headline
    finding: RunFinding
    traffic_lights: tuple[TrafficLight, ...]
    radar: tuple[RadarLevels, ...]
    contrasts: tuple[Contrast, ...]
    topics: tuple[Contrast, ...]
    cells: tuple[SummaryCell, ...]
    pairs: tuple[SubjectPair, ...]
    severities: tuple[SeverityPoint, ...]
    worst: tuple[WorstPoint, ...]
    leak_gaps: tuple[LeakGap, ...]
    noise: Noise | None
    audit: AuditCount
    answers: tuple[AnswerCount, ...]
    failures: tuple[FailureGroup, ...]
    warnings: tuple[str, ...]
    unanswerable: Unanswerable | None = None
    memorisation: Memorisation | None = None
    judges_gone: dict[str, JudgeSpending] = Field(default_factory=dict)

    @classmethod
    def load(cls, text: str, *, source: str = "summary.json") -> Self:
        """Read a summary from JSON.

        Args:
            text: Content of the file.
            source: The file's name, for errors.

        Raises:
            StoreError: It is damaged, or another version of Jostle wrote it.
        """
        try:
            raw = json.loads(text)
        except json.JSONDecodeError as error:
            raise StoreError(
                f"{source}:{error.lineno}: damaged ({error.msg}); delete it and run again"
            ) from None
        if not isinstance(raw, dict):
            raise StoreError(f"{source}: damaged (not a JSON object); delete it and run again")
        version = raw.get("schema_version")
        if version != SUMMARY_VERSION:
            raise StoreError(
                f"{source}: written in version {version} of its format, this Jostle reads version"
                f" {SUMMARY_VERSION}; analyse the run again with jostle report RUN"
            )
        try:
            return cls.model_validate(raw)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            place = ".".join(map(str, first["loc"]))
            raise StoreError(
                f"{source}: damaged ({place}: {first['msg']}); analyse the run again with"
                " jostle report RUN"
            ) from None

    def dump(self) -> str:
        """Return the summary as JSON, ready to be written."""
        text = json.dumps(
            self.model_dump(mode="json"), indent=1, ensure_ascii=False, allow_nan=False
        )
        return text + "\n"
