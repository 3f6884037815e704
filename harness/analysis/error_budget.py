"""Where the error of a run's differences comes from, and what one more step of each kind would buy.

A difference's variance over prompts, as measured, less what its components say would go away: nothing
is assumed about the rest. The mean over a prompt's kinds of the mean over variants of the mean over
repeats holds a component as often as the squares of its weights add up to (Searle, Casella and
McCulloch 1992, Variance Components, section 5.3).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.analysis.answer_scores import AnswerDifferences, AnswerScores
from harness.analysis.error_budget_schema import (
    Difference,
    ErrorBudget,
    Lever,
    LeverName,
    Source,
    VarianceComponent,
)
from harness.analysis.error_words import budget_words
from harness.analysis.estimates import Contrast, Estimate, Measure
from harness.analysis.evidence import VerdictBasis
from harness.analysis.people import DIFFERENCES
from harness.analysis.series import Series
from harness.analysis.table import ALL, Table
from harness.analysis.test_family import number
from harness.records import IDENTITY, ORIGINAL
from harness.stats.closed_forms import Floats
from harness.stats.prediction_powered import half_width
from harness.stats.variance_components import Component, Components, components
from harness.util.digest import derived_seed

HALF = 0.25
"""Share of its variance at which a standard error is halved."""

MOST_TIMES = 64.0
"""Times what there is today beyond which a step is not proposed."""

ORIGINALS_STEP = 3
"""Answers to each original that the step of the originals goes to."""

MIN_PROMPTS = 8

Sources = Mapping[Source, float | None]


class Weights(NamedTuple):
    """How often a prompt's mean holds a component, on average over prompts.

    Attributes:
        originals: ``repeat`` in the mean of the original: one over its answers.
        kinds: ``prompt x kind`` in the mean of the rewordings.
        variants: ``variant`` in it.
        repeats: ``repeat`` in it.
        asked_originals: Answers of a subject to an original, mean.
        asked_variants: Answers of a subject to a prompt's rewordings, mean.
        variants_a_kind: Variants of a kind that a prompt has, mean.
    """

    originals: float
    kinds: float
    variants: float
    repeats: float
    asked_originals: float
    asked_variants: float
    variants_a_kind: float


@dataclass(frozen=True)
class _Design:
    """What a run was, and what its components are."""

    prompts: int
    subjects: int
    judgements: float
    weights: Weights
    variances: Sources

    def of(self, source: Source) -> float:
        """Return a component that can be done something about; 0 where it is not known."""
        return max(self.variances.get(source) or 0.0, 0.0)

    @property
    def answers(self) -> float:
        """Return the answers of a subject to a prompt."""
        return self.weights.asked_originals + self.weights.asked_variants


class _Step(NamedTuple):
    """One way to spend: what it is, from how many to how many, and what it takes away.

    Attributes:
        gone: Variance of the per-prompt difference that goes with endlessly many.
        cost: Answers of a subject to a prompt for each one more, and judgements of such.
    """

    lever: LeverName
    now: float
    then: float
    gone: float
    answers: float
    judgements: float


def error_budgets(
    basis: VerdictBasis, scores: AnswerScores, seed: int, deterministic: Sequence[str]
) -> tuple[ErrorBudget, ...]:
    """Return the budget of every compared subject on the leading measure.

    Args:
        basis: The estimates of the run.
        scores: Its single judgements.
        seed: Seed of the run.
        deterministic: Subjects that answer the same prompt the same way by construction.
    """
    made = (
        _budget(basis, scores, evidence.contrast, seed, deterministic) for evidence in basis.lead
    )
    return tuple(budget for budget in made if budget is not None)


def _budget(
    basis: VerdictBasis,
    scores: AnswerScores,
    contrast: Contrast,
    seed: int,
    deterministic: Sequence[str],
) -> ErrorBudget | None:
    table, measure = basis.table, contrast.measure
    pair = (contrast.subject, contrast.baseline)
    answered = scores.differences(table, measure, pair, basis.scope.prompts)
    if answered is None or len(answered.nested.cluster) < MIN_PROMPTS:
        return None
    rng = np.random.default_rng(derived_seed(seed, "variance components", *pair))
    parts = components(answered.nested, rng=rng)
    if parts.repeat.variance is None and set(pair) <= set(deterministic):
        parts = parts._replace(repeat=Component(0.0, 0.0, 0.0))
    rows = _component_rows(parts, answered)
    design = _Design(
        prompts=len(answered.nested.cluster),
        subjects=len(table.subjects),
        judgements=answered.judgements,
        weights=weights_of(answered, table),
        variances={row.source: row.variance for row in rows},
    )
    errors = {name: e for name, e in _estimates(contrast).items() if e.se and e.n >= MIN_PROMPTS}
    levers = [
        lever
        for name, estimate in errors.items()
        for lever in _ranked(_levers(name, estimate, design, _other_judge(basis, contrast, name)))
    ]
    levers += list(_label_levers(contrast))
    budget = ErrorBudget(
        subject=contrast.subject,
        **measure._asdict(),
        prompts=design.prompts,
        answers=number(design.answers) or 0.0,
        errors={name: number(estimate.se) or 0.0 for name, estimate in errors.items()},
        components=rows,
        levers=tuple(levers),
        words=(),
    )
    return budget.model_copy(update={"words": tuple(budget_words(budget, table.label(measure)))})


def _estimates(contrast: Contrast) -> dict[Difference, Estimate]:
    """Return the judge's own differences, by name."""
    known: dict[Difference, Estimate | None] = {
        "gain_originals": contrast.gain_originals,
        "gain_variants": contrast.gain_variants,
        "did": contrast.did,
    }
    return {name: estimate for name, estimate in known.items() if estimate is not None}


