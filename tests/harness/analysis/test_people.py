"""A run whose judge favours one subject, and what people's labels make of its finding."""

from __future__ import annotations

import random

import pytest

from harness.analysis import ALL, AnalysisSettings, BootstrapSettings, Summary, summarise
from harness.analysis.estimates import Contrast
from harness.analysis.people import PeopleLabels
from harness.pipeline.label_draw import AnsweredPrompts, DrawRequest, draw_prompts, drawn_answers
from harness.records import LabelScale
from tests.synthetic import RUBRIC, Synthetic, World, make_run

NAMES = tuple(dimension.name for dimension in RUBRIC)


def _people(
    made: Synthetic,
    *,
    prompts: int = 60,
    kinds: tuple[str, ...] | None = None,
    names: tuple[str, ...] = NAMES,
    favoured: float = 0.5,
    stretch: float = 1.0,
) -> PeopleLabels:
    """Labels of people who see the judge's value less what it favours the tuned subject by."""
    answered = AnsweredPrompts(made.records())
    scales = [LabelScale(name=n, low=stretch, high=5 * stretch) for n in names]
    draw = draw_prompts(answered, DrawRequest(prompts, 7, kinds, scales))
    scores = {
        (s.variant_key, s.subject, s.dimension): s.value for s in made.scores if s.judge == "rubric"
    }
    rng = random.Random(5)
    values = {}
    for answers in drawn_answers(draw, answered.subjects):
        for key in answers:
            for name in names:
                score = scores.get((key.variant, key.subject, name if name in NAMES else "empathy"))
                seen = (3.0 if score is None else score) - favoured * (key.subject == "tuned")
                values[key.variant, key.subject, name] = stretch * (seen + rng.gauss(0, 0.3))
    return PeopleLabels(
        scales={scale.name: scale for scale in scales},
        values=values,
        prompts=draw.prompts,
        eligible=frozenset(answered.clusters),
        reworded=answered.reworded(draw.kinds),
        scope=draw.scope,
        kinds=draw.kinds,
        annotators=1,
        agreement={},
    )


def _summary(made: Synthetic, people: PeopleLabels | None) -> Summary:
    settings = AnalysisSettings(BootstrapSettings(7, 1000), people=people)
    return summarise(made.records(), made.judges(), settings)


def _row(summary: Summary, dimension: str = "overall", kind: str = ALL) -> Contrast:
    return next(
        row
        for row in summary.contrasts
        if (row.judge, row.dimension, row.kind) == ("rubric", dimension, kind)
    )


@pytest.fixture(scope="module")
def favoured() -> Synthetic:
    """The judge gives the tuned subject .32 more on a scale of 4, people less than nothing."""
    return make_run(150, kinds=("typo", "synonym"), world=World())


def test_the_corrected_difference_carries_the_words_and_the_lights(favoured: Synthetic) -> None:
    by_judge, summary = _summary(favoured, None), _summary(favoured, _people(favoured))
    assert by_judge.finding.subjects[0].original == "better"
    assert summary.finding.subjects[0].original == "worse"
    assert "corrected by human labels of 60 prompts −0.1" in summary.finding.sentence
    light = next(one for one in summary.traffic_lights if one.question == "Better?")
    assert light.light == "red"
    assert "−0.1" in light.answer
    checked = next(one for one in summary.traffic_lights if one.question == "Judge checked?")
    assert checked.light == "green"
    assert "drawn at random" in checked.answer
    row, judge = _row(summary), _row(by_judge)
    assert row.gain_originals is not None
    assert judge.gain_originals is not None
    assert row.gain_originals.mean == judge.gain_originals.mean
    assert row.gain_originals.p is None  # it is no evidence any more, and costs no test
    corrected = row.corrected_gain_originals
    assert corrected is not None
    assert corrected.mean is not None
    assert corrected.mean == pytest.approx((judge.gain_originals.mean or 0) - 0.5, abs=0.12)
    assert corrected.p_holm is not None
    assert corrected.p_holm < 0.05
    assert summary.tests == by_judge.tests
    lines = summary.finding.subjects[0].corrected
    assert len(lines) == 4
    assert lines[0].startswith("rubric overall on the original prompts: by the judge +0.3")
    assert row.kept is None
    assert Summary.load(summary.dump()) == summary


