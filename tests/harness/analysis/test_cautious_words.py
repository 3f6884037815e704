"""What a referee broke: few prompts, two signs, nothing measured, missing answers, floors, margins."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from array_run import array_records, array_summary, light

from harness.analysis import ALL, AnalysisSettings, BootstrapSettings, cautions, summarise
from harness.analysis.estimates import Measure
from harness.analysis.margins import resolve_margins
from harness.errors import ConfigError
from harness.judging.traits import JudgeInfo
from harness.records import Dimension
from tests.synthetic import RUBRIC

QUALITY = Dimension(name="quality", low=0, high=10)
LIKERT = Dimension(name="likert", low=1, high=5)
ERRORS = Dimension(name="errors", low=0, high=10, higher_is_better=False)
ROUGE = Dimension(name="rouge", low=0, high=1, label="ROUGE-L")
COSINE = Dimension(name="alike", low=-1, high=1, needs=("original_answer",))

RNG = np.random.default_rng


def scores(
    prompts: int, gains: tuple[float, float], *, seed: int = 1, noise: float = 0.5, kinds: int = 2
) -> Any:
    """Scores about 5, the tuned subject better by ``gains`` on originals and on reworded prompts."""
    rng = RNG(seed)
    values = 5 + rng.normal(0, 1, (prompts, 1, 1)) + rng.normal(0, noise, (prompts, 2, kinds))
    values[:, 1, 0] += gains[0]
    values[:, 1, 1:] += gains[1]
    return np.clip(values, 0, 10)


# Few prompts.


@pytest.mark.parametrize("prompts", [3, 5, 7])
def test_fewer_than_eight_prompts_can_show_nothing_and_it_is_said(prompts: int) -> None:
    values = np.full((prompts, 2, 2), 4.0)
    values[:, 1] += np.where(np.arange(prompts) % 2, 2.0, 3.0)[:, None]
    summary = array_summary({QUALITY: values})
    (finding,) = summary.finding.subjects
    assert finding.original == "unclear"
    assert (
        f"Whether tuned differs from base cannot be shown with fewer than 8 prompts; this run has"
        f" {prompts} (originals: quality +2." in finding.sentence
    )
    assert "chance" not in finding.sentence + finding.robustness
    better = light(summary, "Better?")
    assert (better.light, better.word) == ("amber", "too few prompts")
    assert "cannot be shown with fewer than 8 prompts" in better.answer
    contrast = next(row for row in summary.contrasts if row.kind == ALL)
    assert contrast.gain_originals is not None
    assert (contrast.gain_originals.moved, contrast.gain_originals.needed) == (prompts, 8)


def test_eight_prompts_can_show_it() -> None:
    values = np.full((8, 2, 2), 4.0)
    values[:, 1] += np.where(np.arange(8) % 2, 2.0, 3.0)[:, None]
    (finding,) = array_summary({QUALITY: values}).finding.subjects
    assert (finding.original, finding.reworded) == ("better", "better")


def test_ties_do_not_count_as_prompts() -> None:
    values = np.full((40, 2, 2), 4.0)
    values[:7, 1] += 3.0
    summary = array_summary({QUALITY: values})
    said = summary.finding.sentence
    assert "cannot be shown with fewer than 8 prompts that differ; 7 of 40 do" in said
    values[7:9, 1] += 3.0
    assert array_summary({QUALITY: values}).finding.subjects[0].original == "better"


def test_more_tests_need_more_prompts() -> None:
    values = np.full((8, 3, 2), 4.0)
    values[:, 1:] += np.where(np.arange(8) % 2, 2.0, 3.0)[:, None, None]
    summary = array_summary({QUALITY: values}, subjects=("base", "one", "two"))
    assert "fewer than 9 prompts; this run has 8" in summary.finding.subjects[0].sentence


# Both signs.


def test_a_measure_with_both_signs_says_both() -> None:
    lead = scores(60, (0.0, 0.0), noise=1.5)
    other = 0.5 + RNG(3).normal(0, 0.03, (60, 2, 2))
    other[:, 1, 0] += 0.2
    other[:, 1, 1] -= 0.2
    first = Dimension(name="quality", low=0, high=10, headline=1)
    summary = array_summary({first: lead, ROUGE: other})
    line = " ".join(summary.finding.subjects[0].also)
    assert "ROUGE-L is better (originals +0.2" in line
    assert "but worse (reworded −0.2" in line


def test_the_headline_with_both_signs_says_both_and_is_not_green() -> None:
    values = 0.5 + RNG(3).normal(0, 0.03, (60, 2, 2))
    values[:, 1, 0] += 0.2
    values[:, 1, 1] -= 0.2
    summary = array_summary({ROUGE: values})
    assert "better than base on the original prompts" in summary.finding.sentence
    assert "but worse when they are reworded" in summary.finding.sentence
    better = light(summary, "Better?")
    assert (better.light, better.word) == ("amber", "mixed")
    assert "but worse on reworded ones" in better.answer


def test_a_second_measure_that_turns_on_one_side_says_which() -> None:
    one = Dimension(name="one", low=0, high=10, headline=1)
    two = Dimension(name="two", low=0, high=10, headline=2)
    summary = array_summary({one: scores(60, (2, 2)), two: scores(60, (2, -2), seed=2)})
    (line,) = summary.finding.subjects[0].also
    assert line.startswith("two contradicts this on reworded prompts (")


# Nothing measured.


@pytest.mark.parametrize("silent", ["base", "tuned"])
def test_a_subject_without_scores_was_not_measured(silent: str) -> None:
    values = scores(40, (1, 1))
    values[:, ("base", "tuned").index(silent)] = np.nan
    summary = array_summary({QUALITY: values, COSINE: values / 10})
    (finding,) = summary.finding.subjects
    assert {finding.original, finding.reworded, finding.robust} == {"not measured"}
    assert f"Not measured: {silent} has no score in quality" in finding.sentence
    assert "difference" not in finding.sentence
    for question in ("Better?", "Robust?", "Consistent?"):
        one = light(summary, question)
        assert (one.light, one.word) == ("grey", "not measured"), one


def test_unread_rewordings_are_not_a_difference_of_none() -> None:
    values = scores(40, (2, 2))
    values[:, 1, 1] = np.nan
    summary = array_summary({QUALITY: values})
    (finding,) = summary.finding.subjects
    assert (finding.original, finding.reworded) == ("better", "not measured")
    assert finding.sentence.startswith("tuned is better than base on the original prompts")
    assert finding.sentence.endswith("; on the reworded ones nothing was measured.")
    assert light(summary, "Robust?").light == "grey"


def test_safety_that_nobody_scored_is_grey_and_names_its_judge() -> None:
    safety = Dimension(name="safety", low=0, high=10)
    values = scores(40, (0, 0))
    unread = values.copy()
    unread[:, 1] = np.nan
    assert light(array_summary({QUALITY: values, safety: unread}), "Safe?").light == "grey"
    judges = {
        Dimension(name=name, low=0, high=10, role="safety"): scores(40, (0, 0), seed=place)
        for place, name in enumerate(("warden", "keeper", "guide"))
    }
    answer = light(array_summary({QUALITY: values, **judges}), "Safe?").answer
    assert "warden, keeper, guide" in answer


# Missing answers.


def with_unread(gain: float, unread: int) -> tuple[Any, Any]:
    """100 prompts from 1 to 5; ``unread`` answers of the tuned subject are bad and have no score."""
    rng = RNG(8)
    truth = np.clip(np.rint(rng.normal(3, 0.9, (100, 1, 1))), 1, 4) + np.zeros((1, 2, 2))
    truth[:, 1] += rng.random((100, 2)) < gain
    truth[:unread, 1] = 1
    seen = truth.copy()
    seen[:unread, 1] = np.nan
    return truth, seen


def test_the_tipping_point_of_nine_unread_answers_is_said() -> None:
    truth, seen = with_unread(0.24, 9)
    summary = array_summary({LIKERT: seen})
    assert summary.finding.subjects[0].original == "better"
    point = next(one for one in summary.tipping if one.where == "originals")
    assert point.missing == {"tuned": 9}
    assert point.values is not None
    # What the unread answers really scored lies under it: the difference is theirs.
    assert truth[np.isnan(seen[:, 1, 0]), 1, 0].mean() < point.values["tuned"] < 3.3
    assert point.plausible
    contrast = next(row for row in array_summary({LIKERT: truth}).contrasts if row.kind == ALL)
    assert contrast.gain_originals is not None
    assert contrast.gain_originals.p_holm is not None
    assert contrast.gain_originals.p_holm > 0.05
    said = f"9 answers of tuned to original prompts have no score in likert: the difference of tuned would vanish if those of tuned averaged under {point.values['tuned']:.2f} "
    assert any(said in line for line in summary.finding.cautions)


@pytest.mark.parametrize(("dimension", "turn"), [(QUALITY, 1), (ERRORS, -1)])
@pytest.mark.parametrize("silent", ["base", "tuned"])
def test_at_the_tipping_point_the_interval_touches_zero(
    dimension: Dimension, turn: int, silent: str
) -> None:
    values = scores(60, (0.9 * turn, 0.9 * turn), noise=0.7)
    column = ("base", "tuned").index(silent)
    values[:12, column, 0] = np.nan
    summary = array_summary({dimension: values})
    point = next(one for one in summary.tipping if one.where == "originals")
    assert point.values is not None
    # The subject would have to be worse than it seems, the baseline better.
    assert point.below[silent] == ((silent == "tuned") == (turn > 0))
    values[:12, column, 0] = point.values[silent]
    filled = next(row for row in array_summary({dimension: values}).contrasts if row.kind == ALL)
    gain = filled.gain_originals
    assert gain is not None
    assert gain.low is not None
    assert gain.high is not None
    assert min(abs(gain.low), abs(gain.high)) < 0.05


def test_missing_answers_of_both_move_together_and_what_cannot_tip_is_said() -> None:
    values = scores(60, (1.5, 1.5))
    values[:6, 0, 1] = np.nan
    values[9:12, 1, 1] = np.nan
    summary = array_summary({QUALITY: values})
    point = next(one for one in summary.tipping if one.where == "reworded")
    assert point.missing == {"tuned": 3, "base": 6}
    assert point.below == {"tuned": True, "base": False}
    few = scores(60, (4, 4), noise=0.3)
    few[0, 1, 0] = np.nan
    summary = array_summary({QUALITY: few})
    (point,) = summary.tipping
    assert point.values is None
    assert not point.plausible
    assert not any("no score" in line for line in summary.finding.cautions)
    line = "1 answer of tuned to original prompts has no score in quality; whatever they scored"
    assert any(line in said for said in summary.finding.subjects[0].also)


def test_without_missing_answers_there_is_no_tipping_point() -> None:
    assert array_summary({QUALITY: scores(40, (2, 2))}).tipping == ()


# Worst of k.


@pytest.mark.parametrize("prompts_hit", [40, 25, 10])
def test_worst_of_k_has_one_k_and_the_same_variants_for_all_subjects(prompts_hit: int) -> None:
    values = scores(40, (0, 0), kinds=7)
    values[:prompts_hit, 1, 4:] = np.nan  # half of the kinds of one subject
    kinds = ("original", "a", "b", "c", "d", "e", "f")
    summary = array_summary({QUALITY: values}, kinds)
    curves = {
        subject: {
            point.k: point
            for point in summary.worst
            if (point.subject, point.kind) == (subject, ALL)
        }
        for subject in ("base", "tuned")
    }
    assert set(curves["base"]) == set(curves["tuned"]) == {1, 2, 3}
    for base, tuned in zip(curves["base"].values(), curves["tuned"].values(), strict=True):
        assert base.expected_worst is not None
        assert tuned.expected_worst is not None
        assert base.expected_worst.n == tuned.expected_worst.n == 40
        assert base.left_out == tuned.left_out == 0
    whole = array_summary({QUALITY: values[:, :, :4]}, kinds[:4])
    if prompts_hit == 40:  # then it is as if the other kinds had never been asked
        assert [p.expected_worst for p in whole.worst if p.kind == ALL] == [
            p.expected_worst for p in summary.worst if p.kind == ALL
        ]


def test_prompts_without_k_common_variants_are_counted() -> None:
    values = scores(40, (0, 0), kinds=4)
    values[:3, 1, 2:] = np.nan
    summary = array_summary({QUALITY: values}, ("original", "a", "b", "c"))
    longest = [point for point in summary.worst if (point.kind, point.k) == (ALL, 3)]
    assert {point.subject: point.left_out for point in longest} == {"base": 3, "tuned": 3}
    cell = next(c for c in summary.cells if (c.subject, c.kind) == ("base", ALL))
    assert cell.worst is not None
    assert (cell.worst.k, cell.worst.n, cell.worst.left_out) == (3, 37, 3)


def test_a_subject_without_scores_takes_no_worst_case_from_the_others() -> None:
    values = scores(20, (0, 0), kinds=3)
    values[:, 1] = np.nan
    summary = array_summary({QUALITY: values}, ("original", "a", "b"))
    assert {point.subject for point in summary.worst} == {"base"}


# Floors and ceilings.


@pytest.mark.parametrize("margins", [{}, {Measure("likert", "likert"): 0.5}])
def test_who_has_nothing_left_to_lose_is_not_robust(margins: dict[Measure, float]) -> None:
    rng = RNG(2)
    values = np.clip(np.rint(rng.normal(3.5, 1, (60, 2, 2))), 1, 5)
    values[:, 1] = 1.0
    summary = array_summary({LIKERT: values}, margins=margins)
    robust = light(summary, "Robust?")
    assert (robust.light, robust.word) == ("amber", "at the floor")
    assert "tuned has nothing left to lose on 100% of the original prompts" in robust.answer
    assert "nothing left to lose" in summary.finding.subjects[0].robustness


def test_a_baseline_at_the_floor_makes_no_loss_red() -> None:
    rng = RNG(2)
    values = np.ones((60, 2, 2))
    values[:, 1, 0] = np.clip(np.rint(rng.normal(4, 0.5, 60)), 1, 5)
    values[:, 1, 1] = np.clip(np.rint(rng.normal(3, 0.5, 60)), 1, 5)
    summary = array_summary({LIKERT: values}, margins={Measure("likert", "likert"): 0.1})
    assert summary.finding.subjects[0].robust == "worse"
    robust = light(summary, "Robust?")
    assert robust.light == "amber"
    assert "base has nothing left to lose" in robust.answer


def test_the_floor_of_a_lower_is_better_measure_is_its_high_end() -> None:
    values = np.clip(RNG(2).normal(3, 1, (60, 2, 2)), 0, 10)
    values[:, 1] = 10.0
    robust = light(array_summary({ERRORS: values}), "Robust?")
    assert robust.word == "at the floor"
    assert "which score the highest value" in robust.answer


def test_a_baseline_at_the_ceiling_leaves_nothing_to_gain() -> None:
    values = np.full((60, 2, 2), 5.0)
    values[:4, 1, 0] = 4.0
    answer = light(array_summary({LIKERT: values}), "Better?").answer
    assert "base has the best score already on 100% of them" in answer


# Margins.


def cosines(prompts: int, identity_noise: float, loss: float = 0.0) -> tuple[Any, Any]:
    """Likeness of answers and of their rewordings, without any difference but ``loss`` in the tuned."""
    rng = RNG(4)
    quality = np.clip(0.6 + rng.normal(0, 0.01, (prompts, 2, 3)), 0, 1)
    quality[:, :, 2] = quality[:, :, 0] + identity_noise * rng.normal(0, 1, (prompts, 2))
    alike = np.clip(0.9 + rng.normal(0, 0.01, (prompts, 2, 3)), -1, 1)
    alike[:, :, 2] = 1 - np.abs(identity_noise * rng.normal(0, 1, (prompts, 2)))
    quality[:, 1, 1] -= loss
    alike[:, 1, 1] -= loss
    return quality, alike


KINDS = ("original", "typo", "identity")


def test_without_margin_or_noise_nothing_is_called_the_same() -> None:
    quality, alike = cosines(60, identity_noise=0.0)
    without = array_summary({ROUGE: quality[:, :, :2], COSINE: alike[:, :, :2]})
    exact = array_summary({ROUGE: quality, COSINE: alike}, KINDS)  # greedy: the same answer again
    for summary in (without, exact):
        for question in ("Robust?", "Consistent?"):
            one = light(summary, question)
            assert one.light == "amber", one
            assert "how much would matter is not known" in one.answer
            why = "has no kind identity" if summary is without else "fewer than 8 prompts"
            assert why in one.answer
        assert summary.finding.subjects[0].margin is None


def test_the_users_margin_decides_and_is_named() -> None:
    quality, alike = cosines(60, identity_noise=0.0)
    chosen = {Measure("rouge", "rouge"): 0.02, Measure("alike", "alike"): 0.02}
    summary = array_summary({ROUGE: quality, COSINE: alike}, KINDS, margins=chosen)
    for question in ("Robust?", "Consistent?"):
        one = light(summary, question)
        assert one.light == "green", one
        assert "0.020 that would matter (set in the suite)" in one.answer
    margin = summary.finding.subjects[0].margin
    assert margin is not None
    assert (margin.value, margin.source) == (0.02, "suite")
    assert [scale.margin for scale in summary.measures] == [0.02, 0.02]
    tight = dict.fromkeys(chosen, 0.0005)
    summary = array_summary({ROUGE: quality, COSINE: alike}, KINDS, margins=tight)
    assert {light(summary, q).light for q in ("Robust?", "Consistent?")} == {"amber"}


def test_a_certain_loss_that_the_user_does_not_mind_is_green_and_said() -> None:
    quality, alike = cosines(60, identity_noise=0.0, loss=0.03)
    values = {ROUGE: quality, COSINE: alike}
    for margin, colour in ((0.1, "green"), (0.02, "red")):
        chosen = {Measure("rouge", "rouge"): margin, Measure("alike", "alike"): margin}
        summary = array_summary(values, KINDS, margins=chosen)
        assert summary.finding.subjects[0].robust == "worse"
        assert {light(summary, q).light for q in ("Robust?", "Consistent?")} == {colour}
    summary = array_summary(values, KINDS, margins=dict.fromkeys(chosen, 0.1))
    assert "less than the 0.10 that would matter" in summary.finding.subjects[0].robustness
    assert array_summary(values, KINDS).finding.subjects[0].robust == "worse"
    assert light(array_summary(values, KINDS), "Robust?").light == "red"


def test_the_identity_floor_is_the_margin_where_the_user_set_none() -> None:
    quality, alike = cosines(60, identity_noise=0.04)
    summary = array_summary({ROUGE: quality, COSINE: alike}, KINDS)
    for question in ("Robust?", "Consistent?"):
        one = light(summary, question)
        assert one.light == "green", one
        assert "that asking the very same prompts again leaves open (kind identity)" in one.answer
    margin = summary.finding.subjects[0].margin
    assert margin is not None
    assert margin.source == "identity"
    again = next(row.did for row in summary.contrasts if row.kind == "identity")
    assert again is not None
    assert again.low is not None
    assert again.high is not None
    assert margin.value == pytest.approx((again.high - again.low) / 2)
    # A loss of that size is not passed over.
    quality, alike = cosines(60, identity_noise=0.04, loss=2 * margin.value)
    summary = array_summary({ROUGE: quality, COSINE: alike}, KINDS)
    assert light(summary, "Robust?").light == "red"
    assert light(summary, "Consistent?").light == "red"


def test_margins_name_a_measure_of_the_suite() -> None:
    judges = [JudgeInfo("rouge_l", [ROUGE]), JudgeInfo("rubric", RUBRIC, llm=True)]
    given = {"rouge_l": 0.02, "rubric.overall": 0.1, "rubric.empathy": 0.2}
    assert resolve_margins(given, judges) == {
        Measure("rouge_l", "rouge"): 0.02,
        Measure("rubric", "overall"): 0.1,
        Measure("rubric", "empathy"): 0.2,
    }
    with pytest.raises(ConfigError, match=r"margins: 'rubric' names 5 measures; choose one of"):
        resolve_margins({"rubric": 0.1}, judges)
    with pytest.raises(
        ConfigError, match=r"no measure of the suite. Did you mean 'rubric.empathy'"
    ):
        resolve_margins({"rubric.empaty": 0.1}, judges)


def test_answers_that_failed_are_in_no_share_of_cut_answers() -> None:
    values = scores(40, (0, 0))
    summary = array_summary({QUALITY: values})
    base = summary.answers[0].model_copy(update={"answers": 80, "failed": 60, "truncated": 6})
    lines = cautions.cautions(_basis(), [base])
    assert any("6 of 20 from base" in line for line in lines)


def _basis() -> Any:
    """As much of a verdict's basis as counting prompts takes."""
    from harness.analysis.evidence import VerdictBasis
    from harness.analysis.scopes import Scope

    table: Any = SimpleNamespace(families=np.arange(40))
    return VerdictBasis(table, (), Scope("all", np.ones(40, dtype=np.bool_)), (), ())


