"""The error budget of runs whose components are known, and what its steps are really worth."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from harness.analysis import AnalysisSettings, BootstrapSettings, RunRecords, Summary, summarise
from harness.analysis.error_budget_schema import ErrorBudget, Lever
from harness.judging.traits import JudgeInfo
from harness.records import Dimension, Message, Sample, Score, Variant

GRADE = Dimension(name="grade", low=0, high=100, description="From 0 to 100.")


@dataclass(frozen=True)
class Design:
    """A made-up run: sizes, and the standard deviations of one subject's answers."""

    prompts: int = 120
    variants: int = 4
    repeats: int = 1
    originals: int = 1
    identity: bool = False
    judgements: int = 1
    prompt: float = 1.0
    kind: float = 0.7
    variant: float = 1.0
    repeat: float = 4.0
    judge: float = 0.0
    judges: tuple[str, ...] = ("people-like",)
    disagree: float = 0.0


def _summary(design: Design, seed: int = 1) -> Summary:
    rng = np.random.default_rng(seed)
    samples, variants, scores = [], [], []
    kinds = ("original", "typo", "role", *(["identity"] if design.identity else []))
    for index in range(design.prompts):
        text = f"What is the {index}th thing that somebody could ask for, and why {index * 7}?"
        sample = Sample(id=f"p{index:04d}", messages=(Message(role="user", content=text),))
        samples.append(sample)
        of_prompt = rng.normal(0, design.prompt, 2)
        apart = {judge: rng.normal(0, design.disagree, 2) for judge in design.judges}
        of_kind = {kind: rng.normal(0, design.kind, 2) for kind in kinds}
        of_kind["identity"] = of_kind["original"]
        of_variant = {"original": rng.normal(0, design.variant, 2)}
        for kind in kinds:
            single = kind in ("original", "identity")
            for replicate in range(1 if single else design.variants):
                variant = Variant(
                    sample_id=sample.id,
                    perturbation=kind,
                    severity="none" if single else "medium",
                    replicate=replicate,
                    messages=sample.messages,
                )
                variants.append(variant)
                noise = of_variant["original"] if single else rng.normal(0, design.variant, 2)
                asked = design.originals if kind == "original" else design.repeats
                for repeat in range(max(asked, design.repeats)):
                    answer = (
                        50 + of_prompt + of_kind[kind] + noise + rng.normal(0, design.repeat, 2)
                    )
                    for judge in design.judges:
                        for again in range(design.judgements):
                            graded = answer + apart[judge] + rng.normal(0, design.judge, 2)
                            scores += [
                                Score(
                                    **variant.variant_key._asdict(),
                                    judge=judge,
                                    dimension="grade",
                                    version="1",
                                    subject=subject,
                                    repeat=repeat,
                                    judge_repeat=again,
                                    value=float(value),
                                    status="scored",
                                )
                                for subject, value in zip(("base", "tuned"), graded, strict=True)
                            ]
    infos = [
        JudgeInfo(name, (GRADE,), llm=True, repeats=design.judgements) for name in design.judges
    ]
    records = RunRecords(samples, variants, (), scores, ["base", "tuned"], "base")
    return summarise(records, infos, AnalysisSettings(BootstrapSettings(3, 200)))


def _budget(design: Design, seed: int = 1) -> ErrorBudget:
    (budget,) = _summary(design, seed).error_budgets
    return budget


def _lever(budget: ErrorBudget, difference: str, name: str) -> Lever:
    return next(r for r in budget.levers if (r.difference, r.lever) == (difference, name))


def test_known_components_are_found() -> None:
    design = Design(prompts=400, repeats=2, judgements=2, judge=1.5)
    rows = {row.source: row for row in _budget(design).components}
    true = {"prompt": 2.0, "prompt x kind": 0.98, "variant": 2.0, "repeat": 32.0, "judge": 4.5}
    for source, variance in true.items():
        row = rows[source]
        assert row.low is not None
        assert row.high is not None
        assert row.variance is not None
        assert row.low - 0.5 <= variance <= row.high + 0.5, source
    assert sum(row.share or 0 for row in rows.values()) == pytest.approx(1, abs=1e-3)


