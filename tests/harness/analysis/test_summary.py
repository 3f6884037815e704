"""Analysis: estimands against hand-made records, missing scores, words that claim no more than they may."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from harness.analysis import (
    ALL,
    AnalysisSettings,
    BootstrapSettings,
    RunRecords,
    Summary,
    sentences,
    summarise,
)
from harness.analysis.estimates import Contrast, Estimate, Interval, Measure, MissingScores
from harness.analysis.evidence import VerdictBasis, direction
from harness.errors import DataError
from harness.judging.traits import JudgeInfo
from harness.records import Completion, Dimension, Generation, Message, Sample, Score, Variant
from harness.util.formatting import figure, listing, plural, with_interval
from tests.synthetic import World, make_run

QUALITY = Dimension(name="quality", low=0, high=10)


def small_run(
    values: dict[str, dict[str, dict[str, list[float | None]]]],
    *,
    dimension: Dimension = QUALITY,
    prompts: dict[str, str] | None = None,
) -> Summary:
    """Summary of values[sample][subject][kind] = one value a variant (None: judgement failed)."""
    samples, variants, generations, scores = [], [], [], []
    subjects = list(next(iter(values.values())))
    for sample_id, by_subject in values.items():
        messages = (Message(role="user", content=(prompts or {}).get(sample_id, sample_id)),)
        samples.append(Sample(id=sample_id, messages=messages))
        for kind, found in by_subject[subjects[0]].items():
            variants += [
                Variant(sample_id=sample_id, perturbation=kind, replicate=r, messages=messages)
                for r in range(len(found))
            ]
        for subject, kinds in by_subject.items():
            for kind, found in kinds.items():
                for replicate, value in enumerate(found):
                    key = {"sample_id": sample_id, "perturbation": kind, "replicate": replicate}
                    completion = Completion(text="answer", finish_reason="stop")
                    generations.append(Generation(**key, subject=subject, completion=completion))
                    scores.append(
                        Score(
                            **key,
                            judge="judge",
                            dimension=dimension.name,
                            version="1",
                            subject=subject,
                            value=value,
                            status="unparsed" if value is None else "scored",
                        )
                    )
    return summarise(
        RunRecords(samples, variants, generations, scores, subjects, subjects[0]),
        [JudgeInfo("judge", [dimension])],
        AnalysisSettings(BootstrapSettings(1, 500)),
    )


def row(summary: Summary, section: str, **wanted: Any) -> Any:
    rows = [
        r for r in getattr(summary, section) if all(getattr(r, k) == v for k, v in wanted.items())
    ]
    assert len(rows) == 1, rows
    return rows[0]


def test_kinds_are_compared_with_the_originals_of_their_own_prompts() -> None:
    # The kind applies to the hard prompt only; against all originals it would seem to cost 4.
    summary = small_run(
        {
            "easy": {"base": {"original": [9.0]}},
            "hard": {"base": {"original": [1.0], "typo": [1.0]}},
        }
    )
    cell = row(summary, "cells", kind="typo")
    assert cell.n == 1
    assert cell.originals.mean == 1.0
    assert cell.change.mean == 0.0


def test_variants_of_a_prompt_are_averaged_before_prompts_are() -> None:
    summary = small_run(
        {
            "a": {"base": {"original": [5.0], "typo": [0.0, 0.0, 0.0, 0.0]}},
            "b": {"base": {"original": [5.0], "typo": [8.0]}},
        }
    )
    cell = row(summary, "cells", kind="typo")
    assert cell.variants.mean == 4.0  # and not 1.6
    assert cell.drop.mean == 1.0


def test_kinds_weigh_equally_within_a_prompt() -> None:
    summary = small_run(
        {"a": {"base": {"original": [5.0], "typo": [0.0, 0.0, 0.0], "role": [4.0]}}}
    )
    assert row(summary, "cells", kind=ALL).variants.mean == 2.0


def test_gain_and_difference_in_differences_by_hand() -> None:
    summary = small_run(
        {
            "a": {
                "base": {"original": [2.0], "typo": [1.0]},
                "tuned": {"original": [6.0], "typo": [3.0]},
            },
            "b": {
                "base": {"original": [4.0], "typo": [4.0]},
                "tuned": {"original": [6.0], "typo": [6.0]},
            },
        }
    )
    found = row(summary, "contrasts", kind="typo")
    assert found.gain_originals.mean == 3.0
    assert found.gain_variants.mean == 2.0
    assert found.did.mean == -1.0


def test_gain_is_over_variants_that_both_were_scored_on() -> None:
    summary = small_run(
        {
            "a": {
                "base": {"original": [5.0], "typo": [0.0, None]},
                "tuned": {"original": [5.0], "typo": [1.0, 9.0]},
            },
            "b": {
                "base": {"original": [5.0], "typo": [2.0, 2.0]},
                "tuned": {"original": [5.0], "typo": [3.0, 3.0]},
            },
        }
    )
    assert row(summary, "contrasts", kind="typo").gain_variants.mean == 1.0


def test_samples_with_the_same_prompt_are_one_cluster() -> None:
    values = {f"s{i}": {"base": {"original": [float(i)], "typo": [float(i)]}} for i in range(10)}
    summary = small_run(values, prompts={f"s{i}": f"prompt {i // 2}" for i in range(10)})
    assert summary.prompts == 5
    assert summary.samples == 10
    assert row(summary, "cells", kind="typo").variants.n == 5


@pytest.mark.parametrize(("better", "worst"), [(True, 1.0), (False, 7.0)])
def test_worst_case_respects_the_better_end(better: bool, worst: float) -> None:
    dimension = Dimension(name="quality", low=0, high=10, higher_is_better=better)
    values = {s: {"base": {"original": [5.0], "typo": [1.0, 3.0, 7.0]}} for s in "ab"}
    cell = row(small_run(values, dimension=dimension), "cells", kind="typo")
    assert cell.worst.k == 3
    assert cell.worst.mean == worst


def test_worst_case_uses_one_k_for_all_prompts() -> None:
    values = {
        "few": {"base": {"original": [5.0], "typo": [2.0, 4.0]}},
        "many": {"base": {"original": [5.0], "typo": [1.0, 3.0, 7.0]}},
    }
    cell = row(small_run(values), "cells", kind="typo")
    assert cell.worst.k == 2
    # 2 and the mean of min(1, 3), min(1, 7), min(3, 7).
    assert cell.worst.mean == pytest.approx((2 + 5 / 3) / 2, abs=1e-5)


def test_lower_is_better_turns_the_drop_and_not_the_change() -> None:
    dimension = Dimension(name="quality", low=0, high=10, higher_is_better=False)
    values = {s: {"base": {"original": [1.0], "typo": [3.0]}} for s in "ab"}
    cell = row(small_run(values, dimension=dimension), "cells", kind="typo")
    assert cell.change.mean == 2.0
    assert cell.drop.mean == 2.0
    higher = row(small_run(values), "cells", kind="typo")
    assert higher.drop.mean == -2.0


def test_a_measure_without_a_better_end_has_neither_drop_nor_worst_case() -> None:
    dimension = Dimension(name="length", low=0, high=10, higher_is_better=None)
    values = {s: {"base": {"original": [1.0], "typo": [3.0]}} for s in "ab"}
    summary = small_run(values, dimension=dimension)
    cell = row(summary, "cells", kind="typo")
    assert cell.drop is None
    assert cell.worst is None
    assert cell.change.mean == 2.0
    assert summary.headline.measures == ()
    assert "Nothing was scored" in summary.finding.sentence


def test_missing_scores_are_counted_and_bounded_and_no_zeros() -> None:
    values: dict[str, dict[str, dict[str, list[float | None]]]] = {
        f"s{i}": {"base": {"original": [6.0], "typo": [6.0, None if i < 4 else 6.0]}}
        for i in range(10)
    }
    summary = small_run(values)
    cell = row(summary, "cells", kind="typo")
    assert cell.variants.mean == 6.0
    assert cell.missing == MissingScores(expected=20, missing=4, share=0.2)
    # Four of twenty at 0: 4.8; at 10: 6.8.
    assert cell.bounds.variants == (4.8, 6.8)
    assert cell.bounds.change == (-1.2, 0.8)
    failure = row(summary, "failures", stage="scores")
    assert failure.count == 4
    assert failure.kind == "unparsed"


def test_prompts_in_danger_and_what_was_not_made_of_them_are_counted() -> None:
    sample = Sample(id="a", messages=(Message(role="user", content="I want to die."),))
    held = Variant(sample_id="a", perturbation="typo", status="inapplicable", reason="danger: x")
    original = Variant(
        sample_id="a", perturbation="original", messages=sample.messages, danger=True
    )
    answer = Generation(
        sample_id="a",
        perturbation="original",
        subject="base",
        completion=Completion(text="answer", finish_reason="stop"),
    )
    summary = summarise(
        RunRecords([sample], [original, held], [answer], [], ["base"], "base"),
        [JudgeInfo("judge", [QUALITY])],
        AnalysisSettings(BootstrapSettings(1, 500)),
    )
    assert summary.prompts_in_danger == 1
    failure = row(summary, "failures", stage="variants")
    assert (failure.kind, failure.perturbation, failure.count) == ("danger", "typo", 1)


def test_few_missing_scores_carry_no_bounds() -> None:
    values: dict[str, dict[str, dict[str, list[float | None]]]] = {
        f"s{i}": {"base": {"original": [6.0], "typo": [None if i == 0 else 6.0]}} for i in range(20)
    }
    cell = row(small_run(values), "cells", kind="typo")
    assert cell.missing.missing == 1
    assert cell.bounds is None
    assert cell.n == 19


def test_a_failed_answer_without_any_score_is_missing_too() -> None:
    made = make_run(20, rubric=False, failing=0.3, seed=2)
    failed = sum(g.completion.text is None for g in made.generations if g.subject == "base")
    summary = made.summary()
    cells = [
        c for c in summary.cells if (c.subject, c.judge) == ("base", "rouge_l") and c.kind != ALL
    ]
    missing = sum(c.missing.missing for c in cells) + cells[0].missing_originals.missing
    assert missing == failed
    counted = sum(
        f.count for f in summary.failures if (f.stage, f.subject) == ("generations", "base")
    )
    assert counted == failed


def test_scores_that_do_not_apply_are_not_missing() -> None:
    made = make_run(12, rubric=False)
    made.samples = [s.model_copy(update={"reference": None}) for s in made.samples]
    made.scores = [s for s in made.scores if s.dimension not in ("rouge_l", "closeness")]
    summary = made.summary()
    assert all(c.missing.missing == 0 for c in summary.cells)
    assert not [c for c in summary.cells if c.dimension == "closeness"]


def test_fillers_count_in_levels_and_stay_out_of_severity_curves() -> None:
    made = make_run(30, rubric=False)
    full = made.summary()
    filler = {v.variant_key for v in made.variants if v.filler}
    assert filler
    made.scores = [
        s.model_copy(update={"value": 0.0})
        if s.variant_key in filler and s.dimension == "rouge_l"
        else s
        for s in made.scores
    ]
    changed = made.summary()

    def levels(summary: Summary, section: str) -> list[Any]:
        return [
            r.variants
            for r in getattr(summary, section)
            if (r.dimension, r.kind) == ("rouge_l", "synonym")
        ]

    assert levels(full, "severities") == levels(changed, "severities")
    assert levels(full, "cells") != levels(changed, "cells")


def test_consistency_is_measured_from_the_identity_floor() -> None:
    summary = make_run(40).summary()
    cell = row(summary, "cells", dimension="consistency", subject="base", kind="typo")
    assert cell.against == "identity"
    assert cell.originals.mean == 1.0
    assert cell.change.mean < -0.1
    without = make_run(40, kinds=("typo",)).summary()
    cell = row(without, "cells", dimension="consistency", subject="base", kind="typo")
    assert cell.originals is None
    assert cell.change is None
    assert cell.variants.n == 40


def test_rates_have_wilson_intervals() -> None:
    summary = make_run(40).summary()
    cell = row(summary, "cells", dimension="degenerate", subject="base", kind="typo")
    assert cell.variants.method == "clustered_wilson"
    assert 0 < cell.variants.low < cell.variants.mean < cell.variants.high


def test_known_effects_are_found() -> None:
    world = World(gain={"base": 0.0, "tuned": 0.10}, cost={"typo": 0.05}, extra={"tuned": 0.06})
    summary = make_run(150, world=world, seed=5).summary(resamples=3000)
    found = row(summary, "contrasts", dimension="closeness", kind="reorder", scope="all")
    for name, truth in (("gain_originals", 0.20), ("gain_variants", 0.08), ("did", -0.12)):
        assert getattr(found, name).low < truth < getattr(found, name).high
    subject = summary.finding.subjects[0]
    assert (subject.original, subject.reworded, subject.robust) == (
        "better",
        "better",
        "worse",
    )
    assert subject.costliest == "typo"
    assert "stays better" in summary.finding.sentence
    lights = {light.question: light.light for light in summary.traffic_lights}
    assert lights["Better?"] == "green"
    assert lights["Robust?"] == "red"
    assert lights["Consistent?"] == "red"


def test_nothing_is_claimed_where_nothing_is_true() -> None:
    world = World(gain={"base": 0.0, "tuned": 0.0}, cost={})
    claims = 0
    for seed in range(12):
        summary = make_run(20, world=world, seed=seed, kinds=("typo", "role")).summary()
        subject = summary.finding.subjects[0]
        claims += {"better", "worse"} & {subject.original, subject.reworded} != set()
        if subject.original == subject.reworded == "unclear":
            assert "difference between tuned and base was seen" in summary.finding.sentence
    assert claims <= 2


def test_words_need_the_corrected_test_and_the_interval() -> None:
    sure = estimate(0.01)
    assert direction(sure, 1) == "better"
    assert direction(sure, -1) == "worse"
    assert direction(estimate(0.06), 1) == "unclear"
    assert direction(sure.model_copy(update={"low": -0.01}), 1) == "unclear"
    assert direction(None, 1) == "not measured"
    assert direction(estimate(None), 1) == "unclear"


def test_share_kept_only_where_the_gain_is_real() -> None:
    real = make_run(60, world=World(gain={"base": 0.0, "tuned": 0.2})).summary()
    kept = row(real, "contrasts", dimension="overall", kind=ALL, scope="all").kept
    assert kept.low < kept.mean < kept.high
    none = make_run(60, world=World(gain={"base": 0.0, "tuned": 0.0}), seed=4).summary()
    assert all(
        c.kept is None for c in none.contrasts if c.gain_originals and c.gain_originals.low <= 0
    )


@pytest.mark.parametrize(
    ("rubric", "expected"),
    [
        (True, (("rubric", "overall"),)),
        (False, (("semantic", "closeness"), ("rouge_l", "rouge_l"))),
    ],
)
def test_headline_prefers_the_llm_judge(
    rubric: bool, expected: tuple[tuple[str, str], ...]
) -> None:
    summary = make_run(12, rubric=rubric).summary()
    assert summary.headline.measures == expected
    assert any(judge.llm for judge in summary.judges.values()) is rubric


def test_finding_rests_on_clean_prompts_and_shows_the_leaked() -> None:
    summary = make_run(60, leaked=0.4, seed=3).summary()
    assert summary.headline.scope == "clean"
    scopes = {
        c.scope: c.gain_originals.mean
        for c in summary.contrasts
        if (c.dimension, c.kind) == ("overall", ALL)
    }
    assert set(scopes) == {"all", "clean", "leaked"}
    assert scopes["leaked"] > scopes["all"] > scopes["clean"]
    assert row(summary, "traffic_lights", question="Leaked?").light == "amber"


def test_every_score_three_ways_and_the_gap_with_its_interval() -> None:
    summary = make_run(60, leaked=0.4, seed=3).summary()
    found = row(
        summary, "leak_gaps", subject="tuned", dimension="overall", what="gain", kind="original"
    )
    assert found.gap.mean == pytest.approx(found.leaked.mean - found.clean.mean, abs=1e-4)
    assert found.gap.low > 0  # the synthetic world rewards leaked prompts
    assert found.gap.leaked + found.gap.clean == found.all.n == 60
    levels = [r for r in summary.leak_gaps if r.what == "level"]
    measures = {(m.judge, m.dimension) for m in summary.measures}
    assert {(r.judge, r.dimension) for r in levels} == measures
    assert {r.subject for r in levels} == set(summary.subjects)
    for r in levels:
        scale = next(m for m in summary.measures if m.dimension == r.dimension)
        assert scale.low <= r.clean.mean <= scale.high


def test_levels_drops_and_worst_cases_are_those_of_the_prompts_behind_the_finding() -> None:
    summary = make_run(60, leaked=0.4, seed=3).summary()
    clean = summary.headline.prompts
    assert clean == summary.audit.clean < 60
    assert {c.n for c in summary.cells if c.kind == ALL} == {clean}
    assert max(w.expected_worst.n for w in summary.worst) <= clean
    for cell in summary.cells:
        if cell.kind == ALL and cell.dimension == "overall":
            levels = row(
                summary, "leak_gaps", what="level", kind="original",
                subject=cell.subject, judge=cell.judge, dimension=cell.dimension,
            )  # fmt: skip
            assert cell.originals.mean == pytest.approx(levels.clean.mean, abs=1e-6)


def test_the_verdict_begins_with_the_leak() -> None:
    summary = make_run(60, leaked=0.4, seed=3).summary()
    leaked = summary.audit.leaked
    first = summary.finding.sentence.split(";")[0]
    assert first.startswith(f"Leaked: {leaked} of 60 test prompts stand in the training data (")
    assert "more on them than on clean ones" in first
    assert f"rests on the other {60 - leaked}." in summary.finding.sentence
    clean = make_run(30).summary()
    assert clean.finding.leak is None
    assert clean.leak_gaps == ()
    assert not clean.finding.sentence.startswith("Leaked")


def test_every_p_value_belongs_to_one_family() -> None:
    summary = make_run(30, leaked=0.3).summary()
    estimates = [
        value
        for section in ("cells", "contrasts", "topics", "severities", "worst")
        for entry in getattr(summary, section)
        for _, value in entry
        if isinstance(value, Estimate) and value.p is not None
    ]
    assert len(estimates) == summary.tests
    assert all(e.p_holm >= e.p for e in estimates)


def test_summary_is_json_without_nan_and_deterministic() -> None:
    made = make_run(12, failing=0.1, rubric=False)
    first, second = (made.summary().dump() for _ in range(2))
    assert first == second
    assert first != made.summary(seed=8).dump()


def test_order_of_records_does_not_matter() -> None:
    made = make_run(12, rubric=False)
    first = made.summary()
    rng = np.random.default_rng(1)
    made.scores = [made.scores[i] for i in rng.permutation(len(made.scores))]
    made.generations = [made.generations[i] for i in rng.permutation(len(made.generations))]
    assert made.summary() == first


def test_hash_seed_does_not_matter() -> None:
    code = (
        "from tests.synthetic import make_run;"
        "print(make_run(8, leaked=0.3, failing=0.1).summary(resamples=200).dump())"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": "."},
            capture_output=True,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1


def test_scores_of_strangers_are_left_out_and_told() -> None:
    made = make_run(5, rubric=False)
    made.dimensions = {k: v for k, v in made.dimensions.items() if k != "answer_checks"}
    summary = made.summary()
    assert any("answer_checks" in line for line in summary.warnings)


def test_two_versions_of_a_judge_are_told() -> None:
    made = make_run(5, rubric=False)
    made.scores[0] = made.scores[0].model_copy(update={"version": "2"})
    assert any("2 versions" in line for line in made.summary().warnings)


def test_one_subject_alone_is_no_comparison() -> None:
    summary = make_run(10, world=World(gain={"base": 0.0})).summary()
    assert summary.contrasts == ()
    assert "Only one subject" in summary.finding.sentence


def test_bad_input_is_one_clear_line() -> None:
    made = make_run(3)
    made.baseline = "bse"
    with pytest.raises(DataError, match="'bse' is not among the subjects"):
        made.summary()
    made.samples = []
    with pytest.raises(DataError, match="no samples"):
        made.summary()


@pytest.mark.parametrize(
    ("value", "digits", "sign", "text"),
    [
        (0.4249, 2, True, "+0.42"),
        (-0.001, 2, True, "0.00"),
        (-1.5, 1, False, "−1.5"),
        (None, 2, False, "–"),
    ],
)
def test_figures_as_people_read_them(
    value: float | None, digits: int, sign: bool, text: str
) -> None:
    assert figure(value, digits, sign=sign) == text


def test_intervals_as_people_read_them() -> None:
    interval = Interval(mean=0.41234, low=0.25, high=0.6)
    assert with_interval(interval, sign=True) == "+0.41 [0.25, 0.60]"
    assert with_interval(interval, flip=True) == "−0.41 [−0.60, −0.25]"
    assert with_interval(None) == "not measured"
    assert "too few" in with_interval(Interval(mean=1.0, low=None, high=None))
    assert plural(1, "prompt") == "1 prompt"
    assert listing(["a", "b", "c"]) == "a, b and c"


def estimate(p_holm: float | None) -> Estimate:
    return Estimate(
        mean=0.4, low=0.2, high=0.6, se=0.1, n=9, method="adjusted_student", p_holm=p_holm
    )


@dataclass
class KnownMeasures:
    """As much of a table as naming a measure takes."""

    better: dict[Measure, bool | None]

    def sign(self, measure: Measure) -> int:
        up = self.better[measure]
        return 0 if up is None else 1 if up else -1

    def label(self, measure: Measure) -> str:
        return measure.judge if measure.judge == measure.dimension else " ".join(measure)


def test_certain_differences_of_other_measures_are_named() -> None:
    nothing = MissingScores(expected=0, missing=0, share=0.0)

    def contrast(measure: Measure, p: float) -> Contrast:
        return Contrast(
            subject="tuned", **measure._asdict(), baseline="base", kind=ALL, scope="all",
            topic=None, against="original", n=9, missing=nothing, missing_originals=nothing,
            bounds=None, kept=None, gain_originals=estimate(p), gain_variants=None, did=None,
        )  # fmt: skip

    known: dict[Measure, bool | None] = {
        Measure("a", "loops"): False,
        Measure("a", "length"): None,
        Measure("b", "b"): True,
        Measure("c", "c"): True,
    }
    rows = [contrast(m, p=0.2 if m.judge == "b" else 0.01) for m in known]

    def line(
        subject: str, headline: list[Measure], rho: dict[Measure, float] | None = None
    ) -> str | None:
        basis: Any = VerdictBasis(KnownMeasures(known), headline, None, (), rows)  # type: ignore[arg-type]
        return sentences.elsewhere(basis, subject, rho or {})

    lead = [Measure("c", "c")]
    expected = "Certain by other measures: a loops is worse (originals +0.40 [0.20, 0.60])."
    assert line("tuned", lead) == expected
    assert line("other", []) is None
    for rho, words in (
        (0.41, "a loops (a measure with a rho of 0.41 only) is worse"),
        (0.5, "a loops is"),
    ):
        assert words in (line("tuned", lead, {Measure("a", "loops"): rho}) or "")


def test_levels_are_those_of_the_prompts_that_the_finding_rests_on() -> None:
    summary = make_run(60, leaked=0.4, seed=3).summary()
    judge, dimension = summary.headline.measures[0]
    # The mean alone: the intervals come from two streams, and may differ in the last digit.
    clean = {
        row.subject: with_interval(row.clean).split()[0]
        for row in summary.leak_gaps
        if (row.judge, row.dimension, row.kind, row.what) == (judge, dimension, "original", "level")
    }
    said = summary.finding.subjects
    assert said
    for one in said:
        assert f"{summary.baseline} has {clean[summary.baseline]}" in one.levels
        assert f"{one.subject} {clean[one.subject]}" in one.levels


@pytest.mark.parametrize(
    ("name", "role", "colour"),
    [("calm", "safety", "red"), ("crisis", None, "red"), ("calm", None, "grey")],
)
def test_the_safety_light_is_lit_by_a_dimensions_role_or_name(
    name: str, role: Any, colour: str
) -> None:
    dimension = Dimension(name=name, low=0, high=1, higher_is_better=False, role=role)
    values: dict[str, dict[str, dict[str, list[float | None]]]] = {
        f"s{i}": {
            "base": {"original": [0.1 + i % 3 / 10], "typo": [0.1]},
            "tuned": {"original": [0.8], "typo": [0.7 + i % 2 / 10]},
        }
        for i in range(30)
    }
    summary = small_run(values, dimension=dimension)
    assert row(summary, "traffic_lights", question="Safe?").light == colour
    assert Dimension(name="harmlessness", low=0, high=1).role == "safety"
    assert Dimension(name="refusal", low=0, high=1).role == "refusal"
    assert Dimension(name="warmth", low=0, high=1).role is None
