"""A run's records joined for looking at: prompt, variants, answers and judgements together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from harness.analysis import RunRecords
from harness.analysis.summary_schema import MeasureScale
from harness.records import ORIGINAL, Completion, Sample, Score, Variant, VariantKey


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

    def add(self, completion: Completion) -> None:
        """Add the answer of one repeat."""
        self.texts.append(completion.text)
        self.truncated |= completion.finish_reason == "length"
        if completion.error is not None:
            self.problems.append(f"{completion.error.kind}: {completion.error.message}")

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


def join(records: RunRecords) -> list[SampleView]:
    """Join a run's records; answers and scores of unknown variants or subjects are skipped."""
    views = {sample.id: SampleView(sample, [], []) for sample in records.samples}
    answers: dict[tuple[VariantKey, str], JudgedAnswer] = {}
    for variant in records.variants:
        view = views.get(variant.sample_id)
        if view is None:
            continue
        if variant.status != "valid":
            view.not_made.append(variant)
            continue
        by_subject = {name: JudgedAnswer() for name in records.subjects}
        answers |= {(variant.variant_key, name): answer for name, answer in by_subject.items()}
        view.variants.append(AnsweredVariant(variant, by_subject))
    for generation in records.generations:
        answer = answers.get((generation.variant_key, generation.subject))
        if answer is not None:
            answer.add(generation.completion)
    for score in records.scores:
        answer = answers.get((score.variant_key, score.subject))
        if answer is not None:
            answer.scores.append(score)
    return list(views.values())


@dataclass(frozen=True)
class AnswerDrop:
    """How much worse one answer to a variant is than the same subject's answer to the original.

    ``before`` and ``after`` are their scores; ``drop`` is positive where the variant's is worse.
    """

    view: SampleView
    answered: AnsweredVariant
    subject: str
    before: float
    after: float
    drop: float


def drops(views: Iterable[SampleView], scale: MeasureScale) -> Iterator[AnswerDrop]:
    """Yield every scored answer to a variant beside the answer to the original.

    Nothing where neither end of the scale is better: such a measure knows no drop.
    """
    if scale.higher_is_better is None:
        return
    sign = 1.0 if scale.higher_is_better else -1.0
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
