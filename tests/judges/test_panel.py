"""The panel: mean, spread, agreement; failures are not averaged away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from harness.errors import PluginError
from harness.records import Cost, Dimension, JudgeItem, Judgement
from harness.registry import Registry
from judges import panel
from judges.panel import CHUNK, Panel, agreement


class Fixed:
    """Gives the number in the answer plus ``add``; unparsed where it says so.

    Args:
        add: Added.
        fails_on: An answer that it cannot read.
        low: Of its scale.
    """

    def __init__(self, add: float = 0.0, fails_on: str = "", low: float = 0.0) -> None:
        self.add, self.fails_on = add, fails_on
        self.version = f"fixed {add} {fails_on}"
        self.dimensions = (
            Dimension(name="score", low=low, high=10),
            Dimension(name=f"own {add}", low=0, high=1),
        )

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        for index, item in reversed(list(enumerate(items))):
            cost = Cost(prompt_tokens=1, money=0.5)
            if item.answer == self.fails_on:
                yield Judgement(
                    item=index, dimension="score", value=None, status="unparsed", reason="no",
                    transient=True, cost=cost,
                )  # fmt: skip
            else:
                value = float(item.answer) + self.add
                yield Judgement(item=index, dimension="score", value=value, raw="r", cost=cost)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    known: Registry[Any] = Registry("judge")
    known.register("fixed")(Fixed)
    monkeypatch.setattr(panel, "registry", known)


def item(answer: str) -> JudgeItem:
    return JudgeItem(question="q", answer=answer)


def test_mean_and_spread() -> None:
    made = Panel([{"fixed": {"name": "ann"}}, {"fixed": {"add": 1}}, {"fixed": {"add": 2}}])
    assert [d.name for d in made.dimensions] == ["score", "score_spread"]
    got = {(j.item, j.dimension): j for j in made.grade([item("1"), item("4")])}
    assert {key: j.value for key, j in got.items()} == {
        (0, "score"): 2.0,
        (0, "score_spread"): 2.0,
        (1, "score"): 5.0,
        (1, "score_spread"): 2.0,
    }
    assert got[0, "score"].reason == "ann 1, 2 fixed 2, 3 fixed 3"
    assert got[0, "score"].cost == Cost(prompt_tokens=3, money=1.5)
    assert got[0, "score_spread"].cost is None


def test_a_member_that_fails_leaves_no_mean() -> None:
    made = Panel(["fixed", {"fixed": {"add": 1, "fails_on": "7"}}])
    got = {(j.item, j.dimension): j for j in made.grade([item("7"), item("2")])}
    assert got[1, "score"].value == 2.5
    for name in ("score", "score_spread"):
        failed = got[0, name]
        assert (failed.value, failed.status, failed.transient) == (None, "unparsed", True)
        assert failed.reason == "2 fixed: no"


def test_many_items_and_agreement() -> None:
    made = Panel(["fixed", {"fixed": {"add": 1}}])
    items = [item(str(n % 7)) for n in range(2 * CHUNK + 5)]
    got = [j for j in made.grade(items) if j.dimension == "score"]
    assert [j.item for j in got] == sorted({j.item for j in got}, key=[j.item for j in got].index)
    assert {j.item: j.value for j in got} == {n: n % 7 + 0.5 for n in range(len(items))}
    value = agreement([j.raw or "" for j in got])
    assert value is not None
    assert 0.8 < value < 1.0
    same = Panel([{"fixed": {"name": "a"}}, {"fixed": {"name": "b"}}])
    exact = [j.raw or "" for j in same.grade(items) if j.dimension == "score"]
    assert agreement(exact) == pytest.approx(1.0)
    assert agreement([]) is None


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ([], "at least two judges"),
        (["fixed"], "at least two judges"),
        ("fixed", "at least two judges"),
        (["fixed", {"fixed": {"low": 1, "add": 1}}], "share no dimension"),
        ([{"fixed": {"name": "a"}}, {"fixed": {"name": "a"}}], "are called 'a'"),
        (["fixed", {"a": {}, "b": {}}], "are written"),
        (["fixed", "fxied"], "Did you mean 'fixed'"),
    ],
)
def test_bad_members(members: Any, line: str) -> None:
    with pytest.raises(PluginError, match=line):
        Panel(members)
