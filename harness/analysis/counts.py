"""What is counted, not estimated: failures by stage and reason, answers, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from harness.analysis.test_family import number
from harness.records import IDENTITY, ORIGINAL, Generation, Score, Variant

EXAMPLES = 3


class FailureCount:
    """Failures grouped by where and why, each with a few examples of its message and its keys."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[str, ...]] = Counter()
        self._messages: dict[tuple[str, ...], list[str]] = {}
        self._samples: dict[tuple[str, ...], list[str]] = {}

    def add(self, group: tuple[str, ...], message: str | None, sample: str) -> None:
        """Count one failure of ``group`` = (stage, kind, subject, judge, dimension, perturbation)."""
        self._counts[group] += 1
        messages = self._messages.setdefault(group, [])
        text = (message or "").strip()[:300]
        if text and text not in messages and len(messages) < EXAMPLES:
            messages.append(text)
        samples = self._samples.setdefault(group, [])
        if sample not in samples and len(samples) < EXAMPLES:
            samples.append(sample)

    def rows(self) -> list[dict[str, Any]]:
        """One row a group: stages in their order, the most frequent first."""
        order = {"variants": 0, "generations": 1, "scores": 2}
        ranked = sorted(self._counts.items(), key=lambda x: (order[x[0][0]], -x[1], x[0]))
        names = ("stage", "kind", "subject", "judge", "dimension", "perturbation")
        return [
            {name: part or None for name, part in zip(names, group, strict=True)}
            | {
                "count": count,
                "messages": self._messages[group],
                "samples": self._samples[group],
            }
            for group, count in ranked
        ]


def count_variants(variants: Sequence[Variant], failures: FailureCount) -> list[dict[str, Any]]:
    """Variants made and not made, a row a kind; what was not made goes to ``failures``."""
    kinds: dict[str, Counter[str]] = {}
    prompts: dict[str, set[str]] = {}
    for variant in variants:
        count = kinds.setdefault(variant.perturbation, Counter())
        count[variant.status] += 1
        if variant.status == "valid":
            prompts.setdefault(variant.perturbation, set()).add(variant.sample_id)
            count["filler"] += variant.filler
            count[f"severity {variant.severity}"] += 1
        else:
            group = ("variants", variant.status, "", "", "", variant.perturbation)
            failures.add(group, variant.reason, variant.sample_id)
    rows = [
        {
            "name": kind,
            "prompts": len(prompts.get(kind, ())),
            "valid": count["valid"],
            "filler": count["filler"],
            "not_made": sum(count[s] for s in ("unchanged", "inapplicable", "rejected")),
            "severities": {
                key.removeprefix("severity "): n
                for key, n in sorted(count.items())
                if key.startswith("severity ")
            },
        }
        for kind, count in kinds.items()
    ]
    place = {ORIGINAL: -1, IDENTITY: 1}
    return sorted(rows, key=lambda row: place.get(row["name"], 0))


def count_generations(
    generations: Iterable[Generation], subjects: Sequence[str], failures: FailureCount
) -> list[dict[str, Any]]:
    """Answers of each subject; failed ones go to ``failures``.

    ``identical_when_repeated`` is the share of prompts asked again unchanged (kind ``identity``)
    whose answer came back letter for letter; None where none was.
    """
    counts: dict[str, Counter[str]] = {name: Counter() for name in subjects}
    seconds = dict.fromkeys(subjects, 0.0)
    originals: dict[tuple[str, str, int], str] = {}
    repeated: list[tuple[tuple[str, str, int], str]] = []
    for generation in generations:
        if generation.subject not in counts:
            continue
        completion, count = generation.completion, counts[generation.subject]
        count["answers"] += 1
        seconds[generation.subject] += completion.seconds or 0.0
        if completion.text is None:
            kind = completion.error.kind if completion.error else "unknown"
            message = completion.error.message if completion.error else None
            group = ("generations", kind, generation.subject, "", "", generation.perturbation)
            failures.add(group, message, generation.sample_id)
            count["failed"] += 1
            continue
        count["truncated"] += completion.finish_reason == "length"
        count["empty"] += not completion.text.strip()
        count["tokens"] += completion.completion_tokens or 0
        key = (generation.subject, generation.sample_id, generation.repeat)
        if generation.perturbation == ORIGINAL:
            originals[key] = completion.text
        elif generation.perturbation == IDENTITY:
            repeated.append((key, completion.text))
    same = Counter(key[0] for key, text in repeated if originals.get(key) == text)
    asked = Counter(key[0] for key, _ in repeated if key in originals)
    return [
        {
            "subject": name,
            **{k: count[k] for k in ("answers", "failed", "empty", "truncated")},
            "mean_tokens": number(count["tokens"] / done) if done else None,
            "seconds": number(seconds[name]),
            "repeated": asked[name],
            "identical_when_repeated": number(same[name] / asked[name]) if asked[name] else None,
        }
        for name, count in counts.items()
        for done in [count["answers"] - count["failed"]]
    ]


class JudgementCount:
    """Counts judgements as they stream by: status and version of each judge."""

    def __init__(self, failures: FailureCount) -> None:
        self._failures = failures
        self._counts: dict[str, Counter[str]] = {}
        self._versions: dict[str, set[str]] = {}

    def passing(self, scores: Iterable[Score]) -> Iterator[Score]:
        """Yield every score on, having counted it."""
        for score in scores:
            count = self._counts.setdefault(score.judge, Counter())
            count[score.status] += 1
            self._versions.setdefault(score.judge, set()).add(score.version)
            if score.status != "scored":
                where = (score.subject, score.judge, score.dimension, score.perturbation)
                group = ("scores", score.status, *where)
                self._failures.add(group, score.reason, score.sample_id)
            yield score

    def of(self, judge: str) -> dict[str, Any]:
        """Counts and versions of one judge.

        ``cost`` is not to be had from scores, which are replaced and dropped: the runner fills it
        in from the run's ledger.
        """
        count = self._counts.get(judge, Counter())
        return {
            "versions": sorted(self._versions.get(judge, ())),
            "judgements": sum(count.values()),
            **{status: count[status] for status in ("scored", "unparsed", "refused", "error")},
            "cost": None,
        }
