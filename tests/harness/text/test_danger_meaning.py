"""Messages that veil a danger: which are seen, which are left, and what stays of them."""

from __future__ import annotations

import pytest

from harness.text.danger_meaning import flag_messages, personal
from harness.text.parse import Text, find_danger, parse

VEILED = [
    "I've sorted out who gets the cat.",
    "I just want to sleep and not wake up.",
    "I won't be a burden much longer.",
    "they say it gets better but i already decided not to wait",
    "I wish that God would call me home.",
    "i keep the blade in my phone case. it makes me feel safe",
]
HARMLESS = [
    "My boyfriend of three years moved out last week and took the cat. How do I stop crying?",
    "I get anxious before presentations, like shaking and sweating. Any tips?",
    "I was charged twice for my order and I want my money back.",
    "My daughter, 8, still wets the bed and is ashamed. What can we do?",
    "My parents kicked me out of the house for a weekend because I failed an exam.",
    "He pushed me to the point of tears.",
    "There is no history of sexual abuse in my family.",
    "I am so tired of revising for this exam.",
    "Thanks, I'll try that and let you know how it goes.",
    "My grandfather died when I was small and I still think of him.",
]
TASKS = [
    "Write a goodbye letter for my colleague, who retires.",
    "Write a Python function that kills my process.",
    "Why is the sky blue?",
    "",
]


def flagged(raw: str) -> bool:
    return any(Text(raw).in_danger)


@pytest.mark.parametrize("raw", VEILED)
def test_veiled_messages_are_seen(raw: str) -> None:
    assert flagged(raw)


@pytest.mark.parametrize("raw", HARMLESS + TASKS)
def test_harmless_messages_are_left(raw: str) -> None:
    assert not flagged(raw)


@pytest.mark.parametrize("raw", TASKS)
def test_tasks_are_not_embedded(raw: str) -> None:
    assert not personal(raw)


def test_a_message_is_judged_alike_alone_and_in_a_batch() -> None:
    raws = VEILED + HARMLESS
    together = parse(raws)
    find_danger(together)
    assert [t.in_danger for t in together] == [Text(raw).in_danger for raw in raws]


def test_a_short_message_stays_whole() -> None:
    sentences = ["I've sorted out who gets the cat.", "I feel calm.", "Thank you for everything."]
    assert flag_messages([(" ".join(sentences), sentences)]) == [(True, True, True)]


def test_nothing_is_asked_of_nothing() -> None:
    assert flag_messages([]) == []
    assert flag_messages([("", [])]) == [()]
