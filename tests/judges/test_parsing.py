"""Verdicts out of what models write."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from judges.parsing import json_objects, own_turn, verdicts, whole_number

ONE = {"empathy": (1, 2, 3, 4, 5)}
TWO = {"empathy": (1, 2, 3, 4, 5), "instruction_alignment": (1, 2, 3, 4, 5)}


def scores(text: str, scales: dict[str, tuple[int, ...]] = TWO) -> dict[str, int]:
    return {name: verdict.score for name, verdict in verdicts(text, scales).items()}


def verdict(empathy: object, alignment: object) -> str:
    return json.dumps(
        {
            "empathy": {"reason": "warm {really}", "score": empathy},
            "instruction_alignment": {"reason": 'says "{\\"score\\": 5}"', "score": alignment},
        }
    )


def test_a_plain_verdict_with_its_reasons() -> None:
    found = verdicts(verdict(4, 2), TWO)
    assert found["empathy"] == (4, "warm {really}")
    assert found["instruction_alignment"].score == 2


@pytest.mark.parametrize(
    "text",
    [
        "Here you are:\n```json\n" + verdict(4, 2) + "\n```\nThank you.",
        verdict(5, 5) + "\nNo, wait.\n" + verdict(4, 2),
        '<think>{"empathy": 1}' + verdict(5, 5) + "</think>" + verdict(4, 2),
        "I think it is a 5.</think>" + verdict(4, 2),
        verdict(4, 2) + "<|im_end|>\n<|im_start|>user\n" + verdict(5, 5),
        verdict(4, 2) + "\nUser:\n" + verdict(5, 5),
        verdict(4, 2).replace('"score": 4', '"Score": "4/5"'),
        verdict(4.0, "2"),
        verdict(4, 2) + verdict(5, 9) + verdict(True, "five") + verdict(None, 4.5),
        '{"Empathy": 4, "Instruction Alignment": 2}',
        "{" * 50 + verdict(4, 2) + "}" * 3,
        '{"unclosed": "' + verdict(4, 2),
        "Empathy: 4\nInstruction alignment: 2/5",
        "- **Empathy**: 5\nOn reflection:\n- **Empathy:** 4\n- **instruction_alignment** = 2",
        "Empathy score: 4.\nInstruction-Alignment: 2",
    ],
)
def test_the_last_valid_verdict_of_its_own_turn(text: str) -> None:
    assert scores(text) == {"empathy": 4, "instruction_alignment": 2}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "I would give it a five.",
        verdict(0, 6),
        verdict(10, -1),
        verdict(3.5, "4.5"),
        verdict("4/10", "2 of 5"),
        verdict([4], {"x": 2}),
        '{"empathy": {"reason": "cut o',
        "Empathy: 45\nInstruction alignment: 0",
        "Empathy: 1-5\nInstruction alignment: 1 to 5",
        "empathy 4",
        "<think>" + verdict(4, 2),
        "[4, 2]",
        "{" * 5000,
    ],
)
def test_nothing_is_guessed(text: str) -> None:
    assert scores(text) == {}


def test_parts_of_a_verdict() -> None:
    assert scores(verdict(4, 9)) == {"empathy": 4}
    assert scores('{"empathy": 2}\n{"instruction_alignment": 3}\n{"empathy": 5}') == {
        "empathy": 5,
        "instruction_alignment": 3,
    }
    # A whole verdict goes before a part of another.
    assert scores(verdict(4, 2) + '{"empathy": 1}') == {"empathy": 4, "instruction_alignment": 2}


def test_a_single_dimension_may_stand_flat() -> None:
    assert scores('{"reason": "good", "score": 3}', ONE) == {"empathy": 3}
    assert scores("Rating: 3/5", ONE) == {"empathy": 3}
    assert scores("Score: 3", TWO) == {}


@pytest.mark.parametrize(
    ("value", "expected"),
    [(3, 3), (3.0, 3), (" 3 ", 3), ("3/5", 3), ("3.0", 3), (6, None), (3.2, None), (True, None)],
)
def test_whole_number(value: object, expected: int | None) -> None:
    assert whole_number(value, (1, 2, 3, 4, 5)) == expected


def test_own_turn() -> None:
    assert own_turn("<|im_start|>assistant\nyes") == "<|im_start|>assistant\nyes"
    assert own_turn("yes\nHuman:\nand now?") == "yes\n"
    assert own_turn("a <think>b</think> c") == "a  c"


def test_hostile_texts_are_quick() -> None:
    started = time.monotonic()
    for piece in ('{"a":', "{", "[", '{"empathy": ', "<think>", "Empathy: ", "**", "\n", '{"a": "'):
        verdicts((piece * 100_000)[:100_000], TWO)
        verdicts("Empathy" + (piece * 50_000)[:50_000] + " " * 50_000, TWO)
    assert time.monotonic() - started < 60  # seconds, where a quadratic way takes hours


@given(st.text(max_size=300), st.integers(1, 5), st.integers(1, 5))
@settings(max_examples=200, deadline=None)
def test_a_verdict_after_any_text_without_a_thought_is_found(text: str, a: int, b: int) -> None:
    before = text.replace("<", "").replace('"', "")
    assert scores(before + "\n" + verdict(a, b)) == {"empathy": a, "instruction_alignment": b}


@given(st.text(alphabet='{}":,[]score empathy12345\n*', max_size=200))
@settings(max_examples=300, deadline=None)
def test_never_off_the_scale(text: str) -> None:
    assert all(value in range(1, 6) for value in scores(text).values())


def test_json_objects() -> None:
    assert json_objects('x {"a": {"b": 1}} y {bad} {"c": 2}') == [{"a": {"b": 1}}, {"c": 2}]
