"""Source prompts, and the gap between leaked and clean ones."""

from __future__ import annotations

import pytest

from harness.analysis import AnalysisSettings, BootstrapSettings, RunRecords, Summary, summarise
from harness.analysis.summary_schema import AuditCount
from harness.analysis.table import prompt_cluster
from harness.judging.traits import JudgeInfo
from harness.records import Dimension, Message, Sample, Score, Variant


def summary(rows: list[tuple[str, str, float]], *, high: float = 10) -> Summary:
    """Of (prompt, audit label, score of the tuned subject), the baseline scoring 5 everywhere."""
    samples, variants, scores = [], [], []
    for number, (prompt, audit, value) in enumerate(rows):
        messages = (Message(role="user", content=prompt),)
        samples.append(
            Sample.model_validate({"id": f"s{number}", "messages": messages, "audit": audit})
        )
        variants.append(Variant(sample_id=f"s{number}", perturbation="original", messages=messages))
        scores += [
            Score(sample_id=f"s{number}", perturbation="original", judge="judge", version="1",
                  dimension="quality", subject=subject, value=given, status="scored")
            for subject, given in (("base", 5.0), ("tuned", value))
        ]  # fmt: skip
    return summarise(
        RunRecords(samples, variants, [], scores, ["base", "tuned"], "base"),
        [JudgeInfo("judge", [Dimension(name="quality", low=0, high=high)])],
        AnalysisSettings(BootstrapSettings(1, 200)),
    )


def test_prompts_that_say_the_same_are_one_source_prompt() -> None:
    def cluster(*turns: str, system: str = "") -> str:
        roles = ("user", "assistant")
        messages = [Message(role=roles[n % 2], content=turn) for n, turn in enumerate(turns)]
        first = [Message(role="system", content=system)] if system else []
        return prompt_cluster(Sample(id="s", messages=tuple(first + messages)))

    assert cluster("How do I sleep?") == cluster("how do i  SLEEP")
    assert cluster("Write it in C++.") != cluster("Write it in C#.")
    assert cluster("Why?") != cluster("Why?", system="Be brief.")
    assert cluster("Hi", "Hello", "Why?") != cluster("Why?")
    found = summary(
        [("How do I sleep?", "clean", 6), ("how do i sleep", "leaked", 8), ("Why?", "clean", 7)]
    )
    assert (found.prompts, found.samples) == (2, 3)
    # One leaked sample makes its prompt leaked.
    assert found.audit == AuditCount(clean=1, leaked=1, unchecked=0)
    (row,) = [r for r in found.leak_gaps if r.what == "gain" and r.kind == "original"]
    assert row.all.n == 2


@pytest.mark.parametrize("high", [10, 100])
def test_a_gap_between_groups_of_equal_scores_is_not_certain(high: float) -> None:
    """Twelve tens and twelve eights: the scale says how far off a thirteenth could be."""
    rows = [(f"leaked {n} x", "leaked", 10.0) for n in range(12)]
    rows += [(f"clean {n} x", "clean", 8.0) for n in range(12)]
    gaps = [row for row in summary(rows, high=high).leak_gaps if row.kind == "original"]
    widths = {row.what: row.gap.high - row.gap.low for row in gaps if row.subject == "tuned"}
    assert all(row.gap.mean == 2 for row in gaps if row.subject == "tuned")
    # A gain reaches twice as far as a level: from all points lost to all points won.
    assert widths["level"] > 0.1 * high
    assert widths["gain"] == pytest.approx(2 * widths["level"], rel=0.01)