def test_the_same_for_what_rewording_costs(favoured: Synthetic) -> None:
    row = _row(_summary(favoured, _people(favoured)))
    assert row.corrected_did is not None
    assert row.did is not None
    assert row.corrected_did.labelled == 60
    assert row.corrected_did.low is not None
    assert row.corrected_did.high is not None
    # The judge favours one subject on originals and rewordings alike: nothing to correct.
    assert row.corrected_did.low < (row.did.mean or 0) < row.corrected_did.high


def test_people_need_not_use_the_judges_scale(favoured: Synthetic) -> None:
    one = _row(_summary(favoured, _people(favoured))).corrected_gain_originals
    ten = _row(_summary(favoured, _people(favoured, stretch=10))).corrected_gain_originals
    assert one is not None
    assert ten is not None
    assert ten.mean == pytest.approx(10 * (one.mean or 0), rel=1e-4)
    assert ten.high == pytest.approx(10 * (one.high or 0), rel=1e-4)


def test_a_question_of_peoples_own_corrects_the_leading_measure(favoured: Synthetic) -> None:
    summary = _summary(favoured, _people(favoured, names=("goodness",)))
    assert _row(summary).corrected_gain_originals is not None
    assert _row(summary, "empathy").corrected_gain_originals is None


def test_a_draw_of_originals_or_of_one_kind_corrects_only_what_it_is_a_draw_of(
    favoured: Synthetic,
) -> None:
    originals = _summary(favoured, _people(favoured, kinds=()))
    assert _row(originals).corrected_gain_originals is not None
    assert _row(originals).corrected_did is None
    checked = next(one for one in originals.traffic_lights if one.question == "Judge checked?")
    assert checked.light == "amber"
    assert "no rewordings were drawn" in checked.answer
    typo = _summary(favoured, _people(favoured, kinds=("typo",)))
    assert _row(typo).corrected_did is None
    assert _row(typo, kind="typo").corrected_did is not None
    assert _row(typo, kind="synonym").corrected_did is None


def test_a_handful_of_labels_corrects_nothing(favoured: Synthetic) -> None:
    summary = _summary(favoured, _people(favoured, prompts=12))
    assert _row(summary).corrected_gain_originals is None
    assert summary.finding.subjects[0].original == "better"


def test_what_the_judge_could_not_read_stays_in_the_population() -> None:
    made = make_run(150, kinds=("typo", "synonym"))
    people = _people(made, favoured=0.0)
    truth = _row(_summary(made, None)).gain_originals
    originals = {
        (s.sample_id, s.subject, s.dimension): s.value
        for s in made.scores
        if s.judge == "rubric" and s.perturbation == "original"
    }
    gains = {
        sample.id: sum(
            (originals[sample.id, "tuned", name] or 0) - (originals[sample.id, "base", name] or 0)
            for name in NAMES
        )
        for sample in made.samples
    }
    lost = set(sorted(gains, key=lambda id_: gains[id_])[:30])
    made.scores = [
        s.model_copy(update={"value": None, "status": "unparsed"})
        if s.judge == "rubric" and s.subject == "tuned" and s.sample_id in lost
        else s
        for s in made.scores
    ]
    row = _row(_summary(made, people))
    corrected, judge = row.corrected_gain_originals, row.gain_originals
    assert truth is not None
    assert corrected is not None
    assert judge is not None
    # The judge could not read the 30 worst answers: its own line is too good by more than its interval.
    assert (judge.low or 0) > (truth.mean or 0)
    assert corrected.n == 150 > judge.n
    assert (corrected.low or 0) < (truth.mean or 0) < (corrected.high or 0)
