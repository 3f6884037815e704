"""The whole of ``summary.json``: every figure of the report, typed.

``jostle list --schema summary`` prints this as a JSON schema. A field that changes its meaning or
goes away raises ``SUMMARY_VERSION``; a new one does not.
"""

from __future__ import annotations

import json
from typing import Final, Literal, Self

from pydantic import Field, JsonValue, ValidationError

from harness.analysis.error_budget_schema import ErrorBudget
from harness.analysis.estimates import (
    Contrast,
    Estimate,
    LeakGap,
    Measure,
    Measured,
    RadarLevels,
    ScopeName,
    SeverityPoint,
    SubjectPair,
    SummaryCell,
    WorstPoint,
)
from harness.analysis.memorisation_schema import Memorisation
from harness.analysis.unanswerable_schema import Unanswerable
from harness.analysis.worst_found_schema import WorstFound
from harness.errors import StoreError
from harness.judging.calibration_records import CalibrationReport
from harness.records import Dimension, Record

SUMMARY_VERSION: Final = 4

Direction = Literal["better", "worse", "unclear", "not measured"]
LightColour = Literal["green", "amber", "red", "grey"]


class KindCount(Record):
    """Variants of one kind."""

    name: str = Field(description="The kind.")
    prompts: int = Field(description="Prompts that have a valid variant.")
    valid: int = Field(description="Valid variants.")
    filler: int = Field(description="Those of them added only to reach the wanted number.")
    not_made: int = Field(description="Variants that could not be made.")
    severities: dict[str, int] = Field(description="Valid variants by severity.")


class JudgeSpending(Record):
    """What a judge used, by the run's ledger."""

    calls: int = Field(description="Calls of an endpoint.")
    prompt_tokens: int = Field(description="Tokens read.")
    completion_tokens: int = Field(description="Tokens written.")
    money: float = Field(description="By the prices that the suite names.")
    seconds: float = Field(description="Of the single calls, added up.")
    uncounted: int = Field(description="Attempts whose tokens are estimated, not counted.")
    priced: bool = Field(description="Whether every endpoint behind the judge has a price.")


class StatusCount(Record):
    """Judgements by how they ended."""

    scored: int = Field(description="With a score.")
    unparsed: int = Field(description="With a reply that could not be read.")
    refused: int = Field(description="The judge refused.")
    error: int = Field(description="The call failed.")


class OutcomeCount(StatusCount):
    """How the judgements of one dimension ended."""

    dimension: str = Field(description="The dimension's name.")
    share: float = Field(description="Share scored.")
    shares: dict[str, float] = Field(description="The same by subject.")
    incomplete: bool = Field(description="Whether a subject is under 90 %.")


class JudgeNoise(Record):
    """How far a judge is from itself on the very same answer."""

    dimension: str = Field(description="The dimension's name.")
    answers: int = Field(description="Answers that were judged more than once.")
    sd: float | None = Field(description="Standard deviation within an answer, pooled.")
    identical: float | None = Field(description="Share of answers with the same value every time.")


class PanelAgreement(Record):
    """How far the members of a panel agree."""

    dimension: str = Field(description="The dimension's name.")
    answers: int = Field(description="Answers that were judged.")
    alpha: float | None = Field(description="Krippendorff's alpha; None where it is not defined.")


class JudgeSummary(StatusCount):
    """One judge: what it measures, how its judgements ended, how far it was checked."""

    llm: bool = Field(description="A language model judges.")
    dimensions: tuple[Dimension, ...] = Field(description="What it measures.")
    learned: bool = Field(description="It was learned from people's labels.")
    repeats: int = Field(default=1, description="How often it graded every answer.")
    versions: tuple[str, ...] = Field(description="Versions that its scores come from.")
    judgements: int = Field(description="Judgements on all dimensions.")
    cost: JudgeSpending | None = Field(default=None, description="What it used; None: not counted.")
    outcomes: tuple[OutcomeCount, ...] = Field(description="How judgements ended, by dimension.")
    noise: tuple[JudgeNoise, ...] | None = Field(description="From itself; None where asked once.")
    agreement: tuple[PanelAgreement, ...] | None = Field(
        description="How far its members agree; None for one that is no panel."
    )
    calibration: CalibrationReport | None = Field(
        default=None,
        description="How far it agrees with people's labels; None where it was not checked.",
    )
    structured: str | dict[str, JsonValue] | None = Field(
        default=None,
        description="How its endpoint was held to JSON, of a panel by member; None where there is none.",
    )


