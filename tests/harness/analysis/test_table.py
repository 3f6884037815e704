"""Records to arrays."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

from harness.analysis import Summary
from harness.analysis.estimates import Measure
from harness.analysis.table import RunRecords, build
from harness.judging.traits import JudgeInfo
from harness.records import Dimension, Message, Sample
from tests.synthetic import make_run


def test_the_mean_of_several_dimensions_has_no_role_label_or_rank_of_any_of_them() -> None:
    first = Dimension(name="safety", low=1, high=5, role="safety", label="Safety", headline=1)
    judge = JudgeInfo("j", (first, Dimension(name="empathy", low=1, high=5)), llm=True)
    table = build(RunRecords([], [], [], [], ["base", "tuned"], "base"), [judge])
    mean = table.dimensions[Measure("j", "overall")]
    assert (mean.name, mean.role, mean.label, mean.headline) == ("overall", None, "", None)
    assert (mean.low, mean.high) == (first.low, first.high)
    assert mean.description == "Mean of safety, empathy, answer by answer."
    assert table.label(Measure("j", "overall")) == "j overall"


def asked(number: str, prompt: str, family: str = "", group: str | None = None) -> Sample:
    return Sample(
        id=number,
        messages=(Message(role="user", content=prompt),),
        family=family,
        group=group,
    )


def families(samples: Sequence[Sample]) -> set[frozenset[str]]:
    """Return the prompts of each family of a table."""
    table = build(RunRecords(samples, [], [], [], ["base", "tuned"], "base"), [])
    of_family: dict[int, set[str]] = defaultdict(set)
    for sample, family in zip(table.samples, table.families.tolist(), strict=True):
        of_family[family].add(sample.prompt)
    return {frozenset(members) for members in of_family.values()}


def test_prompts_of_one_family_or_group_are_one_cluster() -> None:
    samples = [
        asked("1", "boil rice", family="1"),
        asked("2", "cook rice", family="1"),
        asked("3", "fry eggs", family="3", group="eggs"),
        asked("4", "poach eggs", family="4", group="eggs"),
        asked("5", "set a table"),  # nobody looked: the prompt is its own family
        asked("6", "Boil rice!", family="6", group="eggs"),  # asks what 1 asks, and so ties both
    ]
    assert families(samples[:5]) == {
        frozenset({"boil rice", "cook rice"}),
        frozenset({"fry eggs", "poach eggs"}),
        frozenset({"set a table"}),
    }
    tied = frozenset({"boil rice", "cook rice", "fry eggs", "poach eggs"})
    assert families(samples) == {tied, frozenset({"set a table"})}
    assert families(samples[::-1]) == families(samples)


def test_the_order_of_the_rows_in_a_file_changes_no_figure() -> None:
    made = make_run(12, rubric=False, failing=0.1, leaked=0.3)
    turned = replace(
        made,
        samples=made.samples[::-1],
        variants=sorted(made.variants, key=lambda v: (v.perturbation != "typo", v.sample_id[::-1])),
        scores=made.scores[::-1],
    )
    one, two = (run.summary(resamples=300) for run in (made, turned))

    def rows(summary: Summary, part: str) -> list[str]:
        return sorted(row.model_dump_json() for row in getattr(summary, part))

    for part in ("cells", "contrasts", "topics", "severities", "worst", "leak_gaps"):
        assert rows(one, part) == rows(two, part)
    assert one.finding == two.finding
