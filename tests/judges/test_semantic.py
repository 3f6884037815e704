"""The semantic judge: which items, which texts, and the real model's ordering."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from harness.records import JudgeItem
from harness.text.embedding import DIMENSIONS
from judges.semantic import CHUNK, Semantic


def bag(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors of letter counts."""
    rows = np.zeros((len(texts), DIMENSIONS), dtype=np.float32)
    for row, text in zip(rows, texts, strict=True):
        for character in text or " ":
            row[ord(character) % DIMENSIONS] += 1
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_each_dimension_where_it_applies() -> None:
    items = [
        JudgeItem(question="q", answer="abc"),
        JudgeItem(question="q", answer="abc", original_answer="abc", is_original=True),
        JudgeItem(question="q", answer="abc", original_answer="cab"),
        JudgeItem(question="q", answer="abc", original_answer="xyz", reference="abcabc"),
    ]
    got = {(j.item, j.dimension): j.value for j in Semantic(embed=bag).grade(items)}
    assert got == {(2, "consistency"): 1.0, (3, "consistency"): 0.0, (3, "closeness"): 1.0}


def test_many_items_keep_their_numbers() -> None:
    letters = "abcdefghij"
    items = [
        JudgeItem(question="q", answer=letters[n % 10], reference=letters[n % 7])
        for n in range(3 * CHUNK + 5)
    ]
    got = {j.item: j.value for j in Semantic(embed=bag).grade(items)}
    assert got == {n: float(n % 10 == n % 7) for n in range(len(items))}


def test_empty_texts() -> None:
    items = [
        JudgeItem(question="q", answer=" ", reference="abc"),
        JudgeItem(question="q", answer="", reference="\n"),
    ]
    one, both = Semantic(embed=bag).grade(items)
    assert (one.value, one.status) == (0.0, "scored")
    assert (both.value, both.status) == (None, "error")
    assert both.reason == "both texts are empty: nothing to compare"


@pytest.mark.model
def test_real_model_orders_answers() -> None:
    item = JudgeItem(
        question="I can't sleep",
        answer="Try going to bed at the same time each night and put the phone away.",
        original_answer="Go to bed at a regular hour every evening and leave your phone elsewhere.",
        reference="You can sort a list in Python with sorted().",
    )
    values = {j.dimension: j.value for j in Semantic().grade([item])}
    assert values["consistency"] is not None
    assert values["closeness"] is not None
    assert values["consistency"] > 0.7 > 0.3 > values["closeness"]
