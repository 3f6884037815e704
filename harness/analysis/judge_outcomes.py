"""What the judges did beside what they scored: outcomes, their own noise, how far panels agree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from harness.analysis.test_family import number
from harness.judging.derived import SPREAD, panel_agreement
from harness.records import Score, VariantKey

OUTCOMES = ("scored", "unparsed", "refused", "error")
COMPLETE = 0.90
"""A mean over a smaller share of its items is marked."""

_Asked = tuple[str, VariantKey, int]


class JudgingCount:
    """Watches judgements as they stream by.

    Args:
        repeated: Judges that graded every answer more than once.
        panels: Judges that are panels.
    """

    def __init__(self, repeated: Collection[str], panels: Collection[str]) -> None:
        self._repeated, self._panels = frozenset(repeated), frozenset(panels)
        self._outcomes: dict[str, dict[str, dict[str, Counter[str]]]] = {}
        self._values: dict[str, dict[str, dict[_Asked, list[float]]]] = {}
        self._raws: dict[str, dict[str, list[str]]] = {}

    def passing(self, scores: Iterable[Score]) -> Iterator[Score]:
        """Yield every score on, having counted it."""
        for score in scores:
            judge, dimension = score.judge, score.dimension
            of_subjects = self._outcomes.setdefault(judge, {}).setdefault(dimension, {})
            of_subjects.setdefault(score.subject, Counter())[score.status] += 1
            if judge in self._repeated and score.value is not None:
                asked = (score.subject, score.variant_key, score.repeat)
                of_dimension = self._values.setdefault(judge, {}).setdefault(dimension, {})
                of_dimension.setdefault(asked, []).append(score.value)
            if judge in self._panels and score.raw and not dimension.endswith(SPREAD):
                self._raws.setdefault(judge, {}).setdefault(dimension, []).append(score.raw)
            yield score

    def of(self, judge: str) -> dict[str, Any]:
        """``outcomes[]``, ``noise[]`` and ``agreement[]`` of one judge, a row a dimension.

        An outcome's ``share`` is how much of the dimension was scored, ``shares`` how much of each
        subject's; ``incomplete`` marks one where a subject is under ``COMPLETE``: its mean leaves
        out what another's holds, however full the two are together. ``noise`` is None for a judge that was asked once, ``agreement`` for one
        that is no panel.
        """
        return {
            "outcomes": [_outcome(*item) for item in self._outcomes.get(judge, {}).items()],
            "noise": [_noise(*item) for item in self._values.get(judge, {}).items()]
            if judge in self._repeated
            else None,
            "agreement": [
                {"dimension": name, "answers": len(raws), "alpha": number(panel_agreement(raws))}
                for name, raws in self._raws.get(judge, {}).items()
            ]
            if judge in self._panels
            else None,
        }


def _outcome(dimension: str, subjects: Mapping[str, Counter[str]]) -> dict[str, Any]:
    count = sum(subjects.values(), Counter[str]())
    shares = {name: of["scored"] / sum(of.values()) for name, of in subjects.items()}
    return {
        "dimension": dimension,
        **{name: count[name] for name in OUTCOMES},
        "share": number(count["scored"] / sum(count.values())),
        "shares": {name: number(share) for name, share in shares.items()},
        "incomplete": min(shares.values()) < COMPLETE,
    }


def _noise(dimension: str, values: Mapping[_Asked, list[float]]) -> dict[str, Any]:
    """How far the same judge is from itself on the very same answer.

    ``sd`` pools the variances within answers (n - 1 in each); ``identical`` is the share of answers
    that got one and the same value every time.
    """
    again = [np.asarray(found) for found in values.values() if len(found) > 1]
    freedom = sum(len(found) - 1 for found in again)
    squares = sum(float(((found - found.mean()) ** 2).sum()) for found in again)
    return {
        "dimension": dimension,
        "answers": len(again),
        "sd": number((squares / freedom) ** 0.5) if freedom else None,
        "identical": number(sum(bool(np.ptp(found) == 0) for found in again) / len(again))
        if again
        else None,
    }
