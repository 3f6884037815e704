"""Have a judge grade labelled items, and count how its judgements ended."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from harness.errors import DataError
from harness.judging.labels import MIN_ITEMS, Labels
from harness.records import Dimension, JudgeItem, Judgement

Grade = Callable[[Sequence[JudgeItem]], Iterator[Judgement]]

FLIP, BIAS = "position_flip", "position_bias"
"""What a judge that compares says of itself: nothing that people could confirm."""


class LabelGrading:
    """Grades labelled items with one judge, or with what does it in the judge's stead.

    Attributes:
        outcomes: Judgements by status.
        flips: By item, whether a judge that compares changed its mind with the order of answers.
    """

    def __init__(self, dimensions: Sequence[Dimension], grade: Grade, labels: Labels) -> None:
        self.dimensions = dimensions
        self.labels = labels
        self.outcomes: Counter[str] = Counter()
        self.flips: dict[int, float] = {}
        self._grade = grade
        self._reasons: Counter[str] = Counter()

    def scores(
        self, items: Sequence[JudgeItem], names: Sequence[str]
    ) -> dict[str, dict[int, float]]:
        """Grade the items and return the values of these dimensions, by name and index."""
        scores: dict[str, dict[int, float]] = {name: {} for name in names}
        for judgement in self._grade(items):
            if judgement.dimension in scores:
                self.outcomes[judgement.status] += 1
                if judgement.status == "scored" and judgement.value is not None:
                    scores[judgement.dimension][judgement.item] = judgement.value
                else:
                    self._reasons[judgement.reason or "no reason given"] += 1
            elif judgement.dimension == FLIP and judgement.value is not None:
                self.flips[judgement.item] = judgement.value
        return scores

    def require(self, count: int, what: str) -> None:
        """Refuse fewer items than ``MIN_ITEMS``; ``what`` has ``{}`` in place of their number.

        Raises:
            DataError: They are too few.
        """
        if count < MIN_ITEMS:
            raise DataError(
                f"{self.labels.source}: {what.format(count)}; at least {MIN_ITEMS} are needed"
                f" ({self._ended})"
            )

    @property
    def _ended(self) -> str:
        counts = ", ".join(f"{count} {status}" for status, count in self.outcomes.items())
        if not self._reasons:
            return counts or "it gave no verdict at all"
        return f"{counts}; most often: {self._reasons.most_common(1)[0][0]}"