class MeasureScale(Measured):
    """One measure: its scale and what it is compared with."""

    label: str = Field(description="Name for people.")
    low: float = Field(description="Least possible value.")
    high: float = Field(description="Greatest possible value.")
    higher_is_better: bool | None = Field(description="Which end is good; None where neither is.")
    llm: bool = Field(description="A language model judges.")
    rate: bool = Field(description="Every answer was scored 0 or 1 on a 0-to-1 scale.")
    against: str = Field(description="What variants stand beside: ``original`` or ``identity``.")
    description: str = Field(description="One line.")
    mean_of: tuple[str, ...] | None = Field(
        description="The dimensions that a derived ``overall`` averages; None for all others."
    )
    margin: float | None = Field(
        default=None, description="How small a difference counts as none, as the suite sets it."
    )


class Headline(Record):
    """What the finding rests on."""

    measures: tuple[Measure, ...] = Field(description="The leading measure first.")
    words: str = Field(description="The measures with their scales, in a sentence.")
    scope: ScopeName = Field(description="``all`` prompts, or ``clean`` ones where prompts leaked.")
    prompts: int = Field(description="Source prompts in that scope.")


class Margin(Record):
    """How small a difference counts as none."""

    value: float = Field(description="In the measure's units.")
    source: Literal["suite", "identity"] = Field(
        description="Set by the user, or half the interval of asking the same prompts again."
    )


class TippingPoint(Measured):
    """What the missing scores behind a certain difference would have to be for it to vanish."""

    subject: str = Field(description="The compared subject.")
    where: Literal["originals", "reworded"] = Field(description="Which difference.")
    missing: dict[str, int] = Field(description="Answers without a score, by subject.")
    observed: dict[str, float] = Field(description="Mean of the scores that are there.")
    values: dict[str, float] | None = Field(
        description="Mean of the missing ones at which the interval reaches zero, by subject; None where no values on the scale do that."
    )
    below: dict[str, bool] = Field(
        description="Whether it vanishes below (else above) that value, by subject."
    )
    plausible: bool = Field(
        description="All values lie between the 5th and the 95th percentile of what either subject scored."
    )


class SubjectFinding(Record):
    """The verdict on one subject."""

    subject: str = Field(description="The subject.")
    sentence: str = Field(description="Better, worse or neither, on originals and reworded ones.")
    levels: str | None = Field(description="Where baseline and subject stand on the originals.")
    robustness: str = Field(description="What rewording costs it beside the baseline.")
    also: tuple[str, ...] = Field(description="What other measures say, a line each.")
    corrected: tuple[str, ...] = Field(
        default=(),
        description="Each judged difference beside the one that people's labels correct, a line each.",
    )
    original: Direction = Field(description="Against the baseline on the originals.")
    reworded: Direction = Field(description="Against the baseline on the reworded prompts.")
    robust: Direction = Field(description="What rewording costs it, against the baseline.")
    costliest: str | None = Field(description="The kind with the largest certain drop.")
    margin: Margin | None = Field(
        default=None,
        description="How small an extra loss counts as none; None where nobody said and none was measured.",
    )


class RunFinding(Record):
    """The verdict of a run in words."""

    sentence: str = Field(description="The whole of it; begins with ``leak``.")
    leak: str | None = Field(description="That test prompts are in the training data, if any is.")
    subjects: tuple[SubjectFinding, ...] = Field(description="Every compared subject.")
    rests_on: str = Field(description="The measures with their scales.")
    cautions: tuple[str, ...] = Field(description="What a reader must know first, a line each.")


class TrafficLight(Record):
    """One question, answered by a colour."""

    question: str = Field(description="The question.")
    light: LightColour = Field(description="The colour; grey where nobody measured.")
    word: str = Field(description="The colour in one word.")
    answer: str = Field(description="The answer in a sentence.")
    subject: str | None = Field(description="The subject; None for the whole run.")


class NoiseChange(Estimate, Measured):
    """What asking the very same prompt again changed on a headline measure."""


class SubjectNoise(Record):
    """The noise floor of one subject."""

    subject: str = Field(description="The subject.")
    repeated: int = Field(description="Prompts that were asked again unchanged.")
    identical: float | None = Field(
        description="Share of them whose answer came back letter for letter."
    )
    zero_by_construction: bool = Field(description="It answers greedily in fp32.")
    changes: tuple[NoiseChange, ...] = Field(description="On the headline measures.")


class Noise(Record):
    """The identity floor."""

    subjects: tuple[SubjectNoise, ...] = Field(description="Every subject.")


class AuditCount(Record):
    """Source prompts by the audit's verdict."""

    clean: int = Field(description="Not in the training data.")
    leaked: int = Field(description="In the training data.")
    unchecked: int = Field(description="Nobody looked.")

    @property
    def total(self) -> int:
        """Return the number of source prompts."""
        return self.clean + self.leaked + self.unchecked


