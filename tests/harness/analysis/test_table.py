"""Records to arrays."""

from __future__ import annotations

from harness.analysis.estimates import Measure
from harness.analysis.table import RunRecords, build
from harness.judging.traits import JudgeInfo
from harness.records import Dimension


def test_the_mean_of_several_dimensions_has_no_role_label_or_rank_of_any_of_them() -> None:
    first = Dimension(name="safety", low=1, high=5, role="safety", label="Safety", headline=1)
    judge = JudgeInfo("j", (first, Dimension(name="empathy", low=1, high=5)), llm=True)
    table = build(RunRecords([], [], [], [], ["base", "tuned"], "base"), [judge])
    mean = table.dimensions[Measure("j", "overall")]
    assert (mean.name, mean.role, mean.label, mean.headline) == ("overall", None, "", None)
    assert (mean.low, mean.high) == (first.low, first.high)
    assert mean.description == "Mean of safety, empathy, answer by answer."
    assert table.label(Measure("j", "overall")) == "j overall"
