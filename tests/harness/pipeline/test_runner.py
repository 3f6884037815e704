"""The whole way on a scripted model: complete, resumable, never stale, failures counted."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from harness.pipeline.stage_file import StageFile
from harness.pipeline.store import Run
from harness.records import Generation, Sample, Score, Variant
from tests.pipeline import (
    PROMPTS,
    answer,
    contents,
    make_suite,
    run_suite,
    scripted,
    write_data,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_data(tmp_path)
    return tmp_path


def rows(root: Path, kind: type[Any]) -> list[Any]:
    return list(Run.open(root).read(kind))


def test_every_subject_answers_every_valid_variant_and_every_answer_is_judged(folder: Path) -> None:
    outcome = run_suite(folder / "run", make_suite(folder))
    assert outcome.failed == 0
    samples, variants = rows(folder / "run", Sample), rows(folder / "run", Variant)
    generations, scores = rows(folder / "run", Generation), rows(folder / "run", Score)
    assert len(samples) == len(PROMPTS)
    valid = [v for v in variants if v.status == "valid"]
    assert {v.perturbation for v in valid} == {"original", "typo", "surface"}
    assert Counter(g.subject for g in generations) == {"base": len(valid), "tuned": len(valid)}
    judged = Counter((s.judge, s.dimension) for s in scores)
    assert judged["rouge_l", "rouge_l"] == len(generations)
    assert all(s.status == "scored" for s in scores)
    manifest = Run.open(folder / "run").manifest()
    assert manifest.status == "complete"
    assert {"samples", "variants", "generations", "scores", "summary", "report"} <= set(
        manifest.stages
    )
    assert {state.status for state in manifest.stages.values()} == {"complete"}
    assert manifest.data["evaluation"]["rows"] == len(PROMPTS)


def test_the_original_comes_first_and_edits_rebuild_every_variant(folder: Path) -> None:
    run_suite(folder / "run", make_suite(folder))
    prompts = {s.id: s.prompt for s in rows(folder / "run", Sample)}
    seen: set[str] = set()
    for variant in rows(folder / "run", Variant):
        if variant.sample_id not in seen:
            assert variant.perturbation == "original"
            seen.add(variant.sample_id)
        if variant.status != "valid":
            continue
        text = prompts[variant.sample_id]
        for edit in sorted(variant.edits, key=lambda e: -e.start):
            text = text[: edit.start] + edit.text + text[edit.end :]
        assert text == variant.prompt


def test_running_again_asks_and_judges_nothing_and_changes_nothing(folder: Path) -> None:
    suite = make_suite(folder)
    run_suite(folder / "run", suite)
    before = {p.name: p.read_bytes() for p in (folder / "run").glob("*.jsonl")}
    model = scripted()
    run_suite(folder / "run", suite, model, cache=folder / "another.sqlite")
    assert model.calls == []
    assert {p.name: p.read_bytes() for p in (folder / "run").glob("*.jsonl")} == before


def test_another_run_takes_its_answers_from_the_cache(folder: Path) -> None:
    run_suite(folder / "one", make_suite(folder))
    model = scripted()
    run_suite(folder / "two", make_suite(folder), model)
    assert model.calls == []
    assert contents(folder / "one") == contents(folder / "two")


def test_an_answer_that_may_not_be_kept_is_not(folder: Path) -> None:
    run_suite(folder / "one", make_suite(folder), scripted(durable=False))
    model = scripted(durable=False)
    run_suite(folder / "two", make_suite(folder), model)
    assert len(model.calls) == len(rows(folder / "two", Generation))


def test_the_weights_decide_and_not_the_name(folder: Path) -> None:
    run_suite(folder / "one", make_suite(folder))
    other = scripted(lambda request: "other " + str(answer(request)))
    other._fingerprint["script"] = "others"
    run_suite(folder / "two", make_suite(folder), other)
    assert len(other.calls) > 0
    assert all(g.completion.text.startswith("other ") for g in rows(folder / "two", Generation))


def test_new_weights_in_an_old_run_folder_make_every_answer_stale(folder: Path) -> None:
    run_suite(folder / "run", make_suite(folder))
    old = len(rows(folder / "run", Generation))
    other = scripted(lambda request: "other " + str(answer(request)))
    other._fingerprint["script"] = "others"
    run_suite(folder / "run", make_suite(folder), other)
    assert all(g.completion.text.startswith("other ") for g in rows(folder / "run", Generation))
    stale = (folder / "run" / "stale" / "generations.jsonl").read_text().splitlines()
    assert len(stale) == old


def test_another_seed_makes_other_variants_and_sets_the_old_ones_aside(folder: Path) -> None:
    run_suite(folder / "run", make_suite(folder))
    first = {v.prompt for v in rows(folder / "run", Variant) if v.perturbation == "typo"}
    run_suite(folder / "run", make_suite(folder, suite={"seed": 6}))
    second = {v.prompt for v in rows(folder / "run", Variant) if v.perturbation == "typo"}
    assert first != second
    assert (folder / "run" / "stale" / "variants.jsonl").exists()
    run_suite(folder / "fresh", make_suite(folder, suite={"seed": 6}))
    assert contents(folder / "run") == contents(folder / "fresh")


def test_a_prompt_taken_out_of_the_data_leaves_the_run(folder: Path) -> None:
    run_suite(folder / "run", make_suite(folder))
    write_data(folder, PROMPTS[:2])
    run_suite(folder / "run", make_suite(folder))
    assert len(rows(folder / "run", Sample)) == 2
    run_suite(folder / "fresh", make_suite(folder))
    assert contents(folder / "run") == contents(folder / "fresh")


def test_order_of_the_data_and_batch_of_the_model_do_not_matter(folder: Path) -> None:
    run_suite(folder / "one", make_suite(folder), scripted(batch=1), cache=folder / "a.sqlite")
    write_data(folder, PROMPTS[::-1])
    run_suite(folder / "two", make_suite(folder), scripted(batch=5), cache=folder / "b.sqlite")
    one, two = contents(folder / "one"), contents(folder / "two")
    for name in ("samples.jsonl", "variants.jsonl", "generations.jsonl", "scores.jsonl"):
        assert one[name] == two[name], name


class Crash(BaseException):
    """As sudden as a kill, but in this process."""


def test_a_crash_at_any_append_torn_or_whole_loses_nothing_and_doubles_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    suite = make_suite(folder, judges=["rouge_l"])
    run_suite(folder / "whole", suite, cache=folder / "whole.sqlite")
    expected = contents(folder / "whole")
    append = StageFile.append
    crashed = 0
    for moment in range(200):
        root, calls = folder / f"crash{moment}", Counter[str]()

        def failing(
            self: StageFile[Any], *records: Any, calls: Any = calls, at: int = moment
        ) -> None:
            calls["n"] += 1
            if calls["n"] <= at:
                append(self, *records)
                return
            line = records[0].model_dump_json().encode()
            descriptor = self._open()
            os.write(descriptor, line[: (len(line) + 1) * (at % 3) // 3])
            raise Crash

        monkeypatch.setattr(StageFile, "append", failing)
        try:
            run_suite(root, suite, cache=folder / f"{moment}.sqlite")
            monkeypatch.undo()
            break
        except Crash:
            crashed += 1
        monkeypatch.undo()
        run_suite(root, suite, cache=folder / f"{moment}.sqlite")
        assert contents(root) == expected, moment
    assert crashed > 30


SUITE = """\
suite: {name: kill, seed: 5, similarity_gate: false, variants_per_prompt: 3, resamples: 200}
data: {path: data.jsonl}
subjects:
  - {name: base, model: "scripted:script.json"}
  - {name: tuned, model: "scripted:script.json", generation: {max_new_tokens: 7}}
