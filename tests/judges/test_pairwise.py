"""The pairwise judge: both orders, flips are ties, position bias is seen."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, error, says

from harness.records import JudgeItem, Judgement
from harness.registry import judges
from judges import parsing
from judges.pairwise import CHOICES, Pairwise


def shown(request: dict[str, Any]) -> tuple[str, str]:
    user = request["messages"][1]["content"]
    found = [
        re.search(rf"<answer_{n}-\w+> \(.*?\)\n(.*?)\n</answer_{n}-", user, re.DOTALL)
        for n in (1, 2)
    ]
    assert all(found)
    first, second = (match[1] for match in found if match)
    return first, second


def says_winner(winner: str) -> Reply:
    return says(json.dumps({"reason": f"because {winner}", "winner": winner}))


def graded(
    choose: Callable[[str, str], Reply], items: list[JudgeItem], **options: Any
) -> dict[tuple[int, str], Judgement]:
    with ScriptedServer(lambda request, _: choose(*shown(request))) as server:
        judge = Pairwise(
            "counseling",
            model="m",
            base_url=server.base_url,
            backoff_s=0.01,
            max_retries=1,
            **options,
        )
        found = list(judge.grade(items))
    got = {(j.item, j.dimension): j for j in found}
    assert len(got) == len(found)
    return got


def item(answer: str, opponent: str | None) -> JudgeItem:
    return JudgeItem(question="q", answer=answer, opponent_answer=opponent)


def longer(first: str, second: str) -> Reply:
    if len(first) == len(second):
        return says_winner("tie")
    return says_winner("first" if len(first) > len(second) else "second")


def test_a_steady_preference() -> None:
    items = [item("long answer", "short"), item("short", "long answer"), item("same!", "sames")]
    got = graded(longer, items)
    assert [got[n, "win"].value for n in range(3)] == [1.0, 0.0, 0.5]
    assert [got[n, "position_flip"].value for n in range(3)] == [0.0, 0.0, 0.0]
    assert [got[n, "position_bias"].value for n in range(3)] == [0.0, 0.0, 0.0]
    assert {judgement.order for judgement in got.values()} == {"both"}
    assert got[0, "win"].reason == "because first"
    assert got[0, "win"].cost is not None
    assert got[0, "win"].cost.prompt_tokens == 40  # both calls
    assert got[0, "position_flip"].cost is None


@pytest.mark.parametrize(("favours", "bias"), [("first", 1.0), ("second", -1.0)])
def test_a_preference_that_flips_with_the_order_is_a_tie(favours: str, bias: float) -> None:
    got = graded(lambda *_: says_winner(favours), [item("a", "b")])
    assert got[0, "win"].value == 0.5
    assert got[0, "position_flip"].value == 1.0
    assert got[0, "position_bias"].value == bias


def test_a_tie_in_one_order_only() -> None:
    got = graded(lambda first, _: says_winner("first" if first == "a" else "tie"), [item("a", "b")])
    assert (got[0, "win"].value, got[0, "position_flip"].value) == (0.5, 1.0)
    assert got[0, "position_bias"].value == 0.5


def test_no_opponent_no_verdict_and_equal_answers_no_call() -> None:
    def refuse(*_: str) -> Reply:
        raise AssertionError("nothing is to be asked")

    got = graded(refuse, [item("a", None), item("same", " same ")])
    assert set(got) == {(1, "win"), (1, "position_flip"), (1, "position_bias")}
    assert got[1, "win"].value == 0.5


@pytest.mark.parametrize(
    ("reply", "status", "transient"),
    [
        (says("Both are fine."), "unparsed", False),
        (says('{"winner": "third"}'), "unparsed", False),
        (says("I can't help with that."), "refused", False),
        (error(500), "error", True),
        (error(403), "error", False),
    ],
)
def test_without_both_orders_there_is_no_verdict(
    reply: Reply, status: str, transient: bool
) -> None:
    got = graded(lambda first, _: reply if first == "b" else says_winner("first"), [item("a", "b")])
    assert len(got) == 3
    for judgement in got.values():
        assert (judgement.value, judgement.status, judgement.transient) == (None, status, transient)
        assert (judgement.reason or "").startswith("shown second: ")


def test_many_items() -> None:
    items = [item("x" * (1 + n % 5), "y" * (1 + n % 3)) for n in range(100)]
    got = graded(longer, items, concurrency=8)
    assert Counter(dimension for _, dimension in got) == dict.fromkeys(
        ("win", "position_flip", "position_bias"), 100
    )
    for n in range(100):
        mine, theirs = 1 + n % 5, 1 + n % 3
        assert got[n, "win"].value == (0.5 if mine == theirs else float(mine > theirs))


@pytest.mark.parametrize(
    "text",
    [
        '{"winner": "second"} no: {"reason": "x", "winner": "First"}',
        "Winner: first",
        "**Winner**: first\n",
        '```json\n{"reason": "{\\"winner\\": \\"tie\\"}", "winner": "first"}\n```',
    ],
)
def test_choice(text: str) -> None:
    found = parsing.choice(text, "winner", CHOICES)
    assert found is not None
    assert found[0] == "first"


def test_version_and_registry() -> None:
    options = {"rubric": "quality", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    judge = judges.create("pairwise", options)
    assert judge.version != judges.create("pairwise", {**options, "rubric": "code"}).version
    assert [d.needs for d in judge.dimensions] == [("opponent",)] * 3
