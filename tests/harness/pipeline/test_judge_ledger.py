"""What judging cost: a ledger of what was really spent, whatever became of the scores."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, says

from harness.errors import BudgetExceeded
from harness.pipeline import judge_ledger as costs
from harness.pipeline.store import Run
from harness.records import Score
from reports.html import render
from tests.pipeline import make_suite, run_suite, write_data

TOKENS = {"prompt_tokens": 900, "completion_tokens": 100}


def form(request: dict[str, Any]) -> list[str]:
    return list(json.loads(request["messages"][0]["content"].rsplit("\n", 1)[-1]))


def verdict(names: list[str]) -> Reply:
    return says(json.dumps({n: {"reason": "r", "score": 4} for n in names}), **TOKENS)


def judge(url: str, **options: Any) -> dict[str, Any]:
    plain = {"rubric": "counseling", "model": "m", "base_url": url, "structured": "text"}
    return {"rubric": {**plain, "prices": {"prompt": 1, "completion": 1}, **options}}


def cost(root: Path, label: str = "rubric") -> dict[str, Any]:
    found: dict[str, Any] = Run.open(root).manifest().judges[label]["cost"]
    return found


def spent(server: ScriptedServer) -> dict[str, Any]:
    count = len(server.requests)
    assert count > 0
    return {
        "calls": count,
        "prompt_tokens": 900 * count,
        "completion_tokens": 100 * count,
        "money": pytest.approx(1000 * count / 1e6),
    }


@pytest.mark.parametrize("lost", [1, 4])
def test_scores_that_are_replaced_are_paid_for_all_the_same(tmp_path: Path, lost: int) -> None:
    """Part of every verdict, or all of it, cannot be read the first time."""
    well = False
    write_data(tmp_path)

    def script(request: dict[str, Any], _: int) -> Reply:
        names = form(request)
        return verdict(names if well else names[lost:])

    with ScriptedServer(script) as server:
        suite = make_suite(tmp_path, judges=[judge(server.base_url)])
        run_suite(tmp_path / "run", suite, render=render)
        first = len(server.requests)
        assert cost(tmp_path / "run").items() >= spent(server).items()
        well = True
        run_suite(tmp_path / "run", suite, render=render, retry_failed=True)
        assert len(server.requests) == 2 * first
        assert cost(tmp_path / "run").items() >= spent(server).items()
    run = Run.open(tmp_path / "run")
    assert {score.status for score in run.read(Score)} == {"scored"}
    assert run.summary().model_dump(mode="json")["judges"]["rubric"]["cost"] == cost(
        tmp_path / "run"
    )
    # A run that judges nothing again changes nothing.
    run_suite(tmp_path / "run", suite, render=render)
    assert cost(tmp_path / "run")["calls"] == 2 * first


def test_what_a_budget_stopped_is_in_the_ledger(tmp_path: Path) -> None:
    write_data(tmp_path)
    with ScriptedServer(lambda request, _: verdict(form(request))) as server:
        suite = make_suite(tmp_path, judges=[judge(server.base_url, budget={"tokens": 9000})])
        for _ in range(20):
            try:
                run_suite(tmp_path / "run", suite)
            except BudgetExceeded:
                assert cost(tmp_path / "run").items() >= spent(server).items()
                continue
            break
        else:
            raise AssertionError("it never came to an end")
        assert len(server.requests) > 9
        assert cost(tmp_path / "run").items() >= spent(server).items()


def test_the_ledger_keeps_up_while_judging(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """For a process that is killed: nothing is written at the end then."""
    monkeypatch.setattr(costs, "EVERY_S", 0.0)
    write_data(tmp_path)
    seen: list[int] = []

    def script(request: dict[str, Any], _: int) -> Reply:
        told = Run.open(tmp_path / "run").manifest().judges.get("rubric", {})
        seen.append((told.get("cost") or {}).get("calls", 0))
        time.sleep(0.02)  # the writer is another thread than the one that asks: it gets its turn
        return verdict(form(request))

    with ScriptedServer(script) as server:
        entry = judge(server.base_url, concurrency=1)
        run_suite(tmp_path / "run", make_suite(tmp_path, judges=[entry]))
    assert seen[0] == 0
    assert seen == sorted(seen)
    assert 0 < seen[-1] < len(seen)


@pytest.mark.parametrize("revision", ["1", None])
def test_a_panel_with_a_budget_comes_to_an_end_and_pays_once(
    tmp_path: Path, revision: str | None
) -> None:
    write_data(tmp_path)
    with (
        ScriptedServer(lambda request, _: verdict(form(request))) as one,
        ScriptedServer(lambda request, _: verdict(form(request))) as two,
    ):
        # They share relevance alone; the second stops after a few calls.
        other = judge(two.base_url, rubric="quality", revision=revision, budget={"tokens": 9000})
        members = [judge(one.base_url, revision=revision), other]
        suite = make_suite(tmp_path, judges=[{"panel": {"judges": members}}])
        stops = 0
        for _ in range(20):
            try:
                run_suite(tmp_path / "run", suite, render=render)
            except BudgetExceeded:
                stops += 1
                continue
            break
        assert stops > 1
        # Every answer that differs is asked once of each member.
        assert len(one.requests) == len(two.requests)
        texts = [request["messages"][1]["content"] for request in one.requests]
        assert len(set(texts)) == len(texts)
        calls = len(one.requests) + len(two.requests)
        told = cost(tmp_path / "run", "panel")
        assert (told["calls"], told["prompt_tokens"]) == (calls, 900 * calls)
        assert told["money"] == pytest.approx(1000 * calls / 1e6)
    assert {score.status for score in Run.open(tmp_path / "run").read(Score)} == {"scored"}


def test_a_judge_that_is_gone_stays_in_the_ledger(tmp_path: Path) -> None:
    write_data(tmp_path)
    with ScriptedServer(lambda request, _: verdict(form(request))) as server:
        run_suite(tmp_path / "run", make_suite(tmp_path, judges=[judge(server.base_url)]))
        run_suite(tmp_path / "run", make_suite(tmp_path), render=render)
        assert cost(tmp_path / "run").items() >= spent(server).items()
    run = Run.open(tmp_path / "run")
    assert run.manifest().judges["rubric"]["gone"]
    assert set(run.summary().model_dump(mode="json")["judges"]) == {"rouge_l", "answer_checks"}
    assert run.summary().model_dump(mode="json")["judges"]["rouge_l"]["cost"] is None
    assert run.summary().model_dump(mode="json")["judges_gone"] == {
        "rubric": cost(tmp_path / "run")
    }
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    calls = cost(tmp_path / "run")["calls"]
    assert f"rubric (no longer listed) {calls} {900 * calls:,}" in text


@pytest.mark.parametrize(
    ("prices", "said"),
    [
        ({"prompt": 0, "completion": 0}, r"rubric \d+ [\d,]+ [\d,]+ 0\.0000"),
        (None, r"rubric \d+ [\d,]+ [\d,]+ no price named"),
        ({"prompt": 1e-6}, r"rubric \d+ [\d,]+ [\d,]+ under 0\.0001"),
        ({"prompt": 1000, "completion": 0}, r"rubric \d+ [\d,]+ [\d,]+ \d+\.\d{4}"),
    ],
)
def test_what_the_report_says_of_money(
    tmp_path: Path, prices: dict[str, float] | None, said: str
) -> None:
    write_data(tmp_path)
    with ScriptedServer(lambda request, _: verdict(form(request))) as server:
        entry = judge(server.base_url)
        entry["rubric"].pop("prices")
        if prices is not None:
            entry["rubric"]["prices"] = prices
        run_suite(tmp_path / "run", make_suite(tmp_path, judges=[entry]), render=render)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    text = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page))
    assert re.search(said, text[text.index("What judging used") :])


def test_how_an_endpoint_was_held_to_json_is_told(tmp_path: Path) -> None:
    write_data(tmp_path)
    with ScriptedServer(lambda request, _: verdict(form(request))) as server:
        # What is found out while judging, and stays known where nothing is asked any more.
        held = {"structured": "json_object"}
        members = [judge(server.base_url, **held), judge(server.base_url, model="n", **held)]
        listed = [judge(server.base_url, **held), {"panel": {"judges": members}}, "rouge_l"]
        for _ in range(2):
            run_suite(tmp_path / "run", make_suite(tmp_path, judges=listed), render=render)
            told = Run.open(tmp_path / "run").manifest().judges
            assert {name: told[name]["structured"] for name in told} == {
                "rubric": "json_object",
                "panel": {"1 rubric": "json_object", "2 rubric": "json_object"},
                "rouge_l": None,
            }
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "held to JSON by JSON mode" in page
    assert "held to JSON by 1 rubric: JSON mode, 2 rubric: JSON mode" in page
