"""How the judgements of a calibration ended."""

from __future__ import annotations

from collections import Counter

from harness.records import Judgement


class Tally:
    """Counts judgements by outcome, and why those without a score have none."""

    def __init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self._reasons: Counter[str] = Counter()

    def score(self, judgement: Judgement) -> float | None:
        """The judgement's value, having counted it; None where it has none."""
        self.outcomes[judgement.status] += 1
        if judgement.status == "scored" and judgement.value is not None:
            return judgement.value
        self._reasons[judgement.reason or "no reason given"] += 1
        return None

    @property
    def said(self) -> str:
        """``3 scored, 37 unparsed; most often: no valid verdict in the answer``."""
        counts = ", ".join(f"{count} {status}" for status, count in self.outcomes.items())
        if not self._reasons:
            return counts or "it gave no verdict at all"
        return f"{counts}; most often: {self._reasons.most_common(1)[0][0]}"