def _component_rows(
    parts: Components, answered: AnswerDifferences
) -> tuple[VarianceComponent, ...]:
    """Turn components into rows; judging is taken out of the innermost level that is known."""
    names: dict[Source, Component] = {
        "prompt": parts.prompt,
        "prompt x kind": parts.kind,
        "variant": parts.variant,
        "repeat": parts.repeat,
    }
    judging = answered.judging.variance
    judge = Component(judging, *_chi_square(judging, answered.judging.freedom))
    innermost = next((s for s in reversed(names) if names[s].variance is not None), None)
    if judging is not None and innermost is not None:
        noise = judging / answered.judgements
        known = names[innermost]
        names[innermost] = Component(*(None if value is None else value - noise for value in known))
    names["judge"] = judge
    total = sum(max(one.variance or 0.0, 0.0) for one in names.values())
    rows, unknown = [], list[Source]()
    for source, one in reversed(names.items()):
        if one.variance is None:
            unknown.insert(0, source)
            rows.append(
                VarianceComponent(source=source, variance=None, low=None, high=None, share=None)
            )
            continue
        rows.append(
            VarianceComponent(
                source=source,
                variance=number(one.variance),
                low=number(one.low),
                high=number(one.high),
                share=number(max(one.variance, 0.0) / total) if total > 0 else None,
                # What a judge would say again is in the answers as they were judged.
                includes=tuple(unknown) if source != "judge" else (),
            )
        )
        unknown = [] if source != "judge" else unknown
    return tuple(reversed(rows))


def _chi_square(variance: float | None, freedom: int) -> tuple[float | None, float | None]:
    """Return the interval of a pooled variance of normal values."""
    from scipy.stats import chi2

    if variance is None or freedom < 2:
        return None, None
    return tuple(freedom * variance / float(chi2.ppf(q, freedom)) for q in (0.975, 0.025))  # type: ignore[return-value]


def weights_of(answered: AnswerDifferences, table: Table) -> Weights:
    """Work out how often each component stands in a prompt's means, averaged over prompts."""
    nested = answered.nested
    original = np.isin(table.kind[answered.row], (ORIGINAL, IDENTITY))
    prompts = len(nested.cluster)
    asked = np.bincount(nested.prompt[original], minlength=prompts).astype(np.float64)
    _variants, first, repeats = np.unique(
        nested.variant[~original], return_index=True, return_counts=True
    )
    prompt = nested.prompt[~original][first]
    kinds = int(nested.kind.max(initial=0)) + 1
    cell = prompt * kinds + nested.kind[~original][first]
    cells, at = np.unique(cell, return_inverse=True)
    in_cell = np.bincount(at, minlength=len(cells)).astype(np.float64)
    cell_prompt = cells // kinds
    of_prompt = np.bincount(cell_prompt, minlength=prompts).astype(np.float64)

    def per_prompt(values: Floats) -> float:
        """Average sum(values) / K^2 over the prompts with rewordings."""
        sums = np.bincount(cell_prompt, weights=values, minlength=prompts)
        has = of_prompt > 0
        return float((sums[has] / of_prompt[has] ** 2).mean()) if has.any() else 0.0

    noise = np.bincount(at, weights=1 / repeats, minlength=len(cells)) / in_cell**2
    return Weights(
        originals=float((1 / asked[asked > 0]).mean()) if (asked > 0).any() else 0.0,
        kinds=per_prompt(np.ones(len(cells))),
        variants=per_prompt(1 / in_cell),
        repeats=per_prompt(noise),
        asked_originals=float(asked.mean()),
        asked_variants=float(repeats.sum()) / prompts,
        variants_a_kind=float(in_cell.mean()) if len(cells) else 0.0,
    )