def test_asking_each_original_three_times_cuts_the_error_by_40_percent() -> None:
    # Sampled answers: the noise of the one original is in every comparison with it.
    pilot = Design(prompts=200, variants=8, repeats=2, prompt=1, kind=0.3, variant=0.3)
    once = replace(pilot, repeats=1)
    budget = _budget(replace(once, originals=2), seed=5)
    step = _lever(budget, "did", "originals")
    assert (step.now, step.then) == (2, 3)
    assert step.answers == 200 * 2  # one more to each original, of both subjects
    # What it says by itself, from one answer to three: 1 + 1/16 against 1/3 + 1/16 of the noise.
    share = 1 - step.factor**2
    now = 16 * 2 * (1 / 2 + 1 / 16) + 0.09 * 2 * 1.5 + 0.09 * 2 * (1 + 1 / 16)
    assert share == pytest.approx(16 * 2 / 6 / now, rel=0.2)
    errors = [_budget(replace(once, prompts=600, originals=n), 6).errors["did"] for n in (1, 3)]
    assert errors[1] / errors[0] == pytest.approx(0.6, abs=0.05)
    pooled = _budget(replace(once, prompts=600, originals=2, identity=True), 6).errors["did"]
    assert pooled / errors[0] == pytest.approx(0.65, abs=0.07)  # identity is the third answer


def test_the_prediction_holds_when_the_step_is_taken() -> None:
    before = _budget(Design(prompts=400, repeats=2), seed=8)
    after = _budget(Design(prompts=400, repeats=2, originals=6), seed=9)
    predicted = _lever(before, "did", "originals")
    assert (predicted.now, predicted.then) == (2, 3)
    for difference in ("gain_originals", "did"):
        lever = _lever(before, difference, "originals")
        gone = (1 - lever.factor**2) * 3  # all that there is to take, from a third of it
        expected = np.sqrt(1 - gone * (1 - 2 / 6))
        real = after.errors[difference] / before.errors[difference]
        assert real == pytest.approx(expected, abs=0.09)


def test_more_prompts_halve_anything_and_cost_all_there_is_three_times_over() -> None:
    budget = _budget(Design(repeats=2))
    for difference in ("gain_originals", "gain_variants", "did"):
        lever = _lever(budget, difference, "prompts")
        assert lever.factor == pytest.approx(0.7071, abs=1e-3)
        assert lever.halves_at == 480
        assert lever.halves_answers == 3 * 120 * 2 * budget.answers == 3 * 120 * 2 * 18
    assert budget.words[1].startswith("To halve the standard error of the difference on originals")


def test_identity_answers_are_answers_to_the_original() -> None:
    once = _summary(Design(prompts=300, variants=8))
    twice = _summary(Design(prompts=300, variants=8, identity=True))
    (budget,) = twice.error_budgets
    assert _lever(budget, "did", "originals").now == 2
    assert budget.errors["did"] < 0.85 * once.error_budgets[0].errors["did"]
    # But what asking again changes is still one answer less another.
    noise = next(row for row in twice.contrasts if row.kind == "identity")
    assert noise.did is not None
    assert noise.did.se is not None
    assert noise.did.se * np.sqrt(300) == pytest.approx(np.sqrt(4 * 16), rel=0.15)


def test_what_was_asked_once_says_that_it_is_not_known() -> None:
    budget = _budget(Design())
    repeat = next(row for row in budget.components if row.source == "repeat")
    variant = next(row for row in budget.components if row.source == "variant")
    assert repeat.variance is None
    assert variant.includes == ("repeat", "judge")
    assert not [row for row in budget.levers if row.lever in ("originals", "repeats", "judging")]
    assert "suite.original_repeats: 2" in budget.words[-1]


def test_judging_again_and_another_judge() -> None:
    design = Design(
        judgements=2, judge=4.0, repeat=1.0, repeats=2, judges=("one", "two"), disagree=4.0
    )
    budget = _budget(design)
    again = _lever(budget, "gain_variants", "judging")
    assert (again.answers, again.now, again.then) == (0, 2, 4)
    assert again.judgements == 120 * 2 * 18 * 2
    other = _lever(budget, "gain_originals", "judges")
    # Half of what the judges disagree on, 4^2 for each of two subjects, and their noise.
    alone = (budget.errors["gain_originals"] ** 2) * 120
    assert (1 - other.factor**2) * alone == pytest.approx(16 + 4, rel=0.35)


def test_few_prompts_have_no_budget() -> None:
    assert _summary(Design(prompts=6)).error_budgets == ()
