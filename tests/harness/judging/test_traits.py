"""What a judge says about itself, and that a judgement hangs on the texts that it looks at alone."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, says

from harness.judging.metered import Metered, is_priced
from harness.judging.traits import declared_traits, leaves, shown_texts, traits_of
from harness.protocols import JudgeTraits, Spending
from harness.records import Cost, Dimension, JudgeItem, Judgement
from harness.registry import judges
from tests.pipeline import PROMPTS, make_suite, run_suite

ORIGINALS = {"original_question", "original_answer"}
RUBRIC = """\
name: near
version: 1
description: Is it near the reference?
role: a careful reader
show: [question, answer, reference]
optional: [reference]
dimensions:
  - {name: near, description: "Is it near?", scale: {1: far, 2: near}}
"""


class Silent:
    """A judge that says nothing about itself."""

    version = "1"
    dimensions = (Dimension(name="plain", low=0, high=1),)

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        for index, _ in enumerate(items):
            cost = Cost(prompt_tokens=2, money=0.5, seconds=1.0)
            yield Judgement(item=index, dimension="plain", value=1, cost=cost)


class Plain(Silent):
    """A judge as the first guide had it: what it says of itself are attributes."""

    llm = True
    durable = False
    fingerprint: Mapping[str, str] = {"weights": "w"}


class Typed(Silent):
    """The same as typed traits."""

    traits = JudgeTraits(llm=True, durable=False, fingerprint={"weights": "w"})


class Late(Silent):
    """A judge whose model must be loaded before it knows whose it is."""

    traits = JudgeTraits(llm=True)
    loaded = False

    @property
    def durable(self) -> bool:
        self.loaded = True
        return False

    @property
    def fingerprint(self) -> dict[str, str]:
        self.loaded = True
        return {"weights": "w"}


def panel(**members: Any) -> Any:
    return SimpleNamespace(traits=JudgeTraits(members=members))


@pytest.mark.parametrize("made", [Plain, Typed, Late])
def test_traits_and_attributes_say_the_same(made: type) -> None:
    wanted = JudgeTraits(llm=True, durable=False, fingerprint={"weights": "w"})
    assert traits_of(made()) == wanted


def test_without_any_the_defaults_count() -> None:
    silent: Any = Silent()
    assert traits_of(silent) == JudgeTraits()
    assert traits_of(silent).durable
    assert not traits_of(silent).llm


def test_what_is_declared_loads_nothing() -> None:
    late: Any = Late()
    assert declared_traits(late).llm
    assert not late.loaded


@pytest.mark.parametrize("made", [Plain, Typed, Late])
def test_a_class_can_be_asked_before_it_is_made(made: type) -> None:
    assert declared_traits(made).llm
    assert not declared_traits(Silent).llm


def test_ours_say_so_as_classes() -> None:
    llm = [name for name in judges.names() if declared_traits(judges.get(name)).llm]
    assert {"rubric", "pairwise", "local"} <= set(llm)
    assert not {"rouge_l", "semantic", "fitted", "answer_checks"} & set(llm)
    assert declared_traits(judges.get("fitted")).learned


def test_leaves() -> None:
    one, two, three = Silent(), Silent(), Silent()
    assert list(leaves(one)) == [one]  # type: ignore[arg-type, comparison-overlap]
    assert list(leaves(panel(inner=panel(a=one, b=two), c=three))) == [one, two, three]  # type: ignore[comparison-overlap]


def test_prices_of_all_members() -> None:
    def asks(priced: bool | None) -> Any:
        return SimpleNamespace(traits=JudgeTraits(priced=priced))

    assert not is_priced(asks(None))
    assert is_priced(asks(True))
    assert not is_priced(panel(a=asks(True), b=asks(False)))
    assert is_priced(panel(a=asks(True), b=asks(None)))


def test_a_meter_adds_up_what_judgements_name() -> None:
    meter = Metered(Plain())
    list(meter.grade([JudgeItem(question="q", answer="a")] * 3))
    assert meter.spent == Spending(3, 6, 0, 1.5, 3.0)


def test_a_judge_with_a_meter_of_its_own_is_believed() -> None:
    class Counting(Plain):
        spent = Spending(calls=9)

    meter = Metered(Counting())
    list(meter.grade([JudgeItem(question="q", answer="a")]))
    assert meter.spent == Spending(calls=9, seconds=1.0)


@pytest.mark.parametrize(
    ("name", "options", "texts"),
    [
        ("rouge_l", {}, {"reference"}),
        ("semantic", {}, {"reference"} | ORIGINALS),
        ("answer_checks", {}, set()),
        ("rubric", {"rubric": "counseling"}, set()),
        ("pairwise", {"rubric": "counseling"}, set()),
        ("rubric", {"rubric": "./near.yaml"}, {"reference"}),  # optional: no dimension needs it
        (
            "panel",
            {"judges": [{"rubric": {"rubric": "./near.yaml", "model": name}} for name in "mn"]},
            {"reference"},
        ),
    ],
)
def test_what_a_judge_looks_at(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    options: dict[str, Any],
    texts: set[str],
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "near.yaml").write_text(RUBRIC, encoding="utf-8")
    if "rubric" in options:
        options = {**options, "model": "m"}
    assert shown_texts(judges.create(name, options)) == texts


@pytest.mark.parametrize(("rubric", "again"), [("counseling", False), ("near.yaml", True)])
def test_other_references_buy_no_verdict_again(tmp_path: Path, rubric: str, again: bool) -> None:
    (tmp_path / "near.yaml").write_text(RUBRIC, encoding="utf-8")
    path = str(tmp_path / rubric) if again else rubric

    def script(request: dict[str, Any], _: int) -> Reply:
        form = json.loads(request["messages"][0]["content"].rsplit("\n", 1)[-1])
        return says(json.dumps({n: {"reason": "r", "score": 2} for n in form}))

    with ScriptedServer(script) as server:
        entry = {"rubric": path, "model": "m", "base_url": server.base_url, "revision": "1"}
        suite = make_suite(tmp_path, judges=[{"rubric": {**entry, "structured": "text"}}])
        refer(tmp_path, "One reference.")
        run_suite(tmp_path / "one", suite)
        asked = len(server.requests)
        refer(tmp_path, "Quite another one.")
        run_suite(tmp_path / "two", suite)
        assert len(server.requests) == (2 * asked if again else asked)


def refer(folder: Path, reference: str) -> None:
    # With ids of their own: without, a sample is another one where its reference is.
    rows = [{"id": str(n), "prompt": p, "response": reference} for n, p in enumerate(PROMPTS)]
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / "data.jsonl").write_text(text, encoding="utf-8")
