"""A run's records joined for looking at: prompt, variants, answers and judgements together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from harness.analysis.summary_schema import MeasureScale
from harness.records import (
    ORIGINAL,
    Generation,
    Sample,
    Score,
    StageRecord,
    Variant,
    VariantKey,
)

R = TypeVar("R", bound=StageRecord)


class ReadsRecords(Protocol):
    """A source of a run's records (``harness.pipeline.store.Run`` is one)."""

    def read(self, kind: type[R], /) -> Iterable[R]:
        """Read all records of a kind."""
        ...


@dataclass
class JudgedAnswer:
    """One subject's answers to one variant, and their scores.

    Attributes:
        texts: The answers, one a repeat; None where there is none.
        problems: Why there is none.
        truncated: One of them was cut at the token limit.
        scores: The judgements of them.
    """

    texts: list[str | None] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    truncated: bool = False
    scores: list[Score] = field(default_factory=list)

    def value(self, scale: MeasureScale) -> float | None:
        """Average one measure over repeats; return None where a part of it was not scored."""
        means = []
        for name in scale.mean_of or [scale.dimension]:
            values = [
                score.value
                for score in self.scores
                if (score.judge, score.dimension) == (scale.judge, name) and score.value is not None
            ]
            if not values:
                return None
            means.append(sum(values) / len(values))
        return sum(means) / len(means)


@dataclass
class AnsweredVariant:
    """A variant and the answers to it, by subject."""

    variant: Variant
    answers: dict[str, JudgedAnswer]


@dataclass
class SampleView:
    """A sample with its original, its variants, and those that could not be made."""

    sample: Sample
    variants: list[AnsweredVariant]
    not_made: list[Variant]

    @property
    def original(self) -> AnsweredVariant | None:
        """Return the prompt as it was asked unchanged, with its answers."""
        return next((v for v in self.variants if v.variant.perturbation == ORIGINAL), None)


def join(run: ReadsRecords, subjects: Sequence[str]) -> list[SampleView]:
    """Join a run's records; answers and scores of unknown variants or subjects are skipped."""
    views = {s.id: SampleView(s, [], []) for s in run.read(Sample)}
    answers: dict[VariantKey, dict[str, JudgedAnswer]] = {}
    for variant in run.read(Variant):
        view = views.get(variant.sample_id)
        if view is None:
            continue
        if variant.status != "valid":
            view.not_made.append(variant)
            continue
        by_subject = {name: JudgedAnswer() for name in subjects}
        answers[variant.variant_key] = by_subject
        view.variants.append(AnsweredVariant(variant, by_subject))
    for generation in run.read(Generation):
        answer = answers.get(generation.variant_key, {}).get(generation.subject)
        if answer is not None:
            _take(answer, generation)
    for score in run.read(Score):
        answer = answers.get(score.variant_key, {}).get(score.subject)
        if answer is not None:
            answer.scores.append(score)
    return list(views.values())


def _take(answer: JudgedAnswer, generation: Generation) -> None:
    completion = generation.completion
    answer.texts.append(completion.text)
    answer.truncated |= completion.finish_reason == "length"
    if completion.error is not None:
        answer.problems.append(f"{completion.error.kind}: {completion.error.message}")


@dataclass(frozen=True)
class AnswerDrop:
    """How much worse one answer is than the same subject's answer to the original.

    Attributes:
        view: The sample.
        answered: The variant.
        subject: The subject.
        before: Score of the answer to the original.
        after: Score of the answer to the variant.
        drop: The difference, positive where the variant's is worse.
    """

    view: SampleView
    answered: AnsweredVariant
    subject: str
    before: float
    after: float
    drop: float


def drops(views: Iterable[SampleView], scale: MeasureScale) -> Iterator[AnswerDrop]:
    """Yield every scored answer to a variant beside the answer to the original."""
    sign = -1.0 if scale.higher_is_better is False else 1.0
    for view in views:
        original = view.original
        if original is None:
            continue
        for answered in view.variants:
            if answered is original:
                continue
            for subject, answer in answered.answers.items():
                before = original.answers[subject].value(scale)
                after = answer.value(scale)
                if before is not None and after is not None:
                    drop = sign * (before - after)
                    yield AnswerDrop(view, answered, subject, before, after, drop)
