"""A judgement hangs on the texts that its judge looks at, and on no others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, says

from harness.judging.shown_texts import texts_for
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
    assert texts_for(judges.create(name, options)) == texts


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
