"""Worst cases found by search, as ``summary.json`` holds them."""

from __future__ import annotations

from pydantic import Field

from harness.analysis.estimates import Estimate, Interval, Measured, MeasureRow
from harness.records import Edit, Record, Severity


class FoundWorst(MeasureRow):
    """What the searches of one kind found for one subject."""

    kind: str = Field(description="The kind of rewording.")
    severity: Severity = Field(description="Its severity.")
    budget: int = Field(description="Answers that each search might ask for.")
    n: int = Field(description="Prompts whose original has a score.")
    drop: Estimate | None = Field(
        description="How much worse the worst rewording found is than the original, in the units of the measure; 0 where none is worse."
    )
    harmed: Interval | None = Field(
        description="Share of prompts with a rewording that is worse than the original."
    )
    calls: float = Field(description="Answers that a search asked for, on average.")
    settled: int = Field(description="Searches that ended because no further edit hurt more.")
    spent: int = Field(description="Searches that ended because the budget was spent.")
    no_candidate: int = Field(description="Searches without a rewording that the gates accept.")
    not_scored: int = Field(description="Searches whose original has no score.")


class FoundDifference(MeasureRow):
    """The drop that the searches found for a subject, less the same for the baseline."""

    against: str = Field(description="The baseline, searched with the same budget.")
    kind: str = Field(description="The kind of rewording.")
    severity: Severity = Field(description="Its severity.")
    n: int = Field(description="Prompts on which both were searched.")
    difference: Estimate | None = Field(
        description="Positive where the subject can be hurt more than the baseline."
    )


class FoundCase(Record):
    """The worst rewording of a prompt for one subject."""

    subject: str = Field(description="The subject.")
    before: float = Field(description="Score of the answer to the original.")
    after: float = Field(description="Score of the answer to the worst rewording.")
    edits: tuple[Edit, ...] = Field(description="By span in the prompt; none where none is worse.")
    answer: str | None = Field(description="The answer to the rewording.")


class FoundExample(Measured):
    """One prompt with the worst rewording for every subject."""

    sample_id: str = Field(description="The sample.")
    kind: str = Field(description="The kind of rewording.")
    severity: Severity = Field(description="Its severity.")
    prompt: str = Field(description="The original prompt.")
    cases: tuple[FoundCase, ...] = Field(description="By subject, in the order of the suite.")


class WorstFound(Record):
    """What the searches of a run found, apart from the random variants."""

    rows: tuple[FoundWorst, ...] = Field(description="By kind, severity and subject.")
    contrasts: tuple[FoundDifference, ...] = Field(description="Subjects against the baseline.")
    examples: tuple[FoundExample, ...] = Field(
        description="Prompts on which a compared subject fell most, the largest first."
    )
