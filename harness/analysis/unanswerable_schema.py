"""Refusals and false answers to questions that nobody can answer, as ``summary.json`` holds them."""

from __future__ import annotations

from harness.analysis.estimates import Interval
from harness.records import Record


class AnswerRate(Interval):
    """A rate over prompts: the answers to one prompt are averaged first.

    Attributes:
        prompts: Prompts.
        answers: Answers.
    """

    prompts: int
    answers: int


class RefusalRates(Record):
    """How often one way of finding refusals found one.

    Attributes:
        refusal: On unknown prompts.
        false_refusal: On known prompts.
    """

    refusal: AnswerRate | None
    false_refusal: AnswerRate | None


class AnswerRates(RefusalRates):
    """The rates of one subject, asked in one way.

    Attributes:
        false_answer: Answers to unknown prompts that say something and do not refuse.
        uses_name: Those of them that use the invented name.
        empty_unknown: Answers to unknown prompts without a letter or digit.
        empty_known: The same of known prompts.
        exact_match: Answers to known prompts equal to the reference after normalisation.
        rouge_l: ROUGE-L to the reference on known prompts.
    """

    false_answer: AnswerRate | None
    uses_name: AnswerRate | None
    empty_unknown: AnswerRate | None
    empty_known: AnswerRate | None
    exact_match: AnswerRate | None
    rouge_l: AnswerRate | None


class RefusalDisagreement(Record):
    """An answer on which two ways of finding refusals differ.

    Attributes:
        sample_id: The prompt.
        refused: By way, whether it found a refusal.
        answer: The beginning of the answer.
    """

    sample_id: str
    refused: dict[str, bool]
    answer: str


class RefusalAgreement(Record):
    """How far two ways of finding refusals agree.

    Attributes:
        ways: Their names.
        answers: Answers on which both have a verdict.
        agreement: Share on which they agree; None without answers.
        kappa: Cohen's kappa; None where chance alone agrees always.
        only_first: Refusals that only the first found.
        only_second: Refusals that only the second found.
        examples: Answers on which they differ.
    """

    ways: tuple[str, str]
    answers: int
    agreement: float | None
    kappa: float | None
    only_first: int
    only_second: int
    examples: tuple[RefusalDisagreement, ...]


class DetectorComparison(Record):
    """The ways of finding refusals beside each other, on the originals.

    Attributes:
        rates: By way.
        pairs: Every two ways.
    """

    rates: dict[str, RefusalRates]
    pairs: tuple[RefusalAgreement, ...]


class SubjectRates(Record):
    """The rates of one subject.

    Attributes:
        missing: Answers that failed and are in no rate.
        asked: The rates on ``original``, on all ``variants``, and on each kind of them.
        detectors: The ways of finding refusals beside each other.
    """

    missing: int
    asked: dict[str, AnswerRates]
    detectors: DetectorComparison


class PromptCount(Record):
    """Prompts by whether they can be answered.

    Attributes:
        known: They can.
        unknown: They ask about an invented name and cannot.
        unmarked: They do not say.
    """

    known: int
    unknown: int
    unmarked: int


class Unanswerable(Record):
    """Refusals and false answers, where the data says which prompts can be answered.

    Attributes:
        prompts: Prompts of each sort.
        primary: The way of finding refusals that the rates rest on.
        subjects: By subject.
    """

    prompts: PromptCount
    primary: str
    subjects: dict[str, SubjectRates]
