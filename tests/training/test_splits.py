"""No prompt on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from harness.errors import DataError
from harness.records import Message, Sample
from training.splits import grouped_split, overlap, refuse_overlap


def samples(*prompts: str) -> list[Sample]:
    return [
        Sample(id=str(i), messages=(Message(role="user", content=p),), reference=f"answer {i}")
        for i, p in enumerate(prompts)
    ]


def unlike(texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Embeddings in which no two texts are alike."""
    return np.eye(len(texts), 512, dtype=np.float32)


def test_no_prompt_on_both_sides() -> None:
    prompts = [f"How do I {verb} my {thing}?" for verb in ("mend", "sell", "wash", "paint")
               for thing in ("old bicycle", "leaking roof", "winter coat", "garden gate")]  # fmt: skip
    rows = samples(
        *prompts, *(p.upper() for p in prompts), *(p.replace("?", " !") for p in prompts)
    )
    train, held_out = grouped_split(rows, 0.25, 0, embed=unlike)
    assert sorted(s.id for s in [*train, *held_out]) == sorted(s.id for s in rows)
    assert overlap(train, held_out).rows == 0
    assert 3 <= len(held_out) <= 18
    one = {s.id for s in held_out}
    assert one == {s.id for s in grouped_split(rows[::-1], 0.25, 0, embed=unlike).held_out}
    assert any(
        one != {s.id for s in grouped_split(rows, 0.25, seed, embed=unlike).held_out}
        for seed in (1, 2, 3)
    )


def test_one_prompt_cannot_be_split() -> None:
    with pytest.raises(DataError, match="would get no row"):
        grouped_split(samples("Why me?", "why me", "WHY ME!"), 0.3, 0)


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
