"""How far a judge agrees with people's labels: the library half of ``jostle calibrate``.

``calibrate`` measures; ``calibration_records.store`` keeps the result under the judge's name and
version (which holds rubric, model and settings), and ``calibration_report`` says it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np

from harness.errors import DataError
from harness.judging.calibration_grading import Grade, LabelGrading
from harness.judging.calibration_pairs import preferences
from harness.judging.calibration_records import Agreement, Calibration, KindMeans, Step
from harness.judging.derived import OVERALL, overall_parts
from harness.judging.labels import MIN_ITEMS, LabelledItem, Labels
from harness.judging.traits import declared_traits, leaves
from harness.protocols import Judge
from harness.records import Dimension
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


def calibrate(
    judge: Judge, labels: Labels, *, name: str, code: str = "", grade: Grade | None = None
) -> Calibration:
    """Have a judge grade labelled items and measure how far it agrees.

    Pointwise labels are compared dimension by dimension, by name. Preferences are compared with
    ``win`` of a judge that compares, or with the difference of a pointwise judge's scores. Where
    enough items have labels of independent people, those alone count; else all labels do, and the
    agreement is one with the set's authors.

    Args:
        judge: The judge to check.
        labels: The items to grade.
        name: The judge's registered name.
        code: As for ``Calibration``.
        grade: Grades in the judge's stead (with a cache, a meter or a progress bar).

    Raises:
        DataError: Judge and labels have nothing in common, or too little could be compared.
    """
    _refuse_known_labels(judge, labels)
    if len(labels.items) < MIN_ITEMS:
        raise DataError(
            f"{labels.source}: {len(labels.items)} labelled items are too few to say anything; at"
            f" least {MIN_ITEMS} are needed"
        )
    grading = LabelGrading(judge.dimensions, grade or judge.grade, labels)
    pairwise = labels.items[0].pairwise
    agreements = () if pairwise else tuple(_agreements(grading))
    pairs = tuple(preferences(grading)) if pairwise else ()
    return Calibration(
        judge=name,
        version=judge.version,
        code=code,
        labels=labels.source,
        labels_digest=labels.digest,
        split=labels.split,
        annotators=tuple(labels.annotators),
        items=len(labels.items),
        label_count=len(labels.rows),
        outcomes=dict(grading.outcomes),
        dimensions=agreements,
        preferences=pairs,
    )


def _refuse_known_labels(judge: Judge, labels: Labels) -> None:
    """Refuse to check a learned judge, or a panel with one, on the labels it was learned from."""
    for leaf in leaves(judge):
        learned = declared_traits(leaf).learned_from
        if learned is None or learned.labels_digest != labels.digest:
            continue
        if learned.split is None or any(item.first.split == learned.split for item in labels.items):
            instead = "--split check, which it has not seen" if learned.split else "others"
            raise DataError(
                f"{labels.source}: this judge was learned from these labels, which it would only"
                f" repeat; use {instead}"
            )


def _agreements(grading: LabelGrading) -> list[Agreement]:
    labels, dimensions = grading.labels, grading.dimensions
    compared = {d.name: d for d in dimensions if d.name in labels.dimensions}
    if not compared:
        raise DataError(
            f"{labels.source} labels {', '.join(labels.dimensions)}, the judge grades"
            f" {', '.join(d.name for d in dimensions)}: no dimension in common"
        )
    items = [item.judge_item(item.first.answer or "") for item in labels.items]
    values = grading.scores(items, list(compared))
    agreements = [_agreement(d, [d], values[name], grading) for name, d in compared.items()]
    parts = overall_parts(dimensions)
    if parts and OVERALL not in compared and all(part.name in compared for part in parts):
        of_parts = [values[part.name] for part in parts]
        means = {
            index: float(np.mean([scores[index] for scores in of_parts]))
            for index in range(len(items))
            if all(index in scores for scores in of_parts)
        }
        mean = parts[0].model_copy(update={"name": OVERALL})
        agreements.append(_agreement(mean, parts, means, grading))
    return agreements


def _agreement(
    dimension: Dimension,
    parts: Sequence[Dimension],
    values: Mapping[int, float],
    grading: LabelGrading,
) -> Agreement:
    """Compare scores with the labels, or with the mean of the labels of several parts."""
    names = [part.name for part in parts]
    origin = grading.labels.origin(names)
    rows: list[tuple[LabelledItem, float, float]] = []
    for index, value in sorted(values.items()):
        if (item := grading.labels.items[index].of(origin.basis)) is not None:
            known = [score for name in names if (score := item.score(name)) is not None]
            if len(known) == len(names):
                rows.append((item, value, float(np.mean(known))))
    grading.require(
        len(rows), f"the judge scored {{}} items on {dimension.name!r} that are labelled"
    )
    judged, people = [v for _, v, _ in rows], [s for *_, s in rows]
    questions = [item.first.question for item, *_ in rows]
    lengths = [float(len(item.first.answer or "")) for item, *_ in rows]
    steps = _steps(dimension, judged, people)
    undefined = Coefficient(value=None)
    return Agreement(
        dimension=dimension.name,
        items=len(rows),
        **origin._asdict(),
        measured_on=grading.labels.described([item for item, *_ in rows]),
        spearman=estimate(spearman, judged, people, questions),
        kendall=estimate(kendall, judged, people, questions),
        kappa=estimate(lambda a, b: weighted_kappa(a, b, steps), judged, people, questions)
        if steps
        else undefined,
        accuracy=estimate(lambda a, b: accuracy(a, b, steps), judged, people, questions)
        if steps
        else undefined,
        people_alpha=None if len(parts) > 1 else _people_alpha([i for i, *_ in rows], names[0]),
        length_rho=_rho(judged, lengths),
        people_length_rho=_rho(people, lengths),
        reliability=_reliability(judged, people, steps),
        kinds=_kinds(rows),
    )


def _steps(
    dimension: Dimension, judged: Sequence[float], people: Sequence[float]
) -> tuple[int, ...]:
    """Return the whole steps that judge and people share; none where they grade in no such steps.

    A scale of two ends (0 to 1) can be two steps or everything between them: the judge's values
    tell. Values between more steps than two are rounded to them.
    """
    steps = tuple(range(round(dimension.low), round(dimension.high) + 1))
    shared = steps[0] <= min(people) and max(people) <= steps[-1]
    in_steps = len(steps) > 2 or all(value == round(value) for value in judged)
    return steps if shared and in_steps and len(steps) > 1 else ()


def _people_alpha(items: Sequence[LabelledItem], dimension: str) -> float | None:
    names = sorted({row.annotator for item in items for row in item.rows})
    labels = [{row.annotator: (row.labels or {}).get(dimension) for row in i.rows} for i in items]
    return alpha([[of_item.get(name) for of_item in labels] for name in names], "ordinal")


def _rho(a: Sequence[float], b: Sequence[float]) -> float | None:
    value = spearman(np.asarray(a), np.asarray(b))
    return None if np.isnan(value) else value


def _reliability(
    judged: Sequence[float], people: Sequence[float], steps: Sequence[int]
) -> tuple[Step, ...]:
    """Average people's labels by the judge's step; by fifths of its scores where scales differ."""
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


def _kinds(rows: Sequence[tuple[LabelledItem, float, float]]) -> dict[str, KindMeans]:
    groups: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for item, value, score in rows:
        if item.first.kind:
            groups[item.first.kind].append((value, score))
    return {
        name: KindMeans(
            items=len(pairs),
            judge=float(np.mean([v for v, _ in pairs])),
            people=float(np.mean([s for _, s in pairs])),
        )
        for name, pairs in sorted(groups.items())
    }
