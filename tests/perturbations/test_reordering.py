"""Reordering: what each severity moves, and the second look at each move."""

from __future__ import annotations

import random

import pytest

from harness.text.edits import apply_edits, normalised
from harness.text.parse import Text
from perturbations.reorder import Reorder
from perturbations.reordering.confirm import confirmed
from perturbations.reordering.moves import exchange
from perturbations.reordering.pairs import pair_swaps

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
        "They are trying to be teachers and work at home.",
        "He got tired and left.",
        "It runs in spring and summer.",
        "She likes the red and of course the blue one.",
    ],
)
def test_pairs_that_stay(raw: str) -> None:
    assert not list(pair_swaps(Text(raw)))


@pytest.mark.parametrize(
    ("raw", "reworded"),
    [
        ("She used to be very open and expressive.", "She used to be very expressive and open."),
        ("He never buys cakes or sweets.", "He never buys sweets or cakes."),
        ("I have depression and panic attacks.", "I have panic attacks and depression."),
        ("I feel sad and have no energy.", "I have no energy and feel sad."),
        (
            "I am afraid of being alone and losing my job.",
            "I am afraid of losing my job and being alone.",
        ),
        ("It was a quiet, peaceful place.", "It was a peaceful, quiet place."),
        ("Yesterday I lost my keys.", "I lost my keys yesterday."),
        ("Over the summer, my father had a stroke.", "My father had a stroke over the summer."),
        ("My girlfriend recently quit her job.", "Recently, my girlfriend quit her job."),
        ("If I sit and rock, I'm fine.", "I'm fine if I sit and rock."),
        ("We broke up because he lied to me.", "Because he lied to me, we broke up."),
        ("I am so tired. How can I get help?", "How can I get help? I am so tired."),
        (
            "Is it safe to eat raw eggs? I am pregnant with twins.",
            "I am pregnant with twins. Is it safe to eat raw eggs?",
        ),
        ("Compare Python and Java.", "Compare Java and Python."),
    ],
)
def test_the_order_says_nothing(raw: str, reworded: str) -> None:
    assert reworded in _offered(raw)


@pytest.mark.parametrize(
    "raw",
    [
        "Write a function to find the third side of a triangle.",
        "Write a function to find the cubes of individual elements in a list.",
        "Write a code block with an example of a code block in HTML.",
        "Suppose I have ten eggs and eat five of them. How many eggs do I have left?",
        "Imagine you are my time machine. What would you tell people about the year 3000?",
        "I cough every winter. How can I handle this?",
        "I can't sleep. I have no appetite.",
        "My husband cheated while I was at home with our son with a friend.",
        "I bought a plant a few years ago when I first started feeling low.",
        "What is the reference for improper use of power analysis after the results are known?",
    ],
)
def test_what_stays_as_it_is(raw: str) -> None:
    assert not _offered(raw)


def _offered(raw: str) -> set[str]:
    """Return everything that a light reordering may give for a text."""
    text = Text(raw)
    drawn = (Reorder("light")(text, random.Random(seed)) for seed in range(12))
    return {apply_edits(raw, normalised(raw, edits)) for edits in drawn if edits}
