"""How many labels buy what: guessed before anybody labelled, measured afterwards."""

from __future__ import annotations

import pytest

from harness.analysis import AnalysisSettings, BootstrapSettings, summarise
from harness.pipeline.label_planning import label_lines, label_plans, label_spreads
from harness.pipeline.planning import spreads_of_pilot, stated_spreads
from tests.harness.analysis.test_people import _people
from tests.synthetic import make_run


def test_without_labels_the_plan_is_a_range_that_says_so() -> None:
    (row, *_) = label_spreads(stated_spreads(1.0), None)
    assert row.correlations == (0.2, 0.8)
    assert "not known" in row.source
    thirty, fifty, hundred = label_plans(row, 300)
    assert thirty.half_widths[0] < thirty.half_widths[1] < thirty.alone
    assert hundred.half_widths < fifty.half_widths < thirty.half_widths
    assert thirty.alone == pytest.approx(2.045 / 30**0.5, rel=1e-3)
    assert label_lines(row, [thirty]) == [
        "30 labelled prompts: ±0.24 to ±0.37 (labels alone ±0.37)"
    ]


def test_a_run_has_no_more_labels_than_prompts() -> None:
    (row, *_) = label_spreads(stated_spreads(1.0), None)
    assert [plan.labels for plan in label_plans(row, 40)] == [30]
    assert [plan.labels for plan in label_plans(row, 20)] == [20]


def test_a_labelled_pilot_says_what_labels_are_worth() -> None:
    made = make_run(150, kinds=("typo", "synonym"))
    settings = AnalysisSettings(BootstrapSettings(7, 400), people=_people(made))
    pilot = summarise(made.records(), made.judges(), settings)
    row = label_spreads(spreads_of_pilot(pilot), pilot)[0]
    corrected = next(
        r.corrected_gain_originals for r in pilot.contrasts if r.dimension == "overall"
    )
    assert corrected is not None
    assert corrected.low is not None
    assert corrected.high is not None
    assert "60 labelled prompts of the pilot" in row.source
    again = label_plans(row, 150)
    assert again[0].half_widths[0] == again[0].half_widths[1]
    half = (corrected.high - corrected.low) / 2
    # 50 planned beside 60 that were labelled.
    assert again[1].half_widths[0] == pytest.approx(half * (60 / 50) ** 0.5, rel=0.15)
