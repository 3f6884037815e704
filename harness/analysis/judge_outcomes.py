"""What the judges did beside what they scored: outcomes, their own noise, how far panels agree."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, get_args

import numpy as np

from harness.analysis.counts import FailureCount, FailureKey
from harness.analysis.summary_schema import JudgeNoise, JudgeSummary, OutcomeCount, PanelAgreement
from harness.analysis.test_family import number
from harness.judging.derived import SPREAD, panel_agreement, panel_values
from harness.judging.traits import JudgeInfo
from harness.records import Score, ScoreStatus, VariantKey

COMPLETE = 0.90
"""A mean over a smaller share of its items is marked."""

_Answer = tuple[str, VariantKey, int]
_KeyT = TypeVar("_KeyT")
_CountT = TypeVar("_CountT")
_ByDimension = defaultdict[str, defaultdict[_KeyT, _CountT]]


class JudgementCount:
    """Watches judgements as they stream by.

    Args:
        judges: The judges of the run.
        failures: Where judgements without a score are counted.
    """

    def __init__(self, judges: Sequence[JudgeInfo], failures: FailureCount) -> None:
        self._failures = failures
        self._tallies = {judge.label: _JudgeTally(judge) for judge in judges}

    def counted(self, scores: Iterable[Score]) -> Iterator[Score]:
        """Yield every score on, having counted it."""
        for score in scores:
            if score.judge in self._tallies:
                self._tallies[score.judge].add(score)
            if score.status != "scored":
                place = (score.subject, score.judge, score.dimension, score.perturbation)
                group = FailureKey("scores", score.status, *place)
                self._failures.add(group, score.reason, score.sample_id)
            yield score

    def rows(self) -> dict[str, JudgeSummary]:
        """Return one row a judge, by label.

        What a judge used cannot be read off scores, which are replaced and dropped; ``cost`` and
        ``structured`` are for the pipeline to fill in.
        """
        return {label: tally.row() for label, tally in self._tallies.items()}


class _JudgeTally:
    """Counts the judgements of one judge."""

    def __init__(self, judge: JudgeInfo) -> None:
        self._judge = judge
        self._outcomes: _ByDimension[str, Counter[str]] = defaultdict(lambda: defaultdict(Counter))
        self._values: _ByDimension[_Answer, list[float]] = defaultdict(lambda: defaultdict(list))
        self._members: defaultdict[str, list[dict[str, float | None]]] = defaultdict(list)
        self._versions: set[str] = set()

    def add(self, score: Score) -> None:
        dimension = score.dimension
        self._versions.add(score.version)
        self._outcomes[dimension][score.subject][score.status] += 1
        if self._judge.repeats > 1 and score.value is not None:
            answer = (score.subject, score.variant_key, score.repeat)
            self._values[dimension][answer].append(score.value)
        if self._judge.panel and score.raw and not dimension.endswith(SPREAD):
            self._members[dimension].append(panel_values(score.raw))

    def row(self) -> JudgeSummary:
        judge = self._judge
        outcomes = tuple(_outcome(*item) for item in self._outcomes.items())
        counts = (one for by_subject in self._outcomes.values() for one in by_subject.values())
        total = sum(counts, Counter[str]())
        return JudgeSummary(
            llm=judge.llm,
            dimensions=tuple(judge.dimensions),
            learned=judge.learned,
            repeats=judge.repeats,
            versions=tuple(sorted(self._versions)),
            judgements=total.total(),
            **_by_status(total),
            outcomes=outcomes,
            noise=tuple(_noise(*item) for item in self._values.items())
            if judge.repeats > 1
            else None,
            agreement=tuple(
                PanelAgreement(
                    dimension=name, answers=len(answers), alpha=number(panel_agreement(answers))
                )
                for name, answers in self._members.items()
            )
            if judge.panel
            else None,
            calibration=judge.calibration,
        )


def _by_status(counts: Counter[str]) -> dict[str, Any]:
    return {status: counts[status] for status in get_args(ScoreStatus)}


def _outcome(dimension: str, subjects: Mapping[str, Counter[str]]) -> OutcomeCount:
    count = sum(subjects.values(), Counter[str]())
    shares = {name: of["scored"] / of.total() for name, of in subjects.items()}
    return OutcomeCount(
        dimension=dimension,
        **_by_status(count),
        share=number(count["scored"] / count.total()) or 0.0,
        shares={name: number(share) or 0.0 for name, share in shares.items()},
        incomplete=min(shares.values()) < COMPLETE,
    )


def _noise(dimension: str, values: Mapping[_Answer, list[float]]) -> JudgeNoise:
    """Measure how far the same judge is from itself on the very same answer.

    ``sd`` pools the variances within answers (n - 1 in each); ``identical`` is the share of answers
    that got one and the same value every time.
    """
    repeated = [np.asarray(of_answer) for of_answer in values.values() if len(of_answer) > 1]
    freedom = sum(len(of_answer) - 1 for of_answer in repeated)
    squares = sum(float(((x - x.mean()) ** 2).sum()) for x in repeated)
    same = sum(bool(np.ptp(of_answer) == 0) for of_answer in repeated)
    return JudgeNoise(
        dimension=dimension,
        answers=len(repeated),
        sd=number((squares / freedom) ** 0.5) if freedom else None,
        identical=number(same / len(repeated)) if repeated else None,
    )
