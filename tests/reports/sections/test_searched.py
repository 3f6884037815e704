"""The section of the searches: every subject's worst rewording with its edits, or that none hurt."""

from __future__ import annotations

from harness.analysis.worst_found_schema import FoundCase, FoundExample
from harness.records import Edit
from reports.sections.searched import marked_cases


def test_rewordings_are_marked_and_answers_escaped_later() -> None:
    example = FoundExample(
        sample_id="s",
        judge="rouge_l",
        dimension="rouge_l",
        kind="synonym",
        severity="medium",
        prompt="I am <sad> today.",
        cases=(
            FoundCase(subject="base", before=0.5, after=0.5, edits=(), answer=None),
            FoundCase(
                subject="tuned",
                before=0.5,
                after=0.1,
                edits=(Edit(start=6, end=9, text="unhappy"),),
                answer="no" * 2000,
            ),
        ),
    )
    (_, text, answer), (_, marked, long) = marked_cases(example)
    assert (text, answer) == ("I am &lt;sad&gt; today.", "No answer.")
    assert marked == "I am &lt;<ins>unhappy</ins>&gt; today."
    assert long.endswith(" …")
    assert len(long) < 1600