def _levers(
    difference: Difference, estimate: Estimate, design: _Design, other_judge: float | None
) -> Iterator[Lever]:
    """Yield what each kind of spending does to one difference."""
    total = (estimate.se or 0.0) ** 2 * estimate.n
    w = design.weights
    on_originals = w.originals if difference != "gain_variants" else 0.0
    on_variants = 0.0 if difference == "gain_originals" else 1.0
    # An answer's own noise holds the judge's, which a new answer renews.
    again = design.of("repeat") + design.of("judge") / design.judgements
    known = design.variances.get("repeat") is not None
    whole, variants = design.answers, w.asked_variants
    every = w.repeats * on_variants + on_originals
    times = max(w.asked_originals, 1.0)
    steps = [
        _Step("prompts", design.prompts, 2 * design.prompts, total, whole, whole),
        _Step(
            "variants",
            w.variants_a_kind,
            2 * w.variants_a_kind,
            (design.of("variant") * w.variants + again * w.repeats) * on_variants
            if design.variances.get("variant") is not None
            else 0.0,
            variants,
            variants,
        ),
    ]
    if known:
        step = max(ORIGINALS_STEP, times + 1)
        steps += [
            _Step("originals", times, step, again * on_originals, times, times),
            _Step("repeats", 1, 2, again * every, whole, whole),
        ]
    if design.variances.get("judge") is not None:
        now = design.judgements
        gone = design.of("judge") / now * every
        steps.append(_Step("judging", now, 2 * now, gone, 0.0, whole))
    if other_judge is not None:
        steps.append(_Step("judges", 1, 2, other_judge, 0.0, whole))
    for step_ in steps:
        if step_.gone > 0 and total > 0:
            yield _lever(difference, step_, total, design)


def _lever(difference: Difference, step: _Step, total: float, design: _Design) -> Lever:
    """Work out one step: a part of the variance that shrinks with how many there are."""
    share = min(step.gone / total, 1.0)
    scale = design.prompts * design.subjects

    def cost(times: float) -> tuple[int, int]:
        return (
            round((times - 1) * step.answers * scale),
            round((times - 1) * step.judgements * scale * design.judgements),
        )

    times = step.then / step.now
    halving = None if share <= 1 - HALF else 1 / (1 - (1 - HALF) / share)
    if halving is not None and halving > MOST_TIMES:
        halving = None
    answers, judgements = cost(times)
    halves = None if halving is None else cost(halving)
    return Lever(
        difference=difference,
        lever=step.lever,
        now=number(step.now) or 0.0,
        then=number(step.then) or 0.0,
        factor=number(math.sqrt(1 - share * (1 - 1 / times))) or 0.0,
        answers=answers,
        judgements=judgements,
        floor=number(math.sqrt(max(1 - share, 0.0))) or 0.0,
        halves_at=None if halving is None else number(halving * step.now),
        halves_answers=None if halves is None else halves[0],
        halves_judgements=None if halves is None else halves[1],
    )


def _ranked(levers: Iterator[Lever]) -> list[Lever]:
    """Order by variance taken away for each answer and judgement."""
    return sorted(
        levers, key=lambda one: -(1 - one.factor**2) / max(one.answers + one.judgements, 1)
    )


def _other_judge(basis: VerdictBasis, contrast: Contrast, difference: str) -> float | None:
    """Return the variance over prompts that is one judge's own, where another graded the same."""
    table, measure = basis.table, contrast.measure
    others = [
        other
        for other in table.dimensions
        if other.dimension == measure.dimension and other.judge != measure.judge
        if table.scale(other) == table.scale(measure)
    ]
    if not others:
        return None
    one, two = (_per_prompt(basis, contrast, which, difference) for which in (measure, others[0]))
    apart = (one - two)[~np.isnan(one - two)]
    return float(apart.var(ddof=1)) / 2 if len(apart) >= MIN_PROMPTS else None


def _per_prompt(
    basis: VerdictBasis, contrast: Contrast, measure: Measure, difference: str
) -> Floats:
    """Return a difference prompt by prompt."""
    table = basis.table
    series = Series.of(table, measure, contrast.subject).minus(
        Series.of(table, measure, contrast.baseline)
    )
    change = series.change(ALL)
    values = dict(
        zip(
            DIFFERENCES,
            (change.paired_originals, change.paired_variants, change.change),
            strict=True,
        )
    )
    return basis.scope.only(values[difference])


def _label_levers(contrast: Contrast) -> Iterator[Lever]:
    """Yield what twice the labels would do to each corrected difference."""
    rows = {
        "gain_originals": contrast.corrected_gain_originals,
        "gain_variants": contrast.corrected_gain_variants,
        "did": contrast.corrected_did,
    }
    for name, row in rows.items():
        if row is None or row.sd is None or row.correlation is None or row.labelled >= row.n:
            continue
        then = min(2 * row.labelled, row.n)
        width = {n: half_width(row.sd, row.correlation, n, row.n) for n in (row.labelled, then)}
        today = width[row.labelled]
        possible = range(row.labelled, row.n + 1)
        halves = next(
            (n for n in possible if 2 * half_width(row.sd, row.correlation, n, row.n) <= today),
            None,
        )
        yield Lever(
            difference=name,  # type: ignore[arg-type]
            lever="labels",
            now=row.labelled,
            then=then,
            factor=number(width[then] / today) or 0.0,
            answers=0,
            judgements=0,
            labels=then - row.labelled,
            floor=number(half_width(row.sd, row.correlation, row.n, row.n) / today) or 0.0,
            halves_at=halves,
            halves_answers=None if halves is None else 0,
            halves_judgements=None if halves is None else 0,
        )
