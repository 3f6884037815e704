"""No prompt on both sides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError
from harness.records import Message, Sample
from training.splits import group_key, grouped_split, overlap, refuse_overlap


def samples(*prompts: str) -> list[Sample]:
    return [
        Sample(id=str(i), messages=(Message(role="user", content=p),), reference=f"answer {i}")
        for i, p in enumerate(prompts)
    ]


@given(
    st.lists(
        st.sampled_from(["Why me?", "why  me", "WHY ME!", "Help", "help...", "So?", "A b"]),
        min_size=2,
    ),
    st.floats(min_value=0.05, max_value=0.9),
    st.integers(min_value=0, max_value=50),
)
def test_no_prompt_on_both_sides(prompts: list[str], fraction: float, seed: int) -> None:
    rows = samples(*prompts)
    if len({group_key(row) for row in rows}) < 2:
        with pytest.raises(DataError, match="distinct prompts"):
            grouped_split(rows, fraction, seed)
        return
    train, held_out = grouped_split(rows, fraction, seed)
    assert sorted(s.id for s in [*train, *held_out]) == sorted(s.id for s in rows)
    assert train
    assert held_out
    assert overlap(train, held_out).rows == 0


def test_split_depends_on_seed_not_on_order() -> None:
    rows = samples(*(f"question {i}" for i in range(40)))
    one = {s.id for s in grouped_split(rows, 0.25, 3).held_out}
    assert one == {s.id for s in grouped_split(rows[::-1], 0.25, 3).held_out}
    assert one != {s.id for s in grouped_split(rows, 0.25, 4).held_out}
    assert len(one) == 10


def test_overlap_counts_exact_and_normalised() -> None:
    found = overlap(samples("Why me?", "Help me", "Other"), samples("Why me?", "HELP, me!", "New"))
    assert (found.exact, found.normalised, found.total) == (1, 1, 3)
    with pytest.raises(
        DataError, match=r"valid: 2 of 3 validation rows .* train .*1 exactly, 1 but"
    ):
        refuse_overlap(found, train="train", held_out="valid")


def test_conversations_are_compared_whole() -> None:
    def talk(first: str) -> Sample:
        turns = [("user", first), ("assistant", "Hi"), ("user", "Thanks!")]
        messages = tuple(Message(role=r, content=c) for r, c in turns)  # type: ignore[arg-type]
        return Sample(id=first, messages=messages, reference="You are welcome.")

    assert overlap([talk("One")], [talk("Two")]).rows == 0
    assert overlap([talk("One")], [talk("one?")]).rows == 1
