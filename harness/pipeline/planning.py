"""Before money is spent: how many prompts an effect needs, and what a suite will cost.

A plan rests on a pilot (the summary of a smaller run of the same kind) or on stated figures. What
it cannot know it leaves open instead of guessing: each figure says where it comes from.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.analysis import ALL
from harness.config import JudgeSpec, Suite
from harness.errors import DataError
from harness.memorisation.prompt_choice import ProbeWorkload
from harness.stats.power import minimum_detectable_effect, required_prompts

CHARACTERS_PER_TOKEN = 4.0
"""Rule of thumb for English and subword tokenizers; a pilot's own counts take its place."""

QUESTIONS = {
    "gain_originals": "gain on the original prompts",
    "gain_variants": "gain on reworded prompts",
    "did": "extra cost of rewording (difference in differences)",
}


@dataclass(frozen=True)
class Spread:
    """Standard deviation of one estimand's per-prompt differences.

    Attributes:
        source: ``pilot`` with its number of prompts, or ``stated``.
    """

    estimand: str
    sd: float
    source: str


@dataclass(frozen=True)
class Power:
    """What a number of prompts can see, and how many an effect needs.

    Attributes:
        detectable: Smallest effect seen with the suite's prompts.
        needed: Prompts for the effect asked for; None where none was.
    """

    spread: Spread
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
    """What the probes ask of all subjects together, at most.

    Attributes:
        workload: Of one subject.
        completion_tokens: Written by all of them, if every answer takes all the tokens it may.
        seconds: Of writing, by the pilot's speed; None without a pilot. Rating is not in it.
    """

    workload: ProbeWorkload
    ratings: int
    answers: int
    completion_tokens: int
    seconds: float | None


@dataclass(frozen=True)
class Cost:
    """What a suite costs at a number of prompts.

    Attributes:
        answers: By all subjects together.
        variants: A prompt, the original included.
        prompt_tokens: Read by the subjects; estimated.
        completion_tokens: Written by the subjects: measured in the pilot, else the most they may.
        seconds: Of generating; None without a pilot.
        notes: Where the figures come from.
    """

    prompts: int
    variants: int
    answers: int
    prompt_tokens: int
    completion_tokens: int
    seconds: float | None
    judges: list[JudgeCost]
    notes: list[str] = field(default_factory=list)
    probes: ProbeCost | None = None


def spreads_of_pilot(pilot: Mapping[str, Any]) -> list[Spread]:
    """Standard deviations of a pilot's leading measure; the widest where several were compared.

    Raises:
        DataError: The pilot compares nothing.
    """
    lead = pilot["headline"]["measures"][:1]
    found = [
        row
        for row in pilot["contrasts"]
        if [row["judge"], row["dimension"]] in lead
        and row["kind"] == ALL
        and row["scope"] == pilot["headline"]["scope"]
    ]
    spreads = []
    for estimand in QUESTIONS:
        sds = [
            (row[estimand]["se"] * math.sqrt(row[estimand]["n"]), row[estimand]["n"])
            for row in found
            if row[estimand] and row[estimand]["se"] is not None
        ]
        if sds:
            sd, n = max(sds)
            spreads.append(Spread(estimand, sd, f"pilot of {n} prompts"))
    if not spreads:
        raise DataError(
            "the pilot compares no two subjects on a measure with a better end; state --sd instead"
        )
    return spreads


def stated_spreads(sd: float) -> list[Spread]:
    """The same standard deviation for every estimand.

    Raises:
        DataError: It is not positive.
    """
    if not sd > 0:
        raise DataError(f"--sd must be positive, not {sd:g}")
    return [Spread(estimand, sd, "stated") for estimand in QUESTIONS]


def power(
    spreads: Sequence[Spread], prompts: int, *, effect: float | None, share: float = 0.8
) -> list[Power]:
    """What ``prompts`` can see with probability ``share``, and what ``effect`` needs.

    The test is the two-sided paired t test at 5 % without correction; the report's sign-flip test
    has the same power to within simulation error from about 20 prompts on.

    Raises:
        DataError: The effect is not positive.
    """
    if effect is not None and not effect > 0:
        raise DataError(f"--effect must be positive, not {effect:g}")
    return [
        Power(
            spread=s,
            prompts=prompts,
            detectable=minimum_detectable_effect(s.sd, prompts, share),
            needed=None if effect is None else required_prompts(effect, s.sd, share),
        )
        for s in spreads
    ]