class AnswerCount(Record):
    """The answers of one subject."""

    subject: str = Field(description="The subject.")
    answers: int = Field(description="Answers asked for.")
    failed: int = Field(description="Those that failed.")
    empty: int = Field(description="Those without text.")
    truncated: int = Field(description="Those that were cut at the token limit.")
    mean_tokens: float | None = Field(description="Tokens of an answer that did not fail.")
    seconds: float | None = Field(description="Of all answers together.")
    repeated: int = Field(description="Prompts asked again unchanged (kind ``identity``).")
    identical_when_repeated: float | None = Field(
        description="Share of them whose answer came back letter for letter."
    )

    @property
    def given(self) -> int:
        """Return the answers that did not fail: what shares and means of answers are taken over."""
        return self.answers - self.failed


class Look(Record):
    """One analysis of a run that saw new records."""

    prompts: int = Field(description="Source prompts that had an answer.")
    answers: int = Field(description="Answers of all subjects together.")
    declared: int | None = Field(
        description="Looks that the suite declared; None where it did not."
    )


class FailureGroup(Record):
    """Failures of one sort."""

    stage: Literal["variants", "generations", "scores"] = Field(description="Where they failed.")
    kind: str | None = Field(description="What happened.")
    subject: str | None = Field(description="The subject, where there is one.")
    judge: str | None = Field(description="The judge, where there is one.")
    dimension: str | None = Field(description="The dimension, where there is one.")
    perturbation: str | None = Field(description="The kind of rewording.")
    count: int = Field(description="How many.")
    messages: tuple[str, ...] = Field(description="Some of their messages.")
    samples: tuple[str, ...] = Field(description="Some of their samples.")


class Summary(Record):
    """Every figure of the report."""

    schema_version: Literal[4] = Field(default=SUMMARY_VERSION, description="Of this format.")
    seed: int = Field(description="Seed of the run.")
    level: float = Field(description="Confidence level of every interval.")
    resamples: int = Field(description="Bootstrap resamples.")
    tests: int = Field(description="Tests in the family that is corrected together.")
    baseline: str = Field(description="The subject that the others are compared with.")
    subjects: tuple[str, ...] = Field(description="All subjects, in the order of the suite.")
    prompts: int = Field(description="Source prompts by content.")
    samples: int = Field(description="Samples by id.")
    kinds: tuple[KindCount, ...] = Field(description="Variants by kind.")
    prompts_in_danger: int = Field(
        default=0,
        description="Prompts that hold a sentence of danger, which few kinds of rewording touch.",
    )
    judges: dict[str, JudgeSummary] = Field(description="By label.")
    measures: tuple[MeasureScale, ...] = Field(description="Every measure's scale.")
    headline: Headline = Field(description="What the finding rests on.")
    finding: RunFinding = Field(description="The verdict in words.")
    traffic_lights: tuple[TrafficLight, ...] = Field(
        description="Four a compared subject, two for the run, one more with probes."
    )
    radar: tuple[RadarLevels, ...] = Field(description="A row a headline measure.")
    contrasts: tuple[Contrast, ...] = Field(description="Subjects against the baseline.")
    topics: tuple[Contrast, ...] = Field(description="By topic, for those with 10 prompts or more.")
    cells: tuple[SummaryCell, ...] = Field(description="Levels and drops.")
    pairs: tuple[SubjectPair, ...] = Field(description="Compared subjects against each other.")
    severities: tuple[SeverityPoint, ...] = Field(description="Levels and changes by severity.")
    worst: tuple[WorstPoint, ...] = Field(description="Worst cases.")
    tipping: tuple[TippingPoint, ...] = Field(
        default=(),
        description="Of every certain headline difference with missing scores behind it.",
    )
    leak_gaps: tuple[LeakGap, ...] = Field(description="Only where prompts leaked.")
    noise: Noise | None = Field(description="None without kind ``identity``.")
    audit: AuditCount = Field(description="Source prompts by the audit's verdict.")
    answers: tuple[AnswerCount, ...] = Field(description="A row a subject.")
    failures: tuple[FailureGroup, ...] = Field(description="By stage, the most frequent first.")
    warnings: tuple[str, ...] = Field(description="Lines that the page shows.")
    error_budgets: tuple[ErrorBudget, ...] = Field(
        default=(), description="Where the error comes from, and what would halve it."
    )
    looks: tuple[Look, ...] = Field(
        default=(), description="Analyses that saw new records, this one included."
    )
    unanswerable: Unanswerable | None = Field(
        default=None, description="None unless samples say ``known: false``."
    )
    memorisation: Memorisation | None = Field(default=None, description="None without probes.")
    worst_found: WorstFound | None = Field(
        default=None, description="None unless a kind asks for a ``search``."
    )
    judges_gone: dict[str, JudgeSpending] = Field(
        default_factory=dict,
        description="What judges used that the suite no longer lists, by label.",
    )

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
