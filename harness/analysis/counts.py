"""What is counted, not estimated: failures by stage and reason, variants and answers."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Literal, NamedTuple, get_args

from harness.analysis.summary_schema import AnswerCount, FailureGroup, KindCount
from harness.analysis.test_family import number
from harness.records import IDENTITY, ORIGINAL, Generation, Variant

EXAMPLES = 3
MESSAGE_CHARACTERS = 300

FailedStage = Literal["variants", "generations", "scores"]
_STAGES: tuple[FailedStage, ...] = get_args(FailedStage)


class FailureKey(NamedTuple):
    """What failures have in common that are counted together; empty where it does not apply."""

    stage: FailedStage
    kind: str
    subject: str = ""
    judge: str = ""
    dimension: str = ""
    perturbation: str = ""


class FailureCount:
    """Failures grouped by where and why, each with a few examples of its message and its keys."""

    def __init__(self) -> None:
        self._counts: Counter[FailureKey] = Counter()
        self._messages: defaultdict[FailureKey, list[str]] = defaultdict(list)
        self._samples: defaultdict[FailureKey, list[str]] = defaultdict(list)

    def add(self, group: FailureKey, message: str | None, sample: str) -> None:
        """Count one failure."""
        self._counts[group] += 1
        text = (message or "").strip()[:MESSAGE_CHARACTERS]
        for examples, one in ((self._messages[group], text), (self._samples[group], sample)):
            if one and one not in examples and len(examples) < EXAMPLES:
                examples.append(one)

    def rows(self) -> tuple[FailureGroup, ...]:
        """Return one row a group: stages in their order, the most frequent first."""
        ranked = sorted(
            self._counts.items(), key=lambda x: (_STAGES.index(x[0].stage), -x[1], x[0])
        )
        return tuple(self._row(group, count) for group, count in ranked)

    def _row(self, group: FailureKey, count: int) -> FailureGroup:
        place: dict[str, Any] = {name: text or None for name, text in group._asdict().items()}
        messages, samples = tuple(self._messages[group]), tuple(self._samples[group])
        return FailureGroup(**place, count=count, messages=messages, samples=samples)


def count_variants(variants: Sequence[Variant], failures: FailureCount) -> tuple[KindCount, ...]:
    """Count variants made and not made, a row a kind; what was not made goes to ``failures``."""
    by_kind: defaultdict[str, list[Variant]] = defaultdict(list)
    for variant in variants:
        by_kind[variant.perturbation].append(variant)
        if variant.status != "valid":
            danger = (variant.reason or "").startswith("danger:")
            outcome = "danger" if danger else variant.status
            group = FailureKey("variants", outcome, perturbation=variant.perturbation)
            failures.add(group, variant.reason, variant.sample_id)
    rows = [_kind_count(kind, of_kind) for kind, of_kind in by_kind.items()]
    place = {ORIGINAL: -1, IDENTITY: 1}
    return tuple(sorted(rows, key=lambda row: place.get(row.name, 0)))


def _kind_count(kind: str, variants: Sequence[Variant]) -> KindCount:
    valid = [variant for variant in variants if variant.status == "valid"]
    return KindCount(
        name=kind,
        prompts=len({variant.sample_id for variant in valid}),
        valid=len(valid),
        filler=sum(variant.filler for variant in valid),
        not_made=len(variants) - len(valid),
        severities=dict(sorted(Counter(variant.severity for variant in valid).items())),
    )


def count_generations(
    generations: Iterable[Generation], subjects: Sequence[str], failures: FailureCount
) -> tuple[AnswerCount, ...]:
    """Count the answers of each subject; failed ones go to ``failures``."""
    tallies = {name: _AnswerTally(name) for name in subjects}
    for generation in generations:
        if generation.subject not in tallies:
            continue
        tallies[generation.subject].add(generation)
        completion = generation.completion
        if completion.text is None:
            error = completion.error
            group = FailureKey(
                "generations",
                error.kind if error else "unknown",
                subject=generation.subject,
                perturbation=generation.perturbation,
            )
            failures.add(group, error.message if error else None, generation.sample_id)
    return tuple(tally.row() for tally in tallies.values())


class _AnswerTally:
    """Counts the answers of one subject."""

    def __init__(self, subject: str) -> None:
        self._subject = subject
        self._counts: Counter[str] = Counter()
        self._seconds = 0.0
        self._originals: dict[tuple[str, int], str] = {}
        self._repeated: list[tuple[tuple[str, int], str]] = []

    def add(self, generation: Generation) -> None:
        completion, counts = generation.completion, self._counts
        counts["answers"] += 1
        self._seconds += completion.seconds or 0.0
        if completion.text is None:
            counts["failed"] += 1
            return
        counts["truncated"] += completion.finish_reason == "length"
        counts["empty"] += not completion.text.strip()
        counts["tokens"] += completion.completion_tokens or 0
        prompt = (generation.sample_id, generation.repeat)
        if generation.perturbation == ORIGINAL:
            self._originals[prompt] = completion.text
        elif generation.perturbation == IDENTITY:
            self._repeated.append((prompt, completion.text))

    def row(self) -> AnswerCount:
        counts = self._counts
        done = counts["answers"] - counts["failed"]
        # An original may come after its repetition.
        same = [
            self._originals[prompt] == text
            for prompt, text in self._repeated
            if prompt in self._originals
        ]
        return AnswerCount(
            subject=self._subject,
            **{name: counts[name] for name in ("answers", "failed", "empty", "truncated")},
            mean_tokens=number(counts["tokens"] / done) if done else None,
            seconds=number(self._seconds),
            repeated=len(same),
            identical_when_repeated=number(sum(same) / len(same)) if same else None,
        )
