"""Plans: power against closed forms, costs against counting by hand, the command end to end."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.analysis.summary_schema import JudgeSpending
from harness.cli.audit import command as audit
from harness.cli.plan import command
from harness.cli.probe import command as probe
from harness.config import Suite
from harness.errors import ConfigError, DataError, StoreError
from harness.pipeline import planning
from tests.synthetic import World, make_run

SUITE = Suite.model_validate(
    {
        "data": "unused.jsonl",
        "subjects": [
            {"name": "base", "model": "scripted:echo", "generation": {"max_new_tokens": 50}},
            {"name": "tuned", "model": "scripted:echo", "generation": {"max_new_tokens": 100}},
        ],
        "perturbations": [{"typo": {"severity": ["light", "heavy"]}}, "role"],
        "judges": [
            "rouge_l",
            {"rubric": {"repeats": 2, "prices": {"prompt": 1.0, "completion": 4.0}}},
        ],
        "suite": {"repeats": 3, "variants_per_prompt": 4},
    }
)


def test_power_is_that_of_the_report_at_its_corrected_level() -> None:
    alpha = planning.headline_level(subjects=2)
    assert alpha == pytest.approx(0.05 / 2 / 3)
    assert planning.headline_level(subjects=3, measures=2) == pytest.approx(0.05 / 2 / 12)
    found = planning.power(planning.stated_spreads(0.8), 40, effect=0.25, alpha=alpha)
    assert [p.spread.estimand for p in found] == list(planning.QUESTIONS)
    # (z + z)^2 sd^2 / d^2, and the small-sample correction.
    assert found[0].needed == pytest.approx((2.638 + 0.8416) ** 2 * 0.64 / 0.0625 + 6, abs=2)
    by_hand = (2.773 + 0.851) * 0.8 / 40**0.5  # of Student's test alone; the report asks for more
    assert 1.02 < found[0].detectable / by_hand < 1.06


def test_related_prompts_of_a_pilot_count_as_few_in_the_plan() -> None:
    made = make_run(40, rubric=False)
    related = replace(
        made,
        samples=[
            sample.model_copy(update={"family": f"s{4 * (number // 4):04d}"})
            for number, sample in enumerate(made.samples)
        ],
    )
    spread = planning.spreads_of_pilot(related.summary(resamples=300))[0]
    assert spread.source == "pilot of 40 prompts, 10 of them unrelated"
    assert spread.clusters_a_prompt == 0.25
    alone = planning.spreads_of_pilot(made.summary(resamples=300))[0]
    [few], [many] = (planning.power([s], 40, effect=0.1, alpha=0.01) for s in (spread, alone))
    assert few.detectable > many.detectable


def test_pilot_gives_the_spread_of_the_differences_and_not_of_the_scores() -> None:
    summary = make_run(60, world=World(gain={"base": 0.0, "tuned": 0.1}), rubric=False).summary()
    spreads = {s.estimand: s for s in planning.spreads_of_pilot(summary)}
    level = next(
        c.originals
        for c in summary.cells
        if (c.subject, c.dimension, c.kind) == ("base", "closeness", "(all kinds)")
    )
    assert level is not None
    assert level.se is not None
    assert spreads["gain_variants"].sd < 0.5 * level.se * 60**0.5
    assert spreads["gain_variants"].source == "pilot of 60 prompts"


def test_a_plan_holds_what_it_promises() -> None:
    """Planned from a pilot, the run with the planned prompts sees the effect about as promised."""
    world = World(gain={"base": 0.0, "tuned": 0.0}, cost={})
    pilot = make_run(80, world=world, rubric=False, seed=50).summary()
    spread = {s.estimand: s for s in planning.spreads_of_pilot(pilot)}["gain_originals"]
    effect = 0.06
    needed = planning.power([spread], 3, effect=effect, alpha=planning.headline_level(2))[0].needed
    assert needed is not None
    seen = 0
    for seed in range(20):
        true = World(gain={"base": 0.0, "tuned": effect / 2}, cost={})  # the scale is two wide
        made = make_run(needed, world=true, rubric=False, seed=seed, kinds=("role",))
        row = next(
            c
            for c in made.summary(resamples=400).contrasts
            if (c.dimension, c.kind, c.scope) == ("closeness", "(all kinds)", "all")
        )
        assert row.gain_originals is not None
        assert row.gain_originals.p is not None
        seen += row.gain_originals.p <= 0.05
    assert 11 <= seen <= 20


def test_costs_by_hand() -> None:
    found = planning.run_cost(
        SUITE, prompts=10, characters=200.0, llm_judges={"rubric": True, "rouge_l": False}
    )
    assert found.notes[0].startswith(
        "5 requests a prompt"
    )  # original, and four because the suite wants at least four
    assert found.answers == 10 * 5 * 3 * 2
    assert found.prompt_tokens == 300 * 50
    assert found.completion_tokens == 150 * 50 + 150 * 100
    assert found.seconds is None
    rouge, rubric = found.judges
    assert (rouge.judgements, rouge.llm) == (300, False)
    assert (rubric.judgements, rubric.tokens, rubric.money) == (600, None, None)


def test_costs_scale_a_pilot() -> None:
    summary = make_run(10).summary()
    answers = sum(a.answers for a in summary.answers)
    spent = JudgeSpending(
        calls=1_000,
        prompt_tokens=1_000_000,
        completion_tokens=100_000,
        money=0.0,
        seconds=60.0,
        uncounted=0,
        priced=False,
    )
    rubric = summary.judges["rubric"].model_copy(update={"cost": spent})
    summary = summary.model_copy(update={"judges": {**summary.judges, "rubric": rubric}})
    found = planning.run_cost(
        SUITE, prompts=100, characters=100.0, llm_judges={"rubric": True}, pilot=summary
    )
    assert found.completion_tokens == found.answers * 60
    assert found.seconds == pytest.approx(found.answers * 0.8)
    scale = found.answers * 2 / answers
    assert found.judges[1].tokens == pytest.approx(1_100_000 * scale, rel=1e-6)
    assert found.judges[1].money == pytest.approx((1.0 + 0.4) * scale)


def test_bad_figures_are_one_clear_line() -> None:
    with pytest.raises(DataError, match="--sd must be positive"):
        planning.stated_spreads(0)
    with pytest.raises(DataError, match="--effect must be positive"):
        planning.power(planning.stated_spreads(1), 10, effect=-1, alpha=0.05)
    alone = make_run(5, world=World(gain={"base": 0.0}), rubric=False).summary()
    with pytest.raises(DataError, match="compares no two subjects"):
        planning.spreads_of_pilot(alone)


def write_suite(folder: Path) -> Path:
    (folder / "data.jsonl").write_text(
        "".join(f'{{"prompt": "Question {i}?", "response": "Answer."}}\n' for i in range(12))
    )
    path = folder / "suite.yaml"
    path.write_text(
        f"data: {folder / 'data.jsonl'}\n"
        "subjects:\n  - {name: base, model: 'scripted:echo'}\n"
        "  - {name: tuned, model: 'scripted:echo'}\n"
        "perturbations: [typo]\njudges: [rouge_l]\n"
    )
    return path


def test_command_says_power_and_cost(tmp_path: Path) -> None:
    suite = write_suite(tmp_path)
    done = CliRunner().invoke(command, [str(suite), "--sd", "0.5", "--effect", "0.2"])
    assert done.exit_code == 0, done.output
    assert "With 12 prompts" in done.output
    assert "0.2 needs 82 prompts" in done.output
    assert "144 answers" in done.output
    pilot = make_run(20, rubric=False).write(tmp_path / "pilot")
    done = CliRunner().invoke(command, [str(suite), "--pilot", str(pilot), "--prompts", "200"])
    assert done.exit_code == 0, done.output
    assert "pilot of 20 prompts" in done.output


def test_probes_are_planned_as_they_are_asked(tmp_path: Path) -> None:
    """The plan of a suite with probes against the records that its probes leave."""
    write_suite(tmp_path)
    rows = [
        {"prompt": f"Train {i} of the many questions?", "response": "One two three four five six."}
        for i in range(6)
    ]
    train = tmp_path / "train.jsonl"
    train.write_text("".join(json.dumps(row) + "\n" for row in [*rows, rows[0]]))
    done = CliRunner().invoke(audit, [str(train), "--plant", str(tmp_path / "planted")])
    assert done.exit_code == 0, done.output
    suite = tmp_path / "suite.yaml"
    suite.write_text(
        suite.read_text()
        + f"training_data: {tmp_path / 'planted' / 'train.jsonl'}\n"
        + "probes: {training: 4, clean: 3, canary_candidates: 20, max_new_tokens: 8,"
        + f" canaries: {tmp_path / 'planted' / 'canaries.json'}}}\n"
    )
    done = CliRunner().invoke(command, [str(suite), "--sd", "0.5"])
    assert done.exit_code == 0, done.output
    found = re.search(
        r"probes on 4 training and 3 clean prompts: ([\d,]+) ratings, ([\d,]+) answers of up to"
        r" ([\d,]+) tokens",
        done.output,
    )
    assert found is not None, done.output
    ratings, answers, tokens = (int(figure.replace(",", "")) for figure in found.groups())
    done = CliRunner().invoke(probe, [str(suite), "--out", str(tmp_path / "run")])
    assert done.exit_code in (0, 1), done.output
    kinds = Counter(
        json.loads(line)["probe"]
        for line in (tmp_path / "run" / "probes.jsonl").read_text().splitlines()
    )
    # At most so many: none of these responses has another one or a rewording for its neighbour.
    subjects, training = 2, 4
    assert kinds["loss"] + kinds["canary"] == ratings - subjects * training
    assert kinds["answer"] + kinds["continuation"] == answers
    assert tokens == answers * 8


def test_command_wants_a_spread(tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [str(write_suite(tmp_path))])
    assert isinstance(done.exception, ConfigError)
    done = CliRunner().invoke(command, [str(tmp_path / "suite.yaml"), "--pilot", str(tmp_path)])
    assert isinstance(done.exception, StoreError)


def test_searches_are_counted_apart_and_at_most() -> None:
    options = {"severity": ["light", "heavy"], "search": {"budget": 40, "prompts": 10}}
    dumped = SUITE.model_dump(mode="json")
    suite = Suite.model_validate({**dumped, "perturbations": [{"typo": options}, "role"]})
    cost = planning.run_cost(suite, prompts=25, characters=80, llm_judges={})
    plain = planning.run_cost(SUITE, prompts=25, characters=80, llm_judges={})
    assert cost.searches is not None
    assert cost.searches.answers == 40 * 10 * 2 * 2
    assert cost.searches.completion_tokens == 40 * 10 * 2 * (50 + 100)
    assert cost.searches.seconds is None
    assert (cost.answers, plain.searches) == (plain.answers, None)
