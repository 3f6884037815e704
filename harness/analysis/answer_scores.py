"""The single judgements of answers, which the table averages away: for components of variance."""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.analysis.estimates import Measure
from harness.analysis.table import Mask, Table
from harness.records import IDENTITY, ORIGINAL, Score, VariantKey
from harness.stats.closed_forms import Floats
from harness.stats.variance_components import NestedValues, PooledVariance, pooled_variance

Ints = NDArray[np.int64]

_MOST = 1 << 10
"""More answers to a variant, or judgements of an answer, than any run has."""


class AnswerDifferences(NamedTuple):
    """One subject less another, answer by answer.

    Attributes:
        nested: The differences with prompt, kind, variant; ``identity`` answers are repeats of the
            original.
        row: Row of the table of each difference.
        judging: Variance of a difference from judging the same two answers again.
        judgements: Judgements of an answer, mean.
    """

    nested: NestedValues
    row: Ints
    judging: PooledVariance
    judgements: float


class AnswerScores:
    """Collects judgements as they stream by, in a few bytes each."""

    def __init__(self) -> None:
        self._keys: dict[VariantKey, int] = {}
        self._subjects: dict[str, int] = {}
        self._ids: defaultdict[Measure, array[int]] = defaultdict(lambda: array("q"))
        self._values: defaultdict[Measure, array[float]] = defaultdict(lambda: array("d"))

    def collected(self, scores: Iterable[Score]) -> Iterator[Score]:
        """Yield every score on, having kept its value."""
        for score in scores:
            if score.value is not None and score.status == "scored" and score.comparison is None:
                measure = Measure(score.judge, score.dimension)
                key = self._keys.setdefault(score.variant_key, len(self._keys))
                subject = self._subjects.setdefault(score.subject, len(self._subjects))
                number = ((subject << 32 | key) * _MOST + score.repeat) * _MOST
                self._ids[measure].append(number + score.judge_repeat)
                self._values[measure].append(score.value)
            yield score

    def differences(
        self, table: Table, measure: Measure, subjects: tuple[str, str], prompts: Mask
    ) -> AnswerDifferences | None:
        """Return one subject less another, on the answers that both gave; None without any.

        Answers are paired by their number: which of several goes with which is chance.
        """
        one, two = (self._answers(table, measure, subject) for subject in subjects)
        shared, at_one, at_two = np.intersect1d(one.answer, two.answer, return_indices=True)
        rows_of = np.full(len(self._keys), -1, dtype=np.int64)
        for key, number in self._keys.items():
            rows_of[number] = table.row_of.get(key, -1)
        row = rows_of[shared // _MOST]
        inside = (row >= 0) & prompts[table.cluster[row]]
        if not inside.any():
            return None
        row = row[inside]
        value = (one.mean[at_one] - two.mean[at_two])[inside]
        same = np.isin(table.kind[row], (ORIGINAL, IDENTITY))
        kinds, kind = np.unique(np.where(same, ORIGINAL, table.kind[row]), return_inverse=True)
        # Severities are fixed, like kinds: their mean is not a variance.
        labels = np.char.add(np.char.add(kinds[kind], "/"), np.where(same, "", table.severity[row]))
        fixed = np.unique(labels, return_inverse=True)[1]
        value = value - (np.bincount(fixed, weights=value) / np.bincount(fixed))[fixed]
        used, prompt = np.unique(table.cluster[row], return_inverse=True)
        nested = NestedValues(
            value=value,
            prompt=prompt,
            kind=kind,
            variant=np.where(same, len(table.kind) + table.cluster[row], row),
            cluster=table.families[used],
        )
        judging = [answers.judging for answers in (one, two)]
        parts = [pooled.variance for pooled in judging if pooled.variance is not None]
        return AnswerDifferences(
            nested,
            row,
            PooledVariance(sum(parts), min(pooled.freedom for pooled in judging))
            if len(parts) == len(judging)
            else PooledVariance(None, 0),
            float(np.mean([answers.judgements for answers in (one, two)])),
        )

    def _answers(self, table: Table, measure: Measure, subject: str) -> _Answers:
        """Return a subject's answers with their mean over judgements."""
        parts = table.parts.get(measure, [measure])
        sides = []
        for part in parts:
            ids = np.array(self._ids[part], dtype=np.int64)
            values = np.array(self._values[part], dtype=np.float64)
            by_subject = ids // _MOST // _MOST >> 32 == self._subjects.get(subject, -1)
            chosen, order = np.unique(ids[by_subject], return_index=True)
            sides.append((chosen, values[by_subject][order]))
        shared = sides[0][0]
        for ids, _ in sides[1:]:
            shared = np.intersect1d(shared, ids)
        value = np.mean([v[np.searchsorted(ids, shared)] for ids, v in sides], axis=0)
        answer, place = np.unique(shared // _MOST & (1 << 42) - 1, return_inverse=True)
        counts = np.bincount(place, minlength=len(answer))
        mean = np.bincount(place, weights=value, minlength=len(answer)) / np.maximum(counts, 1)
        return _Answers(
            answer,
            mean,
            pooled_variance(value, place),
            float(counts.mean()) if len(counts) else 1.0,
        )


class _Answers(NamedTuple):
    answer: Ints
    mean: Floats
    judging: PooledVariance
    judgements: float
