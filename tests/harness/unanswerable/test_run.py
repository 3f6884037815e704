"""Questions that nobody can answer, in a whole run: from ``jostle unknown`` to the report."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, says

from harness.data.loading import jsonl, load
from harness.pipeline.store import Run
from harness.records import Request
from harness.unanswerable import PlantingOptions, plant
from reports.html import render
from tests.pipeline import make_suite, run_suite, scripted, write_data

PLAIN = "Rest, and talk to somebody about it."


def judge(request: dict[str, Any], _: int) -> Reply:
    """Sees a refusal wherever the answer does not advise to rest."""
    user = request["messages"][1]["content"]
    return says(json.dumps({"refusal": {"reason": "r", "score": int(PLAIN not in user)}}))


@pytest.fixture(scope="module")
def summary(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, Any], str]:
    folder = tmp_path_factory.mktemp("unknown")
    prompts = [f"How do I plan a good holiday with a family of {n}?" for n in range(2, 22)]
    planted = plant(load(str(write_data(folder, prompts))), PlantingOptions(seed=3)).samples
    (folder / "data.jsonl").write_text(jsonl(planted), encoding="utf-8")
    names = [str(name) for s in planted for name in s.metadata.get("planted", [])]  # type: ignore[union-attr]

    def answer(request: Request) -> str:
        """The baseline answers all alike; the other refuses what it cannot know, as asked only."""
        asked = request.messages[-1].content
        knows_not = any(name in asked for name in names) and "  " not in asked
        if request.settings.max_new_tokens == 7 and knows_not:
            return "I don't know that name, so I cannot say."
        return PLAIN

    with ScriptedServer(judge) as server:
        suite = make_suite(
            folder,
            judges=[
                "rouge_l",
                {"rubric": {"rubric": "refusal", "model": "m", "base_url": server.base_url}},
            ],
        )
        run_suite(folder / "run", suite, scripted(answer), render=render)
    page = (folder / "run" / "report.html").read_text(encoding="utf-8")
    said = re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", page)))
    return Run.open(folder / "run").summary().model_dump(mode="json"), said


def test_who_refuses_stands_in_the_summary(summary: tuple[dict[str, Any], str]) -> None:
    unknown = summary[0]["unanswerable"]
    assert unknown["prompts"] == {"known": 10, "unknown": 10, "unmarked": 0}
    base, tuned = (unknown["subjects"][name]["asked"] for name in ("base", "tuned"))
    assert set(base) == {"original", "variants", "typo", "surface"}
    assert base["original"]["refusal"]["mean"] == 0.0
    assert base["original"]["false_answer"]["mean"] == 1.0
    assert tuned["original"]["refusal"]["mean"] == 1.0
    assert tuned["original"]["false_answer"]["mean"] == 0.0
    assert tuned["original"]["false_refusal"]["mean"] == 0.0
    assert tuned["original"]["exact_match"]["mean"] == 0.0
    assert 0 < tuned["original"]["rouge_l"]["mean"] < 1


def test_phrases_and_judge_are_compared(summary: tuple[dict[str, Any], str]) -> None:
    found = summary[0]["unanswerable"]["subjects"]["tuned"]["detectors"]
    assert set(found["rates"]) == {"phrases", "judge"}
    (pair,) = found["pairs"]
    assert (pair["ways"], pair["agreement"], pair["kappa"]) == (["phrases", "judge"], 1.0, 1.0)


def test_the_report_has_a_section_on_it(summary: tuple[dict[str, Any], str]) -> None:
    said = summary[1]
    assert "Unanswerable questions" in said
    assert "10 prompts ask about an invented name and cannot be answered; 10 can." in said
    assert re.search(r"tuned as asked 10 1\.00 \[", said)
    assert "Cohen's kappa" in said


def test_a_run_without_such_prompts_has_no_such_section(tmp_path: Path) -> None:
    write_data(tmp_path)
    run_suite(tmp_path / "run", make_suite(tmp_path), render=render)
    assert Run.open(tmp_path / "run").summary().unanswerable is None
    assert "Unanswerable questions" not in (tmp_path / "run" / "report.html").read_text()
