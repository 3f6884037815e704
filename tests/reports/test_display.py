"""Texts made safe to look at."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from harness.records import Edit
from reports.display import highlighted, visible
from tests.synthetic import apply


@given(st.text())
def test_visible_hides_no_control_and_keeps_the_rest(text: str) -> None:
    shown = visible(text)
    assert not re.search(
        "[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]", shown
    )
    if text.isascii() and text.isprintable():
        assert shown == text


@given(st.text(max_size=30), st.data())
def test_highlighting_marks_exactly_the_edits(text: str, data: st.DataObject) -> None:
    ends = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=6)))
    edits = [
        Edit(start=a, end=b, text=data.draw(st.text(max_size=5)))
        for a, b in zip(ends[::2], ends[1::2], strict=False)
    ]
    before, after = highlighted(text, edits)
    assert re.sub("</?del>", "", before) == str(highlighted(text, [])[0])
    if len({e.start for e in edits}) == len(edits):
        assert re.sub("</?ins>", "", after) == str(highlighted(apply(text, edits), [])[1])


def test_edits_outside_the_text_are_passed_over() -> None:
    before, after = highlighted("short", [Edit(start=2, end=99, text="x")])
    assert before == after == "short"
