"""Calibration against pairwise preferences."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.errors import DataError
from harness.judging.calibration_grading import BIAS, FLIP, LabelGrading
from harness.judging.calibration_records import Preference
from harness.judging.labels import Labels
from harness.stats.agreement import Coefficient, accuracy, estimate, weighted_kappa

THREE = (0, 1, 2)
"""Preferences doubled: b, a tie, a."""


def preferences(grading: LabelGrading) -> list[Preference]:
    """Measure the agreement of every dimension that says which of two answers is better.

    Raises:
        DataError: Too few pairs were decided, or the judge cannot prefer anything.
    """
    labels = grading.labels
    compares = [
        dimension.name
        for dimension in grading.dimensions
        if "opponent" in dimension.needs and dimension.name not in (FLIP, BIAS)
    ]
    if compares:
        pairs = [i.judge_item(i.first.answer_a or "", i.first.answer_b) for i in labels.items]
        values = grading.scores(pairs, compares)
    else:
        values = _differences(grading)
    if not values:
        raise DataError(
            f"{labels.source} holds preferences, and the judge has no dimension of which one end is"
            " better"
        )
    return [_preference(name, by_pair, grading) for name, by_pair in values.items()]


def _preference(name: str, values: Mapping[int, float], grading: LabelGrading) -> Preference:
    labels = grading.labels
    origin = labels.origin()
    preferred = {
        index: item.preference()
        for index, whole in enumerate(labels.items)
        if (item := whole.of(origin.basis)) is not None
    }
    indices = sorted(values.keys() & preferred.keys())
    grading.require(len(indices), f"the judge decided {{}} of the labelled pairs on {name!r}")
    judged = [2 * values[index] for index in indices]
    people = [2 * preferred[index] for index in indices]
    questions = [labels.items[index].first.question for index in indices]
    return Preference(
        dimension=name,
        items=len(indices),
        **origin._asdict(),
        measured_on=labels.described([labels.items[index] for index in indices]),
        accuracy=estimate(lambda a, b: accuracy(a, b, THREE), judged, people, questions),
        kappa=estimate(lambda a, b: weighted_kappa(a, b, THREE), judged, people, questions),
        swap_consistency=_consistency(grading.flips, labels),
    )


def _differences(grading: LabelGrading) -> dict[str, dict[int, float]]:
    """Return the preferences of a judge that scores answers one by one, from its two scores."""
    items = [
        item.judge_item(answer or "")
        for item in grading.labels.items
        for answer in (item.first.answer_a, item.first.answer_b)
    ]
    # Where neither end of a scale is better, it says nothing about a preference.
    signs = {
        dimension.name: 1 if dimension.higher_is_better else -1
        for dimension in grading.dimensions
        if dimension.higher_is_better is not None
    }
    return {
        name: {
            pair: (1 + float(np.sign(signs[name] * (scores[2 * pair] - scores[2 * pair + 1])))) / 2
            for pair in range(len(grading.labels.items))
            if 2 * pair in scores and 2 * pair + 1 in scores
        }
        for name, scores in grading.scores(items, list(signs)).items()
    }


def _consistency(flips: Mapping[int, float], labels: Labels) -> Coefficient | None:
    if not flips:
        return None
    same = [1 - flip for _, flip in sorted(flips.items())]
    clusters = [labels.items[index].first.question for index in sorted(flips)]
    return estimate(lambda a, _: float(a.mean()), same, same, clusters)
