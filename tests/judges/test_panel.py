"""The panel: mean, spread, agreement; failures are not averaged away."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import pytest

from harness.errors import BudgetExceeded, PluginError
from harness.judging.derived import panel_agreement, panel_values
from harness.protocols import Spending
from harness.records import Cost, Dimension, JudgeItem, Judgement
from harness.registry import Registry
from judges import panel
from judges.panel import CHUNK, Panel


class Fixed:
    """Gives the number in the answer plus ``add``; unparsed where it says so.

    Args:
        add: Added.
        fails_on: An answer that it cannot read.
        low: Of its scale.
        budget: Items that it grades before it stops for good.
    """

    asked: ClassVar[Counter[str]] = Counter()
    """Over all instances, as an endpoint's bill would be."""

    def __init__(
        self, add: float = 0.0, fails_on: str = "", low: float = 0.0, budget: int | None = None
    ) -> None:
        self.add, self.fails_on, self.budget = add, fails_on, budget
        self.version = f"fixed {add} {fails_on}"
        self.dimensions = (
            Dimension(name="score", low=low, high=10),
            Dimension(name=f"own {add}", low=0, high=1),
        )

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        for index, item in reversed(list(enumerate(items))):
            if self.budget is not None:
                if not self.budget:
                    raise BudgetExceeded("spent")
                self.budget -= 1
            self.asked[self.version] += 1
            cost = Cost(prompt_tokens=1, money=0.5)
            if item.answer == self.fails_on:
                yield Judgement(
                    item=index, dimension="score", value=None, status="unparsed", reason="no",
                    transient=True, cost=cost,
                )  # fmt: skip
            else:
                value = float(item.answer) + self.add
                yield Judgement(item=index, dimension="score", value=value, raw="r", cost=cost)
                own = Cost(prompt_tokens=10, money=1.0)
                yield Judgement(item=index, dimension=f"own {self.add}", value=0.0, cost=own)


@pytest.fixture(autouse=True)
def registry(monkeypatch: pytest.MonkeyPatch) -> None:
    known: Registry[Any] = Registry("judge", "tests.none")
    known.register("fixed")(Fixed)
    known.register("panel")(Panel)
    monkeypatch.setattr(Fixed, "asked", Counter())
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
    # The dimensions that they do not share were paid for, too.
    assert got[0, "score"].cost == Cost(prompt_tokens=33, money=4.5)
    assert made.spent == Spending(calls=12, prompt_tokens=66, money=9.0)
    assert got[0, "score_spread"].cost is None


def test_a_member_that_fails_leaves_no_mean() -> None:
    made = Panel(["fixed", {"fixed": {"add": 1, "fails_on": "7"}}])
    got = {(j.item, j.dimension): j for j in made.grade([item("7"), item("2")])}
    assert got[1, "score"].value == 2.5
    for name in ("score", "score_spread"):
        failed = got[0, name]
        assert (failed.value, failed.status, failed.transient) == (None, "unparsed", True)
        assert failed.reason == "2 fixed: no"


class Shelf(dict[str, str]):
    """A store of verdicts."""

    def get(self, keys: Iterable[str]) -> dict[str, str]:  # type: ignore[override]
        return {key: self[key] for key in keys if key in self}

    def put(self, entries: Mapping[str, str]) -> None:
        self.update(entries)


def test_what_all_had_finished_is_handed_on_before_a_member_stops() -> None:
    made = Panel(["fixed", {"fixed": {"add": 1, "fails_on": "6", "budget": 3}}])
    got: list[Judgement] = []
    with pytest.raises(BudgetExceeded):
        got.extend(made.grade([item(str(n)) for n in range(8)]))
        # The items are graded from the last one on; extend keeps what came before the error.
    assert {(j.item, j.status) for j in got} == {(7, "scored"), (6, "unparsed"), (5, "scored")}
    assert {j.item: j.value for j in got if j.dimension == "score"} == {7: 7.5, 6: None, 5: 5.5}


