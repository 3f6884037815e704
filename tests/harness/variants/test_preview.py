"""The preview of conversations: every changed turn by its name."""

from __future__ import annotations

from pathlib import Path

from harness.records import Edit, Message, Sample, Variant
from harness.variants.preview import highlighted_turns, table, write_page

SAMPLE = Sample(
    id="s",
    messages=(
        Message(role="user", content="I am sad."),
        Message(role="assistant", content="Why?"),
        Message(role="user", content="My <dog> is ill."),
    ),
)


def variant(**changes: object) -> Variant:
    return Variant(
        sample_id="s",
        perturbation="synonym",
        severity="medium",
        **{"messages": SAMPLE.messages, **changes},  # type: ignore[arg-type]
    )


def test_turns_are_named_where_another_than_the_last_changed() -> None:
    last = Edit(start=3, end=8, text="cat")
    first = Edit(start=5, end=8, text="unhappy")
    (alone,) = highlighted_turns(SAMPLE, variant(edits=(last,)))
    assert alone == ("", "My <del>&lt;dog&gt;</del><ins>cat</ins> is ill.")
    both = highlighted_turns(SAMPLE, variant(edits=(last,), earlier_edits={0: (first,)}))
    assert [name for name, _ in both] == ["user, turn 1", "user, turn 2"]
    assert both[0][1] == "I am <del>sad</del><ins>unhappy</ins>."


def test_the_table_counts_edits_of_all_turns_and_the_page_says_what_stays(tmp_path: Path) -> None:
    edit = Edit(start=5, end=8, text="unhappy")
    changed = variant(earlier_edits={0: (edit,)}, untouched={2: "does not apply to this prompt"})
    assert table([changed])[0].edits == 1.0
    page = write_page(tmp_path / "page.html", [SAMPLE], [changed]).read_text()
    assert "1 turn left as before" in page
    assert "I am <del>sad</del><ins>unhappy</ins>." in page
    assert "assistant, turn 1" in page
