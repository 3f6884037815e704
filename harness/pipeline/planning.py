"""Plans before money is spent: how many prompts an effect needs, and what a suite will cost.

A plan rests on a pilot (the summary of a smaller run of the same kind) or on stated figures. What
cannot be known is left open and not guessed: each figure says where it comes from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.analysis import ALL, Summary
from harness.analysis.summary_schema import JudgeSpending
from harness.analysis.test_family import family_weights
from harness.config import JudgeSpec, Suite
from harness.errors import DataError
from harness.memorisation.prompt_choice import ProbeWorkload
from harness.records import ORIGINAL
from harness.stats.significance import (
    first_step,
    minimum_detectable_effect,
    required_prompts,
)

CHARACTERS_PER_TOKEN = 4.0
"""Rule of thumb for English and subword tokenizers; a pilot's own counts take its place."""

QUESTIONS = {
    "gain_originals": "gain on the original prompts",
    "gain_variants": "gain on reworded prompts",
    "did": "extra cost of rewording (difference in differences)",
}
"""What a plan asks of each estimand, by name."""


class DifferenceSpread(NamedTuple):
    """Spread of one estimand's differences, and where it is from.

    Attributes:
        sd: Standard deviation between clusters: standard error times the root of their number.
        clusters_a_prompt: 1 where no prompts are related; related ones (near-duplicates, groups) tell
            less than as many unrelated ones.
    """

    estimand: str
    sd: float
    source: str
    clusters_a_prompt: float = 1.0


@dataclass(frozen=True)
class Power:
    """What a number of prompts can show, and how many an effect needs.

    Attributes:
        detectable: Smallest effect that the suite's prompts show.
        needed: Prompts for the effect asked for; None where none was.
    """

    spread: DifferenceSpread
    prompts: int
    detectable: float
    needed: int | None


@dataclass(frozen=True)
class JudgeCost:
    """What one judge has to do. Tokens, money and seconds are None where they cannot be known."""

    judge: str
    llm: bool
    judgements: int
    tokens: int | None = None
    money: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class ProbeCost:
    """What the probes ask of all subjects together, at most; ``workload`` is of one subject.

    Attributes:
        completion_tokens: Written, if every answer takes all the tokens it may.
        seconds: Of writing, by the pilot's speed; None without a pilot. Rating is not in it.
    """

    workload: ProbeWorkload
    ratings: int
    answers: int
    completion_tokens: int
    seconds: float | None


@dataclass(frozen=True)
class SearchCost:
    """What the searches for worst cases ask of all subjects together, at most.

    Attributes:
        completion_tokens: Written: measured in the pilot, else the most they may.
        seconds: Of writing, by the pilot's speed; None without a pilot.
    """

    prompts: int
    answers: int
    completion_tokens: int
    seconds: float | None


@dataclass(frozen=True)
class RunCost:
    """What a suite costs at a number of prompts.

    Attributes:
        answers: By all subjects together.
        prompt_tokens: Read by the subjects; estimated.
        completion_tokens: Written by the subjects: measured in the pilot, else the most they may.
        seconds: Of generating; None without a pilot.
        notes: Where the figures come from.
    """

    prompts: int
    answers: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    judges: list[JudgeCost]
    notes: list[str]
    probes: ProbeCost | None
    searches: SearchCost | None = None


def spreads_of_pilot(pilot: Summary) -> list[DifferenceSpread]:
    """Return the standard deviations of a pilot's leading measure; of several subjects the widest.

    Raises:
        DataError: The pilot compares nothing.
    """
    rows = [
        row
        for row in pilot.contrasts
        if row.measure in pilot.headline.measures[:1]
        and row.kind == ALL
        and row.scope == pilot.headline.scope
    ]
    estimates = [(row.gain_originals, row.gain_variants, row.did) for row in rows]
    spreads = []
    for position, name in enumerate(QUESTIONS):
        known = [of_row[position] for of_row in estimates]
        widest = max(
            (e for e in known if e and e.se is not None),
            key=lambda e: (e.se or 0.0) * math.sqrt(e.n),
            default=None,
        )
        if widest is not None and widest.se is not None:
            source = f"pilot of {widest.n} prompts"
            if widest.clusters < widest.n:
                source += f", {widest.clusters} of them unrelated"
            sd = widest.se * math.sqrt(widest.clusters)
            share = widest.clusters / widest.n
            spreads.append(DifferenceSpread(name, sd, source, share))
    if not spreads:
        raise DataError(
            "the pilot compares no two subjects on a measure with a better end; state --sd instead"
        )
    return spreads


def stated_spreads(sd: float) -> list[DifferenceSpread]:
    """Return the same standard deviation for every estimand.

    Raises:
        DataError: It is not positive.
    """
    if not sd > 0:
        raise DataError(f"--sd must be positive, not {sd:g}")
    return [DifferenceSpread(name, sd, "stated") for name in QUESTIONS]


def headline_level(subjects: int, measures: int = 1) -> float:
    """Return what p must reach for a headline difference to be shown, see ``first_step``.

    Args:
        subjects: All of the suite, the baseline included.
        measures: Measures that lead.
    """
    tests = len(QUESTIONS) * max(subjects - 1, 1) * measures
    headline = np.array([True] * tests + [False])  # a page always has details beside them
    return float(first_step(family_weights(headline))[0])