def test_a_failure_is_decided_though_the_other_member_was_never_asked() -> None:
    made = Panel([{"fixed": {"fails_on": "1"}}, {"fixed": {"add": 1, "budget": 0}}])
    got: list[Judgement] = []
    with pytest.raises(BudgetExceeded):
        got.extend(made.grade([item("0"), item("1")]))
    assert [(j.item, j.dimension, j.status) for j in got] == [
        (1, "score", "unparsed"),
        (1, "score_spread", "unparsed"),
    ]
    assert got[0].reason == "1 fixed: no"


@pytest.mark.parametrize("nested", [False, True])
def test_no_members_verdict_is_paid_for_twice(nested: bool) -> None:
    shelf, items = Shelf(), [item(str(n)) for n in range(2 * CHUNK + 9)]
    done: dict[int, float | None] = {}
    stops = 0
    for _ in range(20):
        inner: list[Any] = ["fixed", {"fixed": {"add": 1, "budget": 10}}]
        members = [{"panel": {"judges": inner}}, {"fixed": {"add": 2}}] if nested else inner
        made = Panel(members)
        made.keep_in(lambda _: shelf)
        todo = [index for index in range(len(items)) if index not in done]
        try:
            for judgement in made.grade([items[index] for index in todo]):
                if judgement.dimension == "score":
                    done[todo[judgement.item]] = judgement.value
        except BudgetExceeded:
            stops += 1
            continue
        break
    assert stops == 13
    mean = 1.25 if nested else 0.5  # (0.5 + 2) / 2
    assert done == {n: n + mean for n in range(len(items))}
    assert set(Fixed.asked.values()) == {len(items)}


def test_asked_again_on_purpose_is_asked_again() -> None:
    made = Panel(["fixed", {"fixed": {"add": 1}}])
    made.keep_in(lambda _, shelf=Shelf(): shelf)  # type: ignore[misc]  # noqa: B008
    twice = [JudgeItem(question="q", answer="1", seed=seed) for seed in (1, 2, 1)]
    for one in twice:
        list(made.grade([one]))
    assert Fixed.asked == {"fixed 0.0 ": 2, "fixed 1 ": 2}


def test_many_items_and_agreement() -> None:
    made = Panel(["fixed", {"fixed": {"add": 1}}])
    items = [item(str(n % 7)) for n in range(2 * CHUNK + 5)]
    got = [j for j in made.grade(items) if j.dimension == "score"]
    assert [j.item for j in got] == sorted({j.item for j in got}, key=[j.item for j in got].index)
    assert {j.item: j.value for j in got} == {n: n % 7 + 0.5 for n in range(len(items))}
    value = panel_agreement([panel_values(j.raw or "") for j in got])
    assert value is not None
    assert 0.8 < value < 1.0
    same = Panel(["fixed", {"fixed": {"fails_on": "none"}}])
    exact = [panel_values(j.raw or "") for j in same.grade(items) if j.dimension == "score"]
    assert panel_agreement(exact) == pytest.approx(1.0)
    assert panel_agreement([]) is None


@pytest.mark.parametrize(
    ("members", "line"),
    [
        ([], "at least two judges"),
        (["fixed"], "at least two judges"),
        ("fixed", "at least two judges"),
        (5, "at least two judges"),
        ({"fixed": {}, "other": {}}, "at least two judges"),
        (["fixed", {"fixed": {"low": 1, "add": 1}}], "share no dimension"),
        ([{"fixed": {"name": "a"}}, {"fixed": {"name": "a"}}], "are called 'a'"),
        (["fixed", {"fixed": {"add": 1}}, "fixed"], "'1 fixed' and '3 fixed' of the panel are the"),
        (["fixed", {"a": {}, "b": {}}], "are written"),
        (["fixed", "fxied"], "Did you mean 'fixed'"),
    ],
)
def test_bad_members(members: Any, line: str) -> None:
    with pytest.raises(PluginError, match=line):
        Panel(members)
