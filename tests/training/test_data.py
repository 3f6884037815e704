"""No prompt on both sides."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.data.split import split
from harness.errors import DataError
from harness.records import Message, Sample
from tests.training.conftest import write_jsonl
from training.config import TrainingConfig
from training.data import _overlap, load_data

Make = Callable[..., TrainingConfig]


def samples(*prompts: str) -> list[Sample]:
    return [
        Sample(id=str(i), messages=(Message(role="user", content=p),), reference=f"answer {i}")
        for i, p in enumerate(prompts)
    ]


def unlike(texts: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float32]]:
    """Embeddings in which no two texts are alike."""
    return np.eye(len(texts), 512, dtype=np.float32)


def halves(rows: Sequence[Sample], seed: int) -> tuple[list[Sample], list[Sample]]:
    parts = split(rows, {"train": 0.75, "held_out": 0.25}, seed=seed, embed=unlike).parts
    return parts["train"], parts["held_out"]


def test_no_prompt_on_both_sides(make_config: Make) -> None:
    prompts = [f"How do I {verb} my {thing}?" for verb in ("mend", "sell", "wash", "paint")
               for thing in ("old bicycle", "leaking roof", "winter coat", "garden gate")]  # fmt: skip
    rows = samples(
        *prompts, *(p.upper() for p in prompts), *(p.replace("?", " !") for p in prompts)
    )
    train, held_out = halves(rows, 0)
    assert sorted(s.id for s in [*train, *held_out]) == sorted(s.id for s in rows)
    assert _overlap(make_config(), "valid", train, held_out) == []
    assert 3 <= len(held_out) <= 18
    one = {s.id for s in held_out}
    assert one == {s.id for s in halves(rows[::-1], 0)[1]}
    assert any(one != {s.id for s in halves(rows, seed)[1]} for seed in (1, 2, 3))


def test_one_prompt_cannot_be_split(make_config: Make, tmp_path: Path) -> None:
    same = [{"prompt": text, "response": "r"} for text in ("Why me?", "why me", "WHY ME!")]
    path = write_jsonl(tmp_path / "same.jsonl", same)
    config = make_config(train_data=str(path), validation_data=None, validation_fraction=0.3)
    with pytest.raises(DataError, match="would get no row"):
        load_data(config)


def test_overlap_counts_exact_and_normalised(make_config: Make) -> None:
    train, held_out = samples("Why me?", "Help me", "Other"), samples("Why me?", "HELP, me!", "New")
    with pytest.raises(
        DataError, match=r"valid: 2 of 3 validation rows .* in .*train\.jsonl .*1 exactly, 1 but"
    ):
        _overlap(make_config(), "valid", train, held_out)
    [warning] = _overlap(make_config(allow_overlap=True), "valid", train, held_out)
    assert warning.startswith("2 of 3 validation rows")


def test_an_answer_that_is_trained_on_under_another_prompt_is_refused(make_config: Make) -> None:
    answer = "Write down what you would say to her, and read it aloud to a friend before you call."
    train = [s.model_copy(update={"reference": answer}) for s in samples("Why me?")]
    held_out = [s.model_copy(update={"reference": answer}) for s in samples("How do I begin?")]
    with pytest.raises(DataError, match=r"0 of 1 validation rows .*1 have an answer that is there"):
        _overlap(make_config(), "valid", train, held_out)
    [warning] = _overlap(make_config(allow_overlap=True), "valid", train, held_out)
    assert "1 have an answer" in warning


def test_conversations_are_compared_whole(make_config: Make) -> None:
    def talk(first: str) -> Sample:
        turns = [("user", first), ("assistant", "Hi"), ("user", "Thanks!")]
        messages = tuple(Message(role=r, content=c) for r, c in turns)  # type: ignore[arg-type]
        return Sample(id=first, messages=messages, reference="You are welcome.")

    config = make_config(allow_overlap=True)
    assert _overlap(config, "valid", [talk("One")], [talk("Two")]) == []
    assert len(_overlap(config, "valid", [talk("One")], [talk("one?")])) == 1
