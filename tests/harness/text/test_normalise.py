"""The normal form of a prompt keeps what carries meaning and drops the rest."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.text.normalise import normalise_prompt


@given(st.text(max_size=80))
def test_normalising_twice_changes_nothing_more(text: str) -> None:
    assert normalise_prompt(normalise_prompt(text)) == normalise_prompt(text)


@settings(max_examples=500)
@given(st.text(alphabet="ab12 \n.,?_+-*/<>=#%&|^!~$−½€≤≥≠×÷éÉ\u0301\u200b\ufe0f😢の", max_size=16))
def test_normalising_symbols_twice_changes_nothing_more(text: str) -> None:
    once = normalise_prompt(text)
    assert normalise_prompt(once) == once
    assert bool(once) == bool(text.strip())


def test_normalising_ignores_case_space_punctuation_and_forms() -> None:
    assert normalise_prompt("Don’t  PANIC!\r\n") == normalise_prompt("don't panic")
    assert normalise_prompt("ﬁne") == "fine"
    assert normalise_prompt("???") == "???"


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Write it in C++", "Write it in C#"),
        ("Write it in C++", "Write it in C"),
        ("Write it in C#.", "Write it in C."),
        ("3x + 5 = 20", "3x - 5 = 20"),
        ("3x+5", "3x*5"),
        ("5-3", "5/3"),
        ("Return x if x > 5", "Return x if x < 5"),
        ("Return x if x > 5", "Return x if x >= 5"),
        ("Print a != b", "Print a == b"),
        ("a === b", "a == b"),
        ("a && b", "a || b"),
        ("i++", "i--"),
        ("2**3", "2*3"),
        ("2^3", "23"),
        ("from -5 to 5", "from 5 to 5"),
        ("if x", "if !x"),
        ("10% of 50", "10 of 50"),
        ("10 % 3", "10 / 3"),
        ("I paid $5", "I paid €5"),
        ("x ≤ 5", "x ≥ 5"),
        ("कि", "की"),
        ("पिता", "पता"),
        ("ไม้", "ไม่"),
        ("ab cd", "abcd"),
        ("f(100,200)", "f(100200)"),
        ("[100,200,300]", "[100200300]"),
        ("1,00 or 10,000", "100 or 10,000"),
        ("1,2345", "12345"),
    ],
)
def test_normalising_keeps_what_carries_meaning(one: str, other: str) -> None:
    assert normalise_prompt(one) != normalise_prompt(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("3x+5=20", "3x + 5 = 20"),
        ("x − 5", "x - 5"),
        ("½ of it", "1/2 of it"),
        ("5–3", "5 - 3"),
        ("I feel sad - what now?", "I feel sad — what now"),
        ("I feel sad--what now?", "I feel sad: what now"),
        ("my self-esteem and/or mood", "My self esteem and or mood"),
        ("covid-19, a 5-year plan", "covid 19 a 5 year plan"),
        ("## Task\n- one\n- two\n> said", "Task one two said"),
        ("### Instruction:\nGo\n\n### Response:\n", "Instruction: Go Response:"),
        ("Title\n=====\n---\ntext", "title text"),
        ("a **bold** and *light* word", "a bold and light word"),
        ("Help me!!! Please!", "help me please"),
        ("I am sad 😢 ❤️", "I am sad"),
        ("ab\u200bcd so\u00adft", "abcd soft"),
        ("cafe\u0301", "café"),
        ("pre- and post-war", "pre and post war"),
        ("1,000,000 of 1,000", "1000000 of 1000"),
        ("if x≥5, y ≤ 3 and z≠1", "if x >= 5, y <= 3 and z != 1"),
        ("3×4 ÷ 2", "3*4/2"),
    ],
)
def test_normalising_drops_what_does_not(one: str, other: str) -> None:
    assert normalise_prompt(one) == normalise_prompt(other)