def variants_of(suite: Suite) -> int:
    """Variants a prompt, the original included, if every kind applies."""
    kinds = sum(len(p.severities) for p in suite.perturbations) * suite.suite.variants_per_kind
    return 1 + max(kinds, suite.suite.variants_per_prompt)


def cost(
    suite: Suite,
    *,
    prompts: int,
    characters: float,
    llm_judges: Mapping[str, bool],
    pilot: Mapping[str, Any] | None = None,
    probed: ProbeWorkload | None = None,
) -> Cost:
    """Answers, judgements, tokens, money and time of a suite.

    Args:
        suite: The suite.
        prompts: Source prompts to ask.
        characters: Mean length of a prompt.
        llm_judges: By judge label, whether it is a language model.
        pilot: Summary of a run like it; its own token counts, times and prices are taken.
        probed: What its probes ask of each subject, where it has them.
    """
    variants = variants_of(suite)
    asked = prompts * variants * suite.suite.repeats
    answers = asked * len(suite.subjects)
    notes = [f"{variants} askings a prompt: the original and {variants - 1} variants"]
    measured = _measured_answers(pilot)
    if measured is None:
        written = sum(asked * s.generation.max_new_tokens for s in suite.subjects)
        seconds = None
        notes.append("answers are taken to fill max_new_tokens; time is unknown without a pilot")
    else:
        written, seconds = round(answers * measured[0]), answers * measured[1]
        notes.append("answer lengths and times are the pilot's")
    return Cost(
        prompts=prompts,
        variants=variants,
        answers=answers,
        prompt_tokens=round(answers * characters / CHARACTERS_PER_TOKEN),
        completion_tokens=written,
        seconds=seconds,
        judges=[
            _judge_cost(spec, answers, llm_judges.get(spec.label, False), pilot)
            for spec in suite.judges
        ],
        notes=notes,
        probes=None if probed is None else _probe_cost(suite, probed, measured),
    )


def _probe_cost(
    suite: Suite, probed: ProbeWorkload, measured: tuple[float, float] | None
) -> ProbeCost:
    assert suite.probes is not None
    answers = probed.answers * len(suite.subjects)
    written = answers * suite.probes.max_new_tokens
    return ProbeCost(
        workload=probed,
        ratings=probed.ratings * len(suite.subjects),
        answers=answers,
        completion_tokens=written,
        seconds=None if measured is None else written * measured[1] / measured[0],
    )


def _measured_answers(pilot: Mapping[str, Any] | None) -> tuple[float, float] | None:
    """Mean tokens and seconds of a pilot's answers."""
    if pilot is None:
        return None
    done = [(a, a["answers"] - a["failed"]) for a in pilot["answers"] if a["mean_tokens"]]
    total = sum(n for _, n in done)
    if not total:
        return None
    tokens = sum(a["mean_tokens"] * n for a, n in done) / total
    return tokens, sum(a["seconds"] for a, _ in done) / total


def _judge_cost(
    spec: JudgeSpec, answers: int, llm: bool, pilot: Mapping[str, Any] | None
) -> JudgeCost:
    judged = answers * spec.repeats
    known = (pilot or {}).get("judges", {}).get(spec.label)
    if not llm or not known or not known.get("cost") or not known["judgements"]:
        return JudgeCost(spec.label, llm, judged)
    piloted = sum(a["answers"] - a["failed"] for a in (pilot or {})["answers"])
    scale = judged / max(piloted * known.get("repeats", 1), 1)
    spent = known["cost"]
    prices = spec.options.get("prices") or {}
    money = (
        spent["prompt_tokens"] * prices.get("prompt", 0.0)
        + spent["completion_tokens"] * prices.get("completion", 0.0)
    ) / 1e6
    return JudgeCost(
        spec.label,
        llm,
        judged,
        tokens=round((spent["prompt_tokens"] + spent["completion_tokens"]) * scale),
        money=(money or spent["money"]) * scale,
        seconds=spent["seconds"] * scale,
    )
