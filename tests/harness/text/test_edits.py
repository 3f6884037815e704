"""Edits rebuild a text exactly, whatever it is."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import PluginError
from harness.records import Edit
from harness.text.edits import apply_edits, find_edits, normalised

WORDS = st.lists(
    st.sampled_from(["I", "can't", "go", " ", "  ", "\r\n", "\n", ".", "“x”", "日本", "🙂", "a_b"]),
    max_size=30,
).map("".join)


@given(before=st.text(max_size=60), after=st.text(max_size=60))
def test_found_edits_turn_one_text_into_the_other(before: str, after: str) -> None:
    assert apply_edits(before, find_edits(before, after)) == after


@given(before=WORDS, after=WORDS)
def test_found_edits_of_like_texts(before: str, after: str) -> None:
    edits = find_edits(before, after)
    assert apply_edits(before, edits) == after
    assert edits == normalised(before, edits)


def test_found_edits_are_small() -> None:
    before = "I can't  sleep.\r\nMy friend left me, and I don't know why."
    after = "I can't  sleep.\r\nMy cousin left me, and I do not know why."
    assert [(before[e.start : e.end], e.text) for e in find_edits(before, after)] == [
        ("friend", "cousin"),
        ("don't", "do not"),
    ]


def test_equal_texts_have_no_edits() -> None:
    assert find_edits("same text", "same text") == ()
    assert find_edits("", "") == ()


def test_very_long_texts_get_one_edit() -> None:
    before, after = "a b " * 20_000, "c d " * 20_000
    (edit,) = find_edits(before, after)
    assert apply_edits(before, [edit]) == after


def test_order_does_not_matter() -> None:
    edits = [Edit(start=4, end=5, text="X"), Edit(start=0, end=1, text="Y")]
    assert apply_edits("abcdef", edits) == apply_edits("abcdef", edits[::-1]) == "YbcdXf"


@pytest.mark.parametrize(
    "edits",
    [
        [Edit(start=0, end=3, text="x"), Edit(start=2, end=4, text="y")],
        [Edit(start=3, end=1, text="x")],
        [Edit(start=0, end=99, text="x")],
    ],
)
def test_impossible_edits_are_refused(edits: list[Edit]) -> None:
    with pytest.raises(PluginError, match="overlaps another or lies outside"):
        apply_edits("abcdef", edits)


def test_normalised_drops_edits_that_change_nothing() -> None:
    kept = Edit(start=2, end=3, text="Z")
    assert normalised("abc", [kept, Edit(start=0, end=1, text="a")]) == (kept,)