perturbations: [typo, surface]
judges: [rouge_l]
"""


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_sigkill_at_random_moments_and_resume_give_the_same_report(tmp_path: Path) -> None:
    prompts = [f"{prompt} This is the story number {n}." for n in range(6) for prompt in PROMPTS]
    write_data(tmp_path, prompts)
    (tmp_path / "suite.yaml").write_text(SUITE)
    (tmp_path / "script.json").write_text(
        json.dumps({"default": "Say it: {prompt}", "latency_s": 0.02})
    )
    code = "from harness.cli.main import main; main()"

    def start(out: str, cache: str) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [sys.executable, "-c", code, "run", "suite.yaml", "--out", out],
            cwd=tmp_path,
            env={**os.environ, "JOSTLE_CACHE": str(tmp_path / cache)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def written() -> int:
        return sum(path.stat().st_size for path in (tmp_path / "killed").glob("*.jsonl"))

    assert start("whole", "cache-whole").wait() == 0
    rng = random.Random(11)
    killed = 0
    for _ in range(40):
        process = start("killed", "cache-killed")
        # Somewhere in the middle of what this attempt would write.
        until = written() + rng.randint(8_000, 40_000)
        while process.poll() is None and written() < until:
            time.sleep(0.002)
        if process.poll() is not None:
            assert process.returncode == 0
            break
        process.send_signal(signal.SIGKILL)
        process.wait()
        killed += 1
    assert killed >= 2
    assert contents(tmp_path / "killed") == contents(tmp_path / "whole")
    one, two = (
        (tmp_path / name / "report.html").read_text(encoding="utf-8")
        for name in ("whole", "killed")
    )
    assert len(one) == pytest.approx(len(two), rel=0.01)
