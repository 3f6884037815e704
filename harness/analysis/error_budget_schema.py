"""Where the error of a run's differences comes from, and what would halve it: part of ``summary.json``."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from harness.analysis.estimates import MeasureRow
from harness.records import Record

Source = Literal["prompt", "prompt x kind", "variant", "repeat", "judge"]
LeverName = Literal["prompts", "variants", "originals", "repeats", "judging", "judges", "labels"]
Difference = Literal["gain_originals", "gain_variants", "did"]


class VarianceComponent(Record):
    """One component of the variance of a difference between two subjects on one answer each."""

    source: Source = Field(
        description="``prompt``: prompts differ; ``prompt x kind``: a kind hits one prompt harder than another; ``variant``: two variants of a kind differ; ``repeat``: the same prompt asked again; ``judge``: the same answer judged again."
    )
    variance: float | None = Field(
        description="Its variance, in squared units of the measure; None where this run cannot tell it from the next one out. May be negative: then it is small."
    )
    low: float | None = Field(description="Lower end of a bootstrap interval over prompts.")
    high: float | None = Field(description="Upper end.")
    share: float | None = Field(description="Of all components, negative ones counted as 0.")
    includes: tuple[Source, ...] = Field(
        default=(), description="Components that this run cannot tell from it."
    )


class Lever(Record):
    """What one kind of spending does to the standard error of one difference."""

    difference: Difference = Field(description="The difference.")
    lever: LeverName = Field(
        description="``originals``: answers to each original; ``repeats``: answers to everything; ``judging``: judgements of an answer; ``judges``: another judge of the same dimension; ``labels``: by people."
    )
    now: float = Field(description="How many there are: in all, or a prompt (mean).")
    then: float = Field(description="How many after the step.")
    factor: float = Field(description="Standard error after the step, as a share of today's.")
    answers: int = Field(description="Answers that the step costs, of all subjects together.")
    judgements: int = Field(description="Judgements that it costs.")
    labels: int = Field(default=0, description="Prompts that people label for it.")
    floor: float = Field(description="What the standard error cannot fall under by this alone.")
    halves_at: float | None = Field(
        description="How many would halve the standard error; None where none would."
    )
    halves_answers: int | None = Field(description="Answers that this would cost.")
    halves_judgements: int | None = Field(description="Judgements that it would cost.")


class ErrorBudget(MeasureRow):
    """Components and levers of one subject's difference from the baseline, on the leading measure."""

    prompts: int = Field(description="Source prompts.")
    answers: float = Field(description="Answers of one subject to a prompt, mean.")
    errors: dict[Difference, float] = Field(description="Standard error by difference.")
    components: tuple[VarianceComponent, ...] = Field(description="From the outermost on.")
    levers: tuple[Lever, ...] = Field(description="By difference, the most for its cost first.")
    words: tuple[str, ...] = Field(description="The same in plain words, a line each.")
