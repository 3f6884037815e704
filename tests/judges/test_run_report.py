"""What a run's report says of its judges: outcomes, noise, agreement, wins, cost, self-judging."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, says

from harness.errors import PluginError
from harness.pipeline.runner import Outcome
from harness.pipeline.store import Run
from reports.html import render
from tests.pipeline import make_suite, run_suite, scripted, write_data


def script(request: dict[str, Any], before: int) -> Reply:
    """A judge that is unsure of itself, cannot decide on typos, and favours what stands first."""
    system, user = (message["content"] for message in request["messages"])
    if '"winner"' in system:
        return says(json.dumps({"reason": "r", "winner": "first"}), prompt_tokens=100)
    if "calibrat" not in system and request["model"] == "silent" and len(user) % 3 == 0:
        return says("I like it.")
    score = 2 + len(user) % 2 + (request["model"] == "kind")
    if request["model"] == "unsure":
        score += before % 2
    form = json.loads(system.rsplit("\n", 1)[-1])
    return says(json.dumps({name: {"reason": "r", "score": score} for name in form}))


def judges(url: str) -> list[dict[str, Any]]:
    plain = {"rubric": "counseling", "base_url": url, "structured": "text"}
    pair = {k: v for k, v in plain.items() if k != "structured"}
    return [
        {"rubric": {**plain, "name": "unsure", "model": "unsure", "repeats": 2}},
        {
            "rubric": {
                **plain,
                "name": "silent",
                "model": "silent",
                "prices": {"prompt": 5, "completion": 10},
            }
        },
        {"pairwise": {**pair, "model": "biased"}},
        {"panel": {"judges": [{"rubric": {**plain, "model": m}} for m in ("one", "kind")]}},
    ]


def text_of(page: Path) -> str:
    source = re.sub(r"<(style|script|svg)[\s\S]*?</\1>", "", page.read_text(encoding="utf-8"))
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", source)))


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Outcome]:
    folder = tmp_path_factory.mktemp("judged")
    write_data(folder)
    with ScriptedServer(script) as server:
        suite = make_suite(folder, judges=judges(server.base_url))
        outcome = run_suite(folder / "run", suite, render=render)
    return folder / "run", outcome


def test_outcomes_are_counted_by_judge_and_dimension(run: tuple[Path, Outcome]) -> None:
    root, outcome = run
    judges = Run.open(root).summary().model_dump(mode="json")["judges"]
    counts = {row["dimension"]: row for row in judges["silent"]["outcomes"]}
    assert set(counts) == {"empathy", "relevance", "coherence", "safety"}
    for row in counts.values():
        assert row["unparsed"] > 0
        assert row["share"] == pytest.approx(
            row["scored"] / (row["scored"] + row["unparsed"]), abs=1e-5
        )
        assert row["incomplete"] == (min(row["shares"].values()) < 0.9)
    assert outcome.failed_scores == sum(row["unparsed"] for row in counts.values())
    assert not any(row["incomplete"] for row in judges["unsure"]["outcomes"])
    said = text_of(root / "report.html")
    assert "How the judgements ended" in said
    assert "incomplete" in said


def test_repeats_measure_the_judges_own_noise(run: tuple[Path, Outcome]) -> None:
    judges = Run.open(run[0]).summary().model_dump(mode="json")["judges"]
    for row in judges["unsure"]["noise"]:
        # Every answer got x and x + 1: a standard deviation of sqrt(1/2).
        assert row["sd"] == pytest.approx(0.5**0.5, abs=1e-4)
        assert row["identical"] == 0.0
        assert row["answers"] > 0
    assert judges["silent"]["noise"] is None
    assert "The judges' own noise" in text_of(run[0] / "report.html")


def test_win_rates_and_position_bias_stand_in_the_report(run: tuple[Path, Outcome]) -> None:
    root, _ = run
    cells = {
        (c["dimension"], c["kind"]): c
        for c in Run.open(root).summary().model_dump(mode="json")["cells"]
        if c["judge"] == "pairwise" and c["subject"] == "tuned"
    }
    assert {kind for _, kind in cells} == {"(all kinds)", "typo", "surface"}
    for kind in ("(all kinds)", "typo", "surface"):
        assert cells["win", kind]["variants"]["mean"] == 0.5
        assert cells["position_flip", kind]["variants"]["mean"] == 1.0
        assert cells["position_bias", kind]["variants"]["mean"] == 1.0
    said = text_of(root / "report.html")
    assert "Who wins" in said
    assert re.search(r"pairwise tuned original \d+ 0\.50", said)
    assert not any(measure[0] == "pairwise" for measure in headline(root))


def headline(root: Path) -> list[list[str]]:
    found: list[list[str]] = (
        Run.open(root).summary().model_dump(mode="json")["headline"]["measures"]
    )
    return found


def test_a_panel_says_how_far_it_agrees(run: tuple[Path, Outcome]) -> None:
    judges = Run.open(run[0]).summary().model_dump(mode="json")["judges"]
    rows = judges["panel"]["agreement"]
    assert [row["dimension"] for row in rows] == ["empathy", "relevance", "coherence", "safety"]
    # Members that are one step apart on every answer agree less than chance where the scale is 2.
    assert all(-1 < row["alpha"] < 0.5 for row in rows)
    assert judges["silent"]["agreement"] is None
    assert "How far the panel agrees" in text_of(run[0] / "report.html")


def test_cost_stands_in_manifest_and_report(run: tuple[Path, Outcome]) -> None:
    root, _ = run
    run_ = Run.open(root)
    cost = run_.manifest().judges["silent"]["cost"]
    assert cost == run_.summary().model_dump(mode="json")["judges"]["silent"]["cost"]
    assert cost["money"] == pytest.approx(
        (cost["prompt_tokens"] * 5 + cost["completion_tokens"] * 10) / 1e6
    )
    # One call an answer, 20 and 5 tokens each; answers that are the same are asked about once.
    assert cost["prompt_tokens"] == 4 * cost["completion_tokens"]
    assert "What judging used" in text_of(root / "report.html")


def test_nobody_checked_these_judges_and_the_report_says_so(run: tuple[Path, Outcome]) -> None:
    said = text_of(run[0] / "report.html")
    assert "never checked against people" in said
    assert "silent empathy (never checked)" in said


class TestSelfJudging:
    def test_refused_before_anything_is_asked(self, tmp_path: Path) -> None:
        write_data(tmp_path)
        suite = make_suite(
            tmp_path, judges=[{"local": {"rubric": "counseling", "model": "scripted:echo"}}]
        )
        with pytest.raises(PluginError, match="a model must not judge itself"):
            run_suite(tmp_path / "run", suite)
        assert not (tmp_path / "run" / "generations.jsonl").exists()

    @pytest.mark.parametrize("allowed", [False, True])
    def test_by_the_endpoint_of_a_subject(self, tmp_path: Path, allowed: bool) -> None:
        write_data(tmp_path)
        with ScriptedServer(script) as server:
            entry = {
                "rubric": "counseling", "base_url": server.base_url, "model": "same",
                "allow_self_judging": allowed,
            }  # fmt: skip
            suite = make_suite(tmp_path, judges=[{"rubric": entry}])
            model = scripted()
            model._fingerprint = {"provider": server.base_url, "model": "same"}
            if not allowed:
                with pytest.raises(PluginError, match="a model must not judge itself"):
                    run_suite(tmp_path / "run", suite, model)
                assert not server.requests
                return
            run_suite(tmp_path / "run", suite, model, render=render)
        said = text_of(tmp_path / "run" / "report.html")
        assert "has the same base weights as base, tuned: it judges itself" in said
