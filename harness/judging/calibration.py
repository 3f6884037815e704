"""How far a judge agrees with people's labels: the library half of ``jostle calibrate``.

``calibrate`` measures; ``calibration_records.store`` keeps the result under the judge's name and
version (which holds rubric, model and settings), and ``calibration_report`` says it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

from harness.errors import DataError
from harness.judging.calibration_pairs import preferences
from harness.judging.calibration_records import Agreement, Calibration, KindMeans, Step
from harness.judging.calibration_tally import Tally
from harness.judging.labels import MIN_ITEMS, LabelledItem, Labels
from harness.judging.traits import declared_traits, leaves
from harness.protocols import Judge
from harness.records import Dimension, JudgeItem, Judgement
from harness.stats.agreement import (
    Coefficient,
    accuracy,
    alpha,
    estimate,
    kendall,
    rounded,
    spearman,
    weighted_kappa,
)

OVERALL = "overall"

Grade = Callable[[Sequence[JudgeItem]], Iterator[Judgement]]


def calibrate(
    judge: Judge,
    labels: Labels,
    *,
    name: str,
    source: str,
    split: str | None = None,
    code: str = "",
    grade: Grade | None = None,
) -> Calibration:
    """Have a judge grade labelled items and measure how far it agrees.

    Pointwise labels are compared dimension by dimension, by name. Preferences are compared with
    ``win`` of a judge that compares, or with the difference of a pointwise judge's scores. Where
    enough items have labels of independent people, those alone count; else all labels do, and the
    agreement is one with the set's authors.

    Args:
        judge: What is checked.
        labels: The items to grade (already cut to the split).
        name: The judge's registered name.
        source: Where the labels come from, for the record.
        split: Which part of the file they are.
        code: Digest of a foreign plug-in's code.
        grade: Grades in the judge's stead (with a cache, a meter or a progress bar).

    Raises:
        DataError: Judge and labels have nothing in common, or too little could be compared.
    """
    _unseen(judge, labels, source)
    if len(labels.items) < MIN_ITEMS:
        raise DataError(
            f"{source}: {len(labels.items)} labelled items are too few to say anything; at least"
            f" {MIN_ITEMS} are needed"
        )
    tally = Tally()
    grade = grade or judge.grade
    agreements: list[Agreement] = []
    pairs = []
    if labels.items[0].pairwise:
        pairs = preferences(judge.dimensions, grade, labels, source, tally)
    else:
        agreements = _agreements(judge.dimensions, grade, labels, source, tally)
    return Calibration(
        judge=name,
        version=judge.version,
        code=code,
        labels=source,
        labels_digest=labels.digest,
        split=split,
        annotators=tuple(labels.annotators),
        items=len(labels.items),
        label_count=labels.count,
        outcomes=dict(tally.outcomes),
        dimensions=tuple(agreements),
        preferences=tuple(pairs),
    )


def _unseen(judge: Judge, labels: Labels, source: str) -> None:
    """Refuse to check a learned judge, or a panel with one, on the labels it was learned from."""
    for leaf in leaves(judge):
        learned = declared_traits(leaf).learned_from
        if learned is None or learned.labels_digest != labels.digest:
            continue
        if learned.split is None or any(item.first.split == learned.split for item in labels.items):
            instead = "--split check, which it has not seen" if learned.split else "others"
            raise DataError(
                f"{source}: this judge was learned from these labels, which it would only repeat;"
                f" use {instead}"
            )


def _agreements(
    dimensions: Sequence[Dimension], grade: Grade, labels: Labels, source: str, tally: Tally
) -> list[Agreement]:
    wanted = {d.name: d for d in dimensions if d.name in labels.dimensions}
    if not wanted:
        raise DataError(
            f"{source} labels {', '.join(labels.dimensions)}, the judge grades"
            f" {', '.join(d.name for d in dimensions)}: no dimension in common"
        )
    items = [item.judge_item(item.first.answer or "") for item in labels.items]
    values: dict[str, dict[int, float]] = {name: {} for name in wanted}
    for judgement in grade(items):
        if judgement.dimension in wanted and (value := tally.score(judgement)) is not None:
            values[judgement.dimension][judgement.item] = value
    found = [
        _agreement(dimension, [dimension], values[name], labels, source, tally)
        for name, dimension in wanted.items()
    ]
    parts = overall_parts(dimensions)
    if parts and OVERALL not in wanted and all(part.name in wanted for part in parts):
        means = {
            index: float(np.mean([values[part.name][index] for part in parts]))
            for index in range(len(items))
            if all(index in values[part.name] for part in parts)
        }
        mean = parts[0].model_copy(update={"name": OVERALL})
        found.append(_agreement(mean, parts, means, labels, source, tally))
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


def _agreement(
    dimension: Dimension,
    parts: Sequence[Dimension],
    values: Mapping[int, float],
    labels: Labels,
    source: str,
    tally: Tally,
) -> Agreement:
    """Agreement of scores with the labels, or with the mean of the labels of several parts."""
    names = [part.name for part in parts]
    origin = labels.origin(names)
    kept: list[tuple[LabelledItem, float, float]] = []
    for index, value in sorted(values.items()):
        item = labels.items[index].of(origin.basis)
        scores = [item.score(name) for name in names] if item is not None else [None]
        known = [score for score in scores if score is not None]
        if item is not None and len(known) == len(scores):
            kept.append((item, value, float(np.mean(known))))
    if len(kept) < MIN_ITEMS:
        raise DataError(
            f"{source}: the judge scored {len(kept)} items on {dimension.name!r} that are labelled;"
            f" at least {MIN_ITEMS} are needed ({tally.said})"
        )
    judged, people = [v for _, v, _ in kept], [s for *_, s in kept]
    questions = [item.first.question for item, *_ in kept]
    lengths = [float(len(item.first.answer or "")) for item, *_ in kept]
    steps = _steps(dimension, judged, people)
    undefined = Coefficient(value=None)
    return Agreement(
        dimension=dimension.name,
        items=len(kept),
        **origin._asdict(),
        spearman=estimate(spearman, judged, people, questions),
        kendall=estimate(kendall, judged, people, questions),
        kappa=estimate(lambda a, b: weighted_kappa(a, b, steps), judged, people, questions)
        if steps
        else undefined,
        accuracy=estimate(lambda a, b: accuracy(a, b, steps), judged, people, questions)
        if steps
        else undefined,
        people_alpha=_people_alpha([item for item, *_ in kept], names[0])
        if len(names) == 1
        else None,
        length_rho=_rho(judged, lengths),
        people_length_rho=_rho(people, lengths),
        reliability=_reliability(judged, people, steps),
        kinds=_kinds(kept),
    )


def _steps(
    dimension: Dimension, judged: Sequence[float], people: Sequence[float]
) -> tuple[int, ...]:
    """The whole steps that judge and people share; none where they do not grade in such steps.

    A scale of two ends (0 to 1) can be two steps or everything between them: the judge's values
    tell. Values between more steps than two are rounded to them.
    """
    steps = tuple(range(round(dimension.low), round(dimension.high) + 1))
    shared = steps[0] <= min(people) and max(people) <= steps[-1]
    in_steps = len(steps) > 2 or all(value == round(value) for value in judged)
    return steps if shared and in_steps and len(steps) > 1 else ()


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
    judged: Sequence[float], people: Sequence[float], steps: Sequence[int]
) -> tuple[Step, ...]:
    """People's mean label by the judge's step; by fifths of its scores where scales differ."""
    x, y = np.asarray(judged), np.asarray(people)
    if steps:
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
