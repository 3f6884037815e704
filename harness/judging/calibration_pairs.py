"""Calibration against pairwise preferences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from harness.errors import DataError
from harness.judging.calibration_records import Preference
from harness.judging.calibration_tally import Tally
from harness.judging.labels import MIN_ITEMS, Labels
from harness.records import Dimension, JudgeItem, Judgement
from harness.stats.agreement import Coefficient, accuracy, estimate, weighted_kappa

Grade = Callable[[Sequence[JudgeItem]], Iterator[Judgement]]

THREE = (0, 1, 2)
"""Preferences doubled: b, a tie, a."""

FLIP, BIAS = "position_flip", "position_bias"
"""What a judge that compares says of itself: nothing that people could confirm."""


def preferences(
    dimensions: Sequence[Dimension], grade: Grade, labels: Labels, source: str, tally: Tally
) -> list[Preference]:
    """Agreement of every dimension that says which of two answers is better.

    Raises:
        DataError: Too few pairs were decided, or the judge cannot prefer anything.
    """
    compares = [d.name for d in dimensions if "opponent" in d.needs and d.name not in (FLIP, BIAS)]
    flips: dict[int, float] = {}
    if compares:
        values: dict[str, dict[int, float]] = {name: {} for name in compares}
        pairs = [i.judge_item(i.first.answer_a or "", i.first.answer_b) for i in labels.items]
        for judgement in grade(pairs):
            if judgement.dimension == FLIP and judgement.value is not None:
                flips[judgement.item] = judgement.value
            elif judgement.dimension in values and (value := tally.score(judgement)) is not None:
                values[judgement.dimension][judgement.item] = value
    else:
        values = _differences(dimensions, grade, labels, tally)
    if not values:
        raise DataError(
            f"{source} holds preferences, and the judge has no dimension of which one end is better"
        )
    return [_preference(name, of, flips, labels, source, tally) for name, of in values.items()]


def _preference(
    name: str,
    values: Mapping[int, float],
    flips: Mapping[int, float],
    labels: Labels,
    source: str,
    tally: Tally,
) -> Preference:
    origin = labels.origin()
    told = {
        index: item.preference()
        for index, whole in enumerate(labels.items)
        if (item := whole.of(origin.basis)) is not None
    }
    indices = sorted(values.keys() & told.keys())
    if len(indices) < MIN_ITEMS:
        raise DataError(
            f"{source}: the judge decided {len(indices)} of the labelled pairs on {name!r}; at least"
            f" {MIN_ITEMS} are needed ({tally.said})"
        )
    judged = [2 * values[index] for index in indices]
    people = [2 * told[index] for index in indices]
    questions = [labels.items[index].first.question for index in indices]
    return Preference(
        dimension=name,
        items=len(indices),
        **origin._asdict(),
        accuracy=estimate(lambda a, b: accuracy(a, b, THREE), judged, people, questions),
        kappa=estimate(lambda a, b: weighted_kappa(a, b, THREE), judged, people, questions),
        swap_consistency=_consistency(flips, labels),
    )


def _differences(
    dimensions: Sequence[Dimension], grade: Grade, labels: Labels, tally: Tally
) -> dict[str, dict[int, float]]:
    """Preferences of a judge that scores answers one by one: which of the two it scores better."""
    items = [
        item.judge_item(answer or "")
        for item in labels.items
        for answer in (item.first.answer_a, item.first.answer_b)
    ]
    # Where neither end of a scale is better, it says nothing about a preference.
    signs = {
        d.name: 1 if d.higher_is_better else -1
        for d in dimensions
        if d.higher_is_better is not None
    }
    scores: dict[tuple[str, int], float] = {}
    for judgement in grade(items):
        if judgement.dimension in signs and (value := tally.score(judgement)) is not None:
            scores[judgement.dimension, judgement.item] = value * signs[judgement.dimension]
    return {
        name: {
            pair: 0.5 * (1 + float(np.sign(scores[name, 2 * pair] - scores[name, 2 * pair + 1])))
            for pair in range(len(labels.items))
            if (name, 2 * pair) in scores and (name, 2 * pair + 1) in scores
        }
        for name in signs
    }


def _consistency(flips: Mapping[int, float], labels: Labels) -> Coefficient | None:
    if not flips:
        return None
    same = [1 - flips[index] for index in sorted(flips)]
    clusters = [labels.items[index].first.question for index in sorted(flips)]
    return estimate(lambda a, _: float(a.mean()), same, same, clusters)
