"""Reordering: what each severity moves, and the second look at each move."""

from __future__ import annotations

import random

import pytest

from harness.text.edits import apply_edits
from harness.text.parse import Text
from perturbations.reorder import Reorder
from perturbations.reordering.confirm import confirmed
from perturbations.reordering.coordination import pair_swaps
from perturbations.reordering.moves import exchange

LONG = (
    "My phone and laptop were stolen. I feel sad and lonely. I sleep badly because I worry. "
    "Last month, I lost my job. When I wake up, I cry. Unfortunately, my savings are gone. "
    "What should I do?"
)


def _moves(severity: str, seed: int) -> int:
    text = Text(LONG)
    edits = Reorder(severity)(text, random.Random(seed))  # type: ignore[arg-type]
    assert edits is not None
    before, after = LONG.split(), apply_edits(LONG, edits).split()
    return sum(a != b for a, b in zip(before, after, strict=True))


def test_each_severity_moves_more_than_the_one_before() -> None:
    seeds = range(12)
    light, medium, heavy = (
        sum(len(Reorder(level)(Text(LONG), random.Random(s)) or ()) for s in seeds)
        for level in ("light", "medium", "heavy")
    )
    assert light < medium < heavy
    assert sum(_moves("light", s) for s in seeds) < sum(_moves("heavy", s) for s in seeds)


def test_a_move_whose_parse_differs_is_refused() -> None:
    text = Text("My phone and laptop were stolen.")
    (move,) = pair_swaps(text)
    assert confirmed(text, move)
    wrong = type(move)(exchange(text, ((3, 8), (20, 24))), ((3, 24),), exchanged=("phone", "were"))
    assert not confirmed(text, wrong)


@pytest.mark.parametrize(
    "raw",
    [
        "I like bread and butter.",
        "He never buys cakes and sweets.",
        "It runs in spring and summer.",
        "She likes the red and of course the blue one.",
    ],
)
def test_pairs_that_stay(raw: str) -> None:
    assert not list(pair_swaps(Text(raw)))