def power(
    spreads: Sequence[DifferenceSpread], prompts: int, *, effect: float | None, alpha: float
) -> list[Power]:
    """Work out what ``prompts`` show with probability 0.8, and how many ``effect`` needs.

    The test is the report's: at the corrected level ``alpha``, see :func:`headline_level`.

    Raises:
        DataError: The effect is not positive.
    """
    if effect is not None and not effect > 0:
        raise DataError(f"--effect must be positive, not {effect:g}")
    return [
        Power(
            spread=s,
            prompts=prompts,
            detectable=minimum_detectable_effect(s.sd, prompts * s.clusters_a_prompt, alpha=alpha),
            needed=None
            if effect is None
            else math.ceil(required_prompts(effect, s.sd, alpha=alpha) / s.clusters_a_prompt),
        )
        for s in spreads
    ]


def run_cost(
    suite: Suite,
    *,
    prompts: int,
    characters: float,
    llm_judges: Mapping[str, bool],
    pilot: Summary | None = None,
    probes: ProbeWorkload | None = None,
) -> RunCost:
    """Estimate answers, judgements, tokens, money and time of a suite.

    Args:
        suite: The suite.
        prompts: Source prompts to ask.
        characters: Mean length of a prompt.
        llm_judges: By judge label, whether it is a language model.
        pilot: Summary of a run like it; its own token counts, times and prices are taken.
        probes: What the probes ask of each subject, where the suite has them.
    """
    kinds = sum(len(p.severities) for p in suite.perturbations) * suite.suite.variants_per_kind
    variants = 1 + max(kinds, suite.suite.variants_per_prompt)
    of_original = suite.suite.answers_to(ORIGINAL)
    asked = prompts * (of_original + (variants - 1) * suite.suite.repeats)
    answers = asked * len(suite.subjects)
    notes = [f"{variants} requests a prompt: the original and {variants - 1} variants"]
    if of_original > suite.suite.repeats:
        notes.append(f"each original is asked {of_original} times")
    measured = None if pilot is None else _mean_answer(pilot)
    if measured is None:
        written = sum(asked * s.generation.max_new_tokens for s in suite.subjects)
        seconds = None
        notes.append("answers are taken to fill max_new_tokens; time is unknown without a pilot")
    else:
        written, seconds = round(answers * measured.tokens), answers * measured.seconds
        notes.append("answer lengths and times are the pilot's")
    return RunCost(
        prompts=prompts,
        answers=answers,
        prompt_tokens=round(answers * characters / CHARACTERS_PER_TOKEN),
        completion_tokens=written,
        seconds=seconds,
        judges=[
            _judge_cost(spec, answers, llm_judges.get(spec.label, False), pilot)
            for spec in suite.judges
        ],
        notes=notes,
        probes=None if probes is None else _probe_cost(suite, probes, measured),
        searches=_search_cost(suite, prompts, measured),
    )


class _MeanAnswer(NamedTuple):
    tokens: float
    seconds: float


def _mean_answer(pilot: Summary) -> _MeanAnswer | None:
    rows = [(row, row.given) for row in pilot.answers if row.mean_tokens]
    total = sum(n for _, n in rows)
    if not total:
        return None
    return _MeanAnswer(
        tokens=sum((row.mean_tokens or 0.0) * n for row, n in rows) / total,
        seconds=sum(row.seconds or 0.0 for row, _ in rows) / total,
    )


def _probe_cost(suite: Suite, probes: ProbeWorkload, measured: _MeanAnswer | None) -> ProbeCost:
    assert suite.probes is not None
    answers = probes.answers * len(suite.subjects)
    written = answers * suite.probes.max_new_tokens
    return ProbeCost(
        workload=probes,
        ratings=probes.ratings * len(suite.subjects),
        answers=answers,
        completion_tokens=written,
        seconds=None if measured is None else written * measured.seconds / measured.tokens,
    )


def _search_cost(suite: Suite, prompts: int, measured: _MeanAnswer | None) -> SearchCost | None:
    wanted = [
        (search.budget, min(prompts, search.prompts or prompts))
        for spec in suite.perturbations
        if (search := spec.search) is not None
        for _ in spec.severities
    ]
    if not wanted:
        return None
    asked = sum(budget * count for budget, count in wanted)
    answers = asked * len(suite.subjects)
    return SearchCost(
        prompts=max(count for _, count in wanted),
        answers=answers,
        completion_tokens=sum(asked * s.generation.max_new_tokens for s in suite.subjects)
        if measured is None
        else round(answers * measured.tokens),
        seconds=None if measured is None else answers * measured.seconds,
    )


def _judge_cost(spec: JudgeSpec, answers: int, llm: bool, pilot: Summary | None) -> JudgeCost:
    judged = answers * spec.repeats
    piloted = pilot.judges.get(spec.label) if pilot and llm else None
    if pilot is None or piloted is None or not piloted.cost or not piloted.judgements:
        return JudgeCost(spec.label, llm, judged)
    spent = piloted.cost
    answered = sum(row.answers - row.failed for row in pilot.answers)
    scale = judged / max(answered * piloted.repeats, 1)
    return JudgeCost(
        spec.label,
        llm,
        judged,
        tokens=round((spent.prompt_tokens + spent.completion_tokens) * scale),
        money=(_priced(spec, spent) or spent.money) * scale,
        seconds=spent.seconds * scale,
    )


def _priced(spec: JudgeSpec, spent: JudgeSpending) -> float:
    """Return what the tokens cost by the prices of the suite, which are for a million tokens."""
    prices = spec.options.get("prices") or {}
    return (
        spent.prompt_tokens * float(prices.get("prompt", 0.0))
        + spent.completion_tokens * float(prices.get("completion", 0.0))
    ) / 1e6
