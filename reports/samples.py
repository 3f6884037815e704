"""A run's records joined for looking at: prompt, variants, answers and judgements together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from harness.analysis import Summary
from harness.records import (
    ORIGINAL,
    Generation,
    Manifest,
    Sample,
    Score,
    StageRecord,
    Variant,
    VariantKey,
)

R = TypeVar("R", bound=StageRecord)


class RunFiles(Protocol):
    """What a report needs of a run (``harness.pipeline.store.Run`` has it)."""

    def manifest(self) -> Manifest:
        """What the run was made from."""
        ...

    def read(self, kind: type[R], /) -> Iterable[R]:
        """All records of a kind."""
        ...

    def summary(self) -> Summary:
        """Every figure of the report."""
        ...


@dataclass
class Answer:
    """One subject's answers to one variant, and what the judges said."""

    texts: list[str | None] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    truncated: bool = False
    scores: list[Score] = field(default_factory=list)

    def value(self, measure: Mapping[str, Any]) -> float | None:
        """Mean over repeats of one measure; None where it, or a part of it, was not scored."""
        names = measure["mean_of"] or [measure["dimension"]]
        means = []
        for name in names:
            found = [
                s.value
                for s in self.scores
                if (s.judge, s.dimension) == (measure["judge"], name) and s.value is not None
            ]
            if not found:
                return None
            means.append(sum(found) / len(found))
        return sum(means) / len(means)


@dataclass
class Shown:
    """A variant and the answers to it, by subject."""

    variant: Variant
    answers: dict[str, Answer]


@dataclass
class SampleView:
    """A sample with its original, its variants, and those that could not be made."""

    sample: Sample
    variants: list[Shown]
    not_made: list[Variant]

    @property
    def original(self) -> Shown | None:
        """The sample as it was asked unchanged."""
        return next((v for v in self.variants if v.variant.perturbation == ORIGINAL), None)


def join(run: RunFiles, subjects: Sequence[str]) -> list[SampleView]:
    """Join a run's records; answers and scores of unknown variants or subjects are passed over."""
    views = {s.id: SampleView(s, [], []) for s in run.read(Sample)}
    answers: dict[VariantKey, dict[str, Answer]] = {}
    for variant in run.read(Variant):
        view = views.get(variant.sample_id)
        if view is None:
            continue
        if variant.status != "valid":
            view.not_made.append(variant)
            continue
        own = answers[variant.variant_key] = {name: Answer() for name in subjects}
        view.variants.append(Shown(variant, own))
    for generation in run.read(Generation):
        answer = answers.get(generation.variant_key, {}).get(generation.subject)
        if answer is not None:
            _take(answer, generation)
    for score in run.read(Score):
        answer = answers.get(score.variant_key, {}).get(score.subject)
        if answer is not None:
            answer.scores.append(score)
    return list(views.values())


def _take(answer: Answer, generation: Generation) -> None:
    completion = generation.completion
    answer.texts.append(completion.text)
    answer.truncated |= completion.finish_reason == "length"
    if completion.error is not None:
        answer.problems.append(f"{completion.error.kind}: {completion.error.message}")


@dataclass(frozen=True)
class Drop:
    """How much worse (positive) one answer is than the same subject's answer to the original."""

    view: SampleView
    shown: Shown
    subject: str
    before: float
    after: float
    drop: float


def drops(views: Iterable[SampleView], measure: Mapping[str, Any]) -> Iterator[Drop]:
    """Every scored answer to a variant beside the answer to the original, on one measure."""
    sign = -1.0 if measure["higher_is_better"] is False else 1.0
    for view in views:
        original = view.original
        if original is None:
            continue
        for shown in view.variants:
            if shown is original:
                continue
            for subject, answer in shown.answers.items():
                before = original.answers[subject].value(measure)
                after = answer.value(measure)
                if before is not None and after is not None:
                    yield Drop(view, shown, subject, before, after, sign * (before - after))