# What the means are about.


def test_the_mix_of_groups_is_named_and_the_balanced_means_stand_beside_it() -> None:
    rng = RNG(3)
    values = 5 + rng.normal(0, 0.5, (60, 2, 2))
    values[:40, 1] += 2.0  # one large group gains, four small ones lose
    values[40:, 1] -= 1.0
    records = array_records({QUALITY: values}, ("original", "typo"))
    groups = ["large"] * 40 + [f"small {n % 4}" for n in range(20)]
    grouped = replace(
        records,
        samples=[
            sample.model_copy(update={"group": group, "metadata": {"topic": group}})
            for sample, group in zip(records.samples, groups, strict=True)
        ],
    )
    topics = replace(
        grouped, samples=[sample.model_copy(update={"group": None}) for sample in grouped.samples]
    )
    judges = [JudgeInfo("quality", [QUALITY])]
    settings = AnalysisSettings(BootstrapSettings(1, 500))
    said = {
        name: summarise(of, judges, settings).finding
        for name, of in (("plain", records), ("topics", topics), ("groups", grouped))
    }
    assert "mix" not in said["plain"].rests_on
    assert said["topics"].rests_on.endswith("The means are for this mix of 5 topics.")
    assert "for this mix of 5 groups (data.group_by)." in said["groups"].rests_on
    assert "5 among 60 prompts" in said["groups"].rests_on
    assert any(
        line.startswith("Only 5 source prompts (60 prompts") for line in said["groups"].cautions
    )
    line = said["groups"].subjects[0].also[0]
    # (2 - 4 * 1) / 5, while the mean over prompts is (40 * 2 - 20 * 1) / 60.
    assert line.startswith(
        "With each of the 5 groups weighing alike the difference in quality is −0."
    )
    assert not any("weighing alike" in line for line in said["topics"].subjects[0].also)
