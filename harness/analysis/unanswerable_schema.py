"""Refusals and false answers to questions that nobody can answer, as ``summary.json`` holds them."""

from __future__ import annotations

from pydantic import Field

from harness.analysis.estimates import Interval
from harness.records import Record


class AnswerRate(Interval):
    """A rate over prompts: the answers to one prompt are averaged first."""

    prompts: int = Field(description="Prompts.")
    answers: int = Field(description="Answers.")


class RefusalRates(Record):
    """How often one way of finding refusals found one."""

    refusal: AnswerRate | None = Field(description="On unknown prompts.")
    false_refusal: AnswerRate | None = Field(description="On known prompts.")


class AnswerRates(RefusalRates):
    """The rates of one subject, asked in one way."""

    false_answer: AnswerRate | None = Field(description="Unknown prompts answered, not refused.")
    uses_name: AnswerRate | None = Field(description="Those of them that use the invented name.")
    empty_unknown: AnswerRate | None = Field(description="Of unknown ones, no letter or digit.")
    empty_known: AnswerRate | None = Field(description="Of known ones, the same.")
    exact_match: AnswerRate | None = Field(description="Known ones that equal the reference.")
    rouge_l: AnswerRate | None = Field(description="ROUGE-L to the reference on known prompts.")


class RefusalDisagreement(Record):
    """An answer on which two ways of finding refusals differ."""

    sample_id: str = Field(description="The prompt.")
    refused: dict[str, bool] = Field(description="By way, whether it found a refusal.")
    answer: str = Field(description="The beginning of the answer.")


class RefusalAgreement(Record):
    """How far two ways of finding refusals agree."""

    ways: tuple[str, str] = Field(description="Their names.")
    answers: int = Field(description="Answers on which both have a verdict.")
    agreement: float | None = Field(description="Share on which they agree; None without answers.")
    kappa: float | None = Field(description="Cohen's kappa; None where chance alone agrees always.")
    only_first: int = Field(description="Refusals that only the first found.")
    only_second: int = Field(description="Refusals that only the second found.")
    examples: tuple[RefusalDisagreement, ...] = Field(description="Answers on which they differ.")


class DetectorComparison(Record):
    """The ways of finding refusals beside each other, on the originals."""

    rates: dict[str, RefusalRates] = Field(description="By way.")
    pairs: tuple[RefusalAgreement, ...] = Field(description="Every two ways.")


class SubjectRates(Record):
    """The rates of one subject."""

    missing: int = Field(description="Answers that failed and are in no rate.")
    asked: dict[str, AnswerRates] = Field(
        description="The rates on ``original``, on all ``variants``, and on each kind of them."
    )
    detectors: DetectorComparison


class PromptCount(Record):
    """Prompts by whether they can be answered."""

    known: int = Field(description="They can.")
    unknown: int = Field(description="They ask about an invented name and cannot.")
    unmarked: int = Field(description="They do not say.")


class Unanswerable(Record):
    """Refusals and false answers, where the data says which prompts can be answered."""

    prompts: PromptCount = Field(description="Prompts of each sort.")
    primary: str = Field(description="The way of finding refusals that the rates rest on.")
    subjects: dict[str, SubjectRates] = Field(description="By subject.")
