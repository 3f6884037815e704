"""Where the next euro goes, in plain words."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from harness.analysis.error_budget_schema import (
    Difference,
    ErrorBudget,
    Lever,
    LeverName,
    Source,
)
from harness.util.formatting import figure, listing, plural

DIFFERENCE_WORDS: dict[Difference, str] = {
    "gain_originals": "the difference on originals",
    "gain_variants": "the difference on reworded prompts",
    "did": "what rewording costs (difference in differences)",
}
SOURCE_WORDS: dict[Source, str] = {
    "prompt": "prompts that differ from each other",
    "prompt x kind": "kinds of rewording that hit one prompt harder than another",
    "variant": "variants of one kind that differ",
    "repeat": "the same prompt answered differently when asked again",
    "judge": "the judge, who says something else about the same answer",
}
_STEPS: dict[LeverName, str] = {
    "prompts": "{then} prompts instead of {now}",
    "variants": "{then} variants of a kind instead of {now}",
    "originals": "each original asked {then} times instead of {now} (suite.original_repeats)",
    "repeats": "everything asked twice as often (suite.repeats)",
    "judging": "each answer judged {then} times instead of {now} (repeats of the judge)",
    "judges": "a second judge, the mean of both taken",
    "labels": "{then} prompts labelled by people instead of {now}",
}
NOTICEABLE = 0.95
"""A step that leaves more of the standard error than this is not worth naming."""


def budget_words(budget: ErrorBudget, label: str) -> Iterator[str]:
    """Yield the budget in words, a line for the components and one for each difference."""
    yield components_words(budget, label)
    for difference in budget.errors:
        levers = [row for row in budget.levers if row.difference == difference]
        yield from _difference_words(difference, levers)
    repeats = next(row.variance for row in budget.components if row.source == "repeat")
    if repeats is None:
        yield (
            "How much asking again would help is not known: every prompt was asked once. Add the kind"
            " identity, or suite.original_repeats: 2, and this page will say it."
        )


def components_words(budget: ErrorBudget, label: str) -> str:
    """Say what the variance of a single answer's difference is made of."""
    parts = []
    for row in budget.components:
        if row.share is None or row.share < 0.005:
            continue
        inside = [SOURCE_WORDS[source] for source in row.includes]
        text = f"{figure(100 * row.share, 0)}% {SOURCE_WORDS[row.source]}"
        parts.append(
            f"{text} (with {listing(inside)}, not to be told apart here)" if inside else text
        )
    made = listing(parts) if parts else "nothing that varies"
    return f"What varies in {label} of {budget.subject} less the baseline, one answer each: {made}."


def _difference_words(difference: Difference, levers: Sequence[Lever]) -> Iterator[str]:
    """Say what halves the error most cheaply, and what the best next step is."""
    by_answers = [row for row in levers if row.lever != "labels"]
    if not by_answers:
        return
    halving = [row for row in by_answers if row.halves_answers is not None]
    text = f"To halve the standard error of {DIFFERENCE_WORDS[difference]}"
    if halving:
        best = min(halving, key=_cost_of_halving)
        text += f", the cheapest is {step_words(best, best.halves_at)}: {_cost(best.halves_answers, best.halves_judgements)}"
    else:
        text += f" nothing suffices under {plural(64, 'time')} what there is"
    useful = [row for row in by_answers if row.factor <= NOTICEABLE]
    steps = [
        f"{step_words(row)} takes {figure(100 * (1 - row.factor), 0)}% off"
        f" ({_cost(row.answers, row.judgements)}"
        + (
            f"; by itself never more than {figure(100 * (1 - row.floor), 0)}%)"
            if row.floor > 0.5
            else ")"
        )
        for row in useful[:3]
    ]
    yield f"{text}. The most for its cost: {'; '.join(steps)}." if steps else f"{text}."
    for row in levers:
        if row.lever == "labels":
            yield (
                f"{step_words(row)[0].upper()}{step_words(row)[1:]} would take"
                f" {figure(100 * (1 - row.factor), 0)}% off the corrected interval of"
                f" {DIFFERENCE_WORDS[difference]}."
            )


def step_words(row: Lever, then: float | None = None) -> str:
    """Write a step: ``each original asked 3 times instead of 1``."""
    return _STEPS[row.lever].format(now=_count(row.now), then=_count(then or row.then, up=True))


def _count(value: float, *, up: bool = False) -> str:
    if up:
        value = math.ceil(round(value, 6))
    return f"{value:,.0f}" if abs(value - round(value)) < 0.05 else f"{value:.1f}"


def _cost_of_halving(row: Lever) -> int:
    return (row.halves_answers or 0) + (row.halves_judgements or 0)


def _cost(answers: int | None, judgements: int | None) -> str:
    return f"{plural(answers or 0, 'answer')} and {plural(judgements or 0, 'judgement')} more"
