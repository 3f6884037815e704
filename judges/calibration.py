"""How far a judge agrees with people's labels: the library half of ``jostle calibrate``.

``calibrate`` measures; ``calibration_records.store`` keeps the result under the judge's version
(which holds rubric, model and settings), and every judge finds its own again.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.errors import DataError
from harness.protocols import Judge
from harness.records import Dimension, Judgement
from judges.agreement import (
    Estimate,
    accuracy,
    alpha,
    estimate,
    kendall,
    rounded,
    spearman,
    weighted_kappa,
)
from judges.calibration_records import Agreement, Calibration, KindMeans, Preference, Step
from judges.labels import LabelledItem, Labels

MIN_ITEMS = 10
OVERALL = "overall"

THREE = (0, 1, 2)
"""Preferences doubled: b, a tie, a."""


def calibrate(
    judge: Judge, labels: Labels, *, name: str, source: str, split: str | None = None
) -> Calibration:
    """Have a judge grade labelled items and measure how far it agrees.

    Pointwise labels are compared dimension by dimension, by name. Preferences are compared with a
    judge that compares, or with the difference of a pointwise judge's scores.

    Args:
        judge: What is checked.
        labels: The items to grade (already cut to the split).
        name: The judge's registered name.
        source: Where the labels come from, for the record.
        split: Which part of the file they are.

    Raises:
        DataError: Judge and labels have nothing in common, or too little could be compared.
    """
    _unseen(judge, labels, source)
    pairwise = labels.items[0].pairwise if labels.items else False
    outcomes: Counter[str] = Counter()
    common: dict[str, Any] = {
        "judge": name,
        "version": judge.version,
        "labels": source,
        "labels_digest": labels.digest,
        "split": split,
        "annotators": tuple(labels.annotators),
        "own": labels.own,
        "items": len(labels.items),
        "label_count": labels.count,
    }
    if len(labels.items) < MIN_ITEMS:
        raise DataError(
            f"{source}: {len(labels.items)} labelled items are too few to say anything; at least"
            f" {MIN_ITEMS} are needed"
        )
    if pairwise:
        preferences = _preferences(judge, labels, outcomes)
        return Calibration(**common, outcomes=dict(outcomes), preferences=tuple(preferences))
    agreements = _agreements(judge, labels, source, outcomes)
    return Calibration(**common, outcomes=dict(outcomes), dimensions=tuple(agreements))


def _unseen(judge: Judge, labels: Labels, source: str) -> None:
    """Refuse to check a learned judge on the labels it was learned from."""
    members = getattr(judge, "members", None)
    for member in members.values() if isinstance(members, Mapping) else [judge]:
        learned = getattr(member, "learned_from", None)
        if learned is None or learned[0] != labels.digest:
            continue
        if learned[1] is None or any(item.first.split == learned[1] for item in labels.items):
            instead = "--split check, which it has not seen" if learned[1] else "others"
            raise DataError(
                f"{source}: this judge was learned from these labels, which it would only repeat;"
                f" use {instead}"
            )


def _agreements(
    judge: Judge, labels: Labels, source: str, outcomes: Counter[str]
) -> list[Agreement]:
    wanted = {d.name: d for d in judge.dimensions if d.name in labels.dimensions}
    if not wanted:
        raise DataError(
            f"{source} labels {', '.join(labels.dimensions)}, the judge grades"
            f" {', '.join(d.name for d in judge.dimensions)}: no dimension in common"
        )
    items = [item.judge_item(item.first.answer or "") for item in labels.items]
    values: dict[str, dict[int, float]] = {name: {} for name in wanted}
    for judgement in judge.grade(items):
        if judgement.dimension in wanted:
            outcomes[judgement.status] += 1
            if judgement.status == "scored" and judgement.value is not None:
                values[judgement.dimension][judgement.item] = judgement.value
    found = [
        _agreement(
            dimension,
            values[name],
            [item.score(name) for item in labels.items],
            labels.items,
            source,
        )
        for name, dimension in wanted.items()
    ]
    parts = overall_parts(judge.dimensions)
    if parts and OVERALL not in wanted and all(part.name in wanted for part in parts):
        found.append(_of_means(parts, values, labels, source))
    return found


def overall_parts(dimensions: Sequence[Dimension]) -> list[Dimension]:
    """The dimensions whose mean a report shows as ``overall``; none where there is no such mean.

    Those of one scale that grade an answer by itself, the largest such group, two or more.
    """
    groups: dict[tuple[float, float, bool | None], list[Dimension]] = {}
    for dimension in dimensions:
        if not {"original_answer", "opponent"} & set(dimension.needs):
            scale = (dimension.low, dimension.high, dimension.higher_is_better)
            groups.setdefault(scale, []).append(dimension)
    largest = max(groups.values(), key=len, default=[])
    return largest if len(largest) > 1 else []


def _of_means(
    parts: Sequence[Dimension],
    values: Mapping[str, Mapping[int, float]],
    labels: Labels,
    source: str,
) -> Agreement:
    """Agreement of the mean over several dimensions, where each was scored and labelled."""
    judged: dict[int, float] = {}
    people: list[float | None] = []
    for index, item in enumerate(labels.items):
        given = [item.score(part.name) for part in parts]
        known = [score for score in given if score is not None]
        people.append(float(np.mean(known)) if len(known) == len(given) else None)
        if all(index in values[part.name] for part in parts):
            judged[index] = float(np.mean([values[part.name][index] for part in parts]))
    mean = parts[0].model_copy(update={"name": OVERALL})
    return _agreement(mean, judged, people, labels.items, source)


def _agreement(
    dimension: Dimension,
    values: Mapping[int, float],
    scores: Sequence[float | None],
    items: Sequence[LabelledItem],
    source: str,
) -> Agreement:
    kept = [
        (items[index], value, score)
        for index, value in sorted(values.items())
        if (score := scores[index]) is not None
    ]
    if len(kept) < MIN_ITEMS:
        raise DataError(
            f"{source}: the judge scored {len(kept)} items on {dimension.name!r} that are labelled;"
            f" at least {MIN_ITEMS} are needed"
        )
    judged, people = [v for _, v, _ in kept], [s for *_, s in kept]
    questions = [item.first.question for item, *_ in kept]
    lengths = [float(len(item.first.answer or "")) for item, *_ in kept]
    steps = list(range(round(dimension.low), round(dimension.high) + 1))
    same_scale = steps[0] <= min(people) and max(people) <= steps[-1] and len(steps) > 2
    undefined = Estimate(value=None)
    return Agreement(
        dimension=dimension.name,
        items=len(kept),
        spearman=estimate(spearman, judged, people, questions),
        kendall=estimate(kendall, judged, people, questions),
        kappa=estimate(lambda a, b: weighted_kappa(a, b, steps), judged, people, questions)
        if same_scale
        else undefined,
        accuracy=estimate(lambda a, b: accuracy(a, b, steps), judged, people, questions)
        if same_scale
        else undefined,
        people_alpha=_people_alpha([item for item, *_ in kept], dimension.name),
        length_rho=_rho(judged, lengths),
        people_length_rho=_rho(people, lengths),
        reliability=_reliability(judged, people, steps if same_scale else None),
        kinds=_kinds(kept),
    )


def _preferences(judge: Judge, labels: Labels, outcomes: Counter[str]) -> list[Preference]:
    people = {index: item.preference() for index, item in enumerate(labels.items)}
    compares = [d for d in judge.dimensions if "opponent" in d.needs and d.name != "position_flip"]
    values: dict[str, dict[int, float]]
    flips: dict[int, float] = {}
    if compares:
        values = {d.name: {} for d in compares}
        pairs = [i.judge_item(i.first.answer_a or "", i.first.answer_b) for i in labels.items]
        for judgement in _scored(judge.grade(pairs), outcomes):
            if judgement.dimension == "position_flip":
                flips[judgement.item] = float(judgement.value or 0.0)
            elif judgement.dimension in values:
                values[judgement.dimension][judgement.item] = float(judgement.value or 0.0)
    else:
        values = _differences(judge, labels, outcomes)
    questions = [item.first.question for item in labels.items]
    found = []
    for name, of_items in values.items():
        indices = sorted(of_items)
        if len(indices) < MIN_ITEMS:
            raise DataError(
                f"the judge decided {len(indices)} pairs; at least {MIN_ITEMS} are needed"
            )
        judged = [2 * of_items[i] for i in indices]
        told = [2 * people[i] for i in indices]
        clusters = [questions[i] for i in indices]
        found.append(
            Preference(
                dimension=name,
                items=len(indices),
                accuracy=estimate(lambda a, b: accuracy(a, b, THREE), judged, told, clusters),
                kappa=estimate(lambda a, b: weighted_kappa(a, b, THREE), judged, told, clusters),
                swap_consistency=_consistency(flips, questions),
            )
        )
    return found


def _differences(
    judge: Judge, labels: Labels, outcomes: Counter[str]
) -> dict[str, dict[int, float]]:
    """Preferences of a judge that scores answers one by one: which of the two it scores better."""
    items = [
        item.judge_item(answer or "")
        for item in labels.items
        for answer in (item.first.answer_a, item.first.answer_b)
    ]
    signs = {d.name: 1 if d.higher_is_better else -1 for d in judge.dimensions}
    scores: dict[tuple[str, int], float] = {}
    for judgement in _scored(judge.grade(items), outcomes):
        value = float(judgement.value or 0.0) * signs[judgement.dimension]
        scores[judgement.dimension, judgement.item] = value
    return {
        name: {
            pair: 0.5 * (1 + np.sign(scores[name, 2 * pair] - scores[name, 2 * pair + 1]))
            for pair in range(len(labels.items))
            if (name, 2 * pair) in scores and (name, 2 * pair + 1) in scores
        }
        for name in signs
    }


def _scored(judgements: Any, outcomes: Counter[str]) -> list[Judgement]:
    found = []
    for judgement in judgements:
        outcomes[judgement.status] += 1
        if judgement.status == "scored" and judgement.value is not None:
            found.append(judgement)
    return found


def _consistency(flips: Mapping[int, float], questions: Sequence[str]) -> Estimate | None:
    if not flips:
        return None
    same = [1 - flips[index] for index in sorted(flips)]
    clusters = [questions[index] for index in sorted(flips)]
    return estimate(lambda a, _: float(a.mean()), same, same, clusters)


def _people_alpha(items: Sequence[LabelledItem], dimension: str) -> float | None:
    names = sorted({row.annotator for item in items for row in item.rows})
    ratings = [
        [
            next(
                (
                    row.labels[dimension]
                    for row in item.rows
                    if row.annotator == name and row.labels and dimension in row.labels
                ),
                None,
            )
            for item in items
        ]
        for name in names
    ]
    return alpha(ratings, "ordinal")


def _rho(a: Sequence[float], b: Sequence[float]) -> float | None:
    value = spearman(np.asarray(a), np.asarray(b))
    return None if np.isnan(value) else value


def _reliability(
    judged: Sequence[float], people: Sequence[float], steps: Sequence[int] | None
) -> tuple[Step, ...]:
    """People's mean label by the judge's step; by fifths of its scores where scales differ."""
    x, y = np.asarray(judged), np.asarray(people)
    if steps is not None:
        bins = rounded(x, steps)
    else:
        edges = np.unique(np.quantile(x, [0.2, 0.4, 0.6, 0.8]))
        bins = np.searchsorted(edges, x, side="right").astype(np.float64)
    return tuple(
        Step(
            judge=float(x[bins == b].mean()),
            people=float(y[bins == b].mean()),
            items=int((bins == b).sum()),
        )
        for b in np.unique(bins)
    )


def _kinds(kept: Sequence[tuple[LabelledItem, float, float]]) -> dict[str, KindMeans]:
    groups: dict[str, list[tuple[float, float]]] = {}
    for item, value, score in kept:
        if item.first.kind:
            groups.setdefault(item.first.kind, []).append((value, score))
    return {
        name: KindMeans(
            items=len(pairs),
            judge=float(np.mean([v for v, _ in pairs])),
            people=float(np.mean([s for _, s in pairs])),
        )
        for name, pairs in sorted(groups.items())
    }
