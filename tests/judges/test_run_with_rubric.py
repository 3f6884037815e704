"""A whole run with a rubric judge behind a faulty endpoint: counted, resumable, and without the key."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, error, says

KEY = "sk-secret-of-the-whole-run-1234"

SUITE = """\
suite: {{name: judged, seed: 5, similarity_gate: false, variants_per_prompt: 2, resamples: 200}}
data: {{path: data.jsonl}}
subjects:
  - {{name: base, model: "scripted:echo"}}
  - {{name: tuned, model: "scripted:echo", generation: {{max_new_tokens: 7}}}}
perturbations: [typo, surface]
judges:
  - rubric: {{rubric: counseling, model: m, base_url: "{url}", backoff_s: 0.01, max_retries: 1,
              revision: "1", structured: text, timeout_s: 30, prices: {{prompt: 1, completion: 1}}}}
"""


def jostle(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from harness.cli.main import main; main()", *arguments],
        cwd=folder,
        env={**os.environ, "OPENAI_API_KEY": KEY},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def scores(run: Path) -> list[dict[str, Any]]:
    lines = (run / "scores.jsonl").read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    prompts = [f"I cannot sleep well since the move, night {n}. What can I do?" for n in range(4)]
    rows = [{"prompt": prompt, "response": "Rest."} for prompt in prompts]
    (tmp_path / "data.jsonl").write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return tmp_path


def test_faults_are_counted_tried_again_and_the_key_is_nowhere(folder: Path) -> None:
    well = False

    def script(request: dict[str, Any], _: int) -> Reply:
        number = len(server.requests)
        if not well and number % 4 == 1:  # cut off in the middle of the key
            return error(503, f"busy {'x' * 160} your key is {KEY}")
        if not well and number % 4 == 2:
            return says(f"Your key is {KEY}, and I cannot decide: half an emoji, \ud83d.")
        form = json.loads(request["messages"][0]["content"].rsplit("\n", 1)[-1])
        return says(json.dumps({name: {"reason": KEY, "score": 4} for name in form}))

    with ScriptedServer(script) as server:
        (folder / "suite.yaml").write_text(SUITE.format(url=server.base_url), encoding="utf-8")
        first = jostle(folder, "run", "suite.yaml", "--out", "run")
        assert first.returncode == 1, first.stderr  # finished, with failed items
        before = scores(folder / "run")
        outcomes = Counter(score["status"] for score in before)
        assert outcomes["scored"] > 0
        assert outcomes["unparsed"] > 0
        keys = [
            (s["dimension"], s["subject"], s["sample_id"], s["perturbation"], s["replicate"])
            for s in before
        ]
        assert len(set(keys)) == len(keys)
        assert all(s["reason"] for s in before)
        well = True
        second = jostle(folder, "run", "suite.yaml", "--out", "run", "--retry-failed")
        assert second.returncode == 0, second.stderr
        after = scores(folder / "run")
        assert {s["status"] for s in after} == {"scored"}
        assert len(after) == len(before)
    assert sum((s["cost"] or {}).get("prompt_tokens", 0) for s in after) > 0
    printed = first.stdout + first.stderr + second.stdout + second.stderr
    assert KEY[:12] not in printed
    everywhere = [path for path in folder.rglob("*") if path.is_file()]
    cache = [path for path in Path(os.environ["JOSTLE_CACHE"]).rglob("*") if path.is_file()]
    assert len(everywhere) > 5
    for path in everywhere + cache:
        assert KEY[:12].encode() not in path.read_bytes(), path


def test_a_refused_key_is_one_line_and_no_traceback(folder: Path) -> None:
    with ScriptedServer(lambda *_: error(401, f"bad key {KEY}")) as server:
        (folder / "suite.yaml").write_text(SUITE.format(url=server.base_url), encoding="utf-8")
        done = jostle(folder, "run", "suite.yaml", "--out", "run")
        assert len(server.requests) <= 8  # those under way when the first answer came
    assert done.returncode == 2
    assert "refused the key (401): check OPENAI_API_KEY" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr
    assert KEY not in done.stderr + done.stdout


def test_a_budget_stops_cleanly_and_the_same_command_goes_on(folder: Path) -> None:
    def script(request: dict[str, Any], _: int) -> Reply:
        form = json.loads(request["messages"][0]["content"].rsplit("\n", 1)[-1])
        verdict = json.dumps({name: {"reason": "r", "score": 4} for name in form})
        return says(verdict, prompt_tokens=900, completion_tokens=100)

    with ScriptedServer(script) as server:
        suite = SUITE.format(url=server.base_url)
        # A call may cost about 5,000 tokens by its worst case, and costs 1,000.
        suite = suite.replace("prices:", "budget: {tokens: 13000}, concurrency: 2, prices:")
        (folder / "suite.yaml").write_text(suite, encoding="utf-8")
        asked: list[int] = []
        for _ in range(6):
            done = jostle(folder, "run", "suite.yaml", "--out", "run")
            asked.append(len(server.requests))
            if done.returncode == 0:
                break
            assert done.returncode == 2, done.stderr
            assert "with a fresh budget" in done.stderr + done.stdout
            assert "Traceback" not in done.stderr
    assert done.returncode == 0
    assert len(asked) > 1  # it did stop
    spent = [after - before for before, after in zip([0, *asked], asked, strict=False)]
    assert max(spent) * 1000 <= 13000  # and never passed the budget
    kept = scores(folder / "run")
    assert {s["status"] for s in kept} == {"scored"}
    # Nothing was paid twice: one call an answer that differs.
    paid = sum((s["cost"] or {}).get("prompt_tokens", 0) for s in kept)
    assert paid == 900 * len(server.requests)
