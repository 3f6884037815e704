"""``jostle probe`` from the command line, on a scripted model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.probe import command
from harness.errors import ConfigError, StoreError
from harness.models.scripted import ScriptedModel
from harness.pipeline.store import Run
from harness.records import Failure, Scored, TokenLogprobs
from tests.harness.pipeline.stages.test_probe import (
    CLEAN,
    TRAINING,
    ratings,
    scripted,
    write,
)
from tests.pipeline import opener


@pytest.fixture
def suite(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("JOSTLE_CACHE", str(tmp_path / "cache"))
    (tmp_path / "adapter").mkdir()
    path = tmp_path / "suite.yaml"
    path.write_text(
        "suite: {name: tiny, similarity_gate: false, resamples: 200}\n"
        f"data: {write(tmp_path / 'clean.jsonl', CLEAN)}\n"
        f"training_data: {write(tmp_path / 'train.jsonl', TRAINING)}\n"
        "defaults: {model: 'scripted:echo'}\n"
        f"subjects: [{{name: base}}, {{name: tuned, adapters: ['{tmp_path / 'adapter'}']}}]\n"
        "perturbations: [typo]\njudges: [rouge_l]\n"
    )
    return path


def run(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(command, arguments, standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


def test_it_prints_verdict_and_failures_and_leaves_its_records(suite: Path, tmp_path: Path) -> None:
    # A script rates nothing: the verdict cannot be told, and the code says that probes failed.
    code, output = run(str(suite), "--out", str(tmp_path / "run"))
    assert code == 1
    assert "tuned: cannot tell" in output
    assert "no log-probabilities" in output
    assert re.search(r"^Recited of the rest, training, share .* 12 *$", output, re.MULTILINE)
    folder = tmp_path / "run"
    assert (folder / "probes.jsonl").exists()
    assert str(folder / "probes.json") in output.replace("\n", "")
    assert not (folder / "generations.jsonl").exists()


def open_with(monkeypatch: pytest.MonkeyPatch, model: ScriptedModel) -> None:
    monkeypatch.setattr("harness.models.subjects.open_subjects", opener(model))


def whole_run(*arguments: str) -> tuple[int, str]:
    from harness.cli.run import command as whole

    done = CliRunner().invoke(whole, [*arguments, "probes=true"], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.return_value, done.output


def test_failed_probes_are_failed_items_to_probe_and_run_alike(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(request: Scored) -> TokenLogprobs:
        if "year 3" in request.prompt and request.adapter:
            error = Failure(kind="context_length", message="too long")
            return TokenLogprobs(token_ids=(), logprobs=(), error=error)
        return ratings(request)

    open_with(monkeypatch, scripted(ratings=broken))
    code, output = run(str(suite), "--out", str(tmp_path / "probed"))
    assert code == 1
    assert "2 x loss failed for tuned: too long" in output  # under its own and a stranger's prompt
    code, output = whole_run(str(suite), "--out", str(tmp_path / "run"))
    assert code == 1
    assert "0 answers, 0 scores and 2 probes failed" in output


def test_a_response_too_short_to_continue_is_no_failure_to_either(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "train.jsonl", [*TRAINING, ("And now? I am at a loss again.", "Breathe.")])
    open_with(monkeypatch, scripted())
    code, output = run(str(suite), "--out", str(tmp_path / "probed"))
    assert code == 0
    assert "tuned: cannot tell: different kinds of text" in output
    assert "training and clean texts are told apart: by" in output
    assert "1 x continuation not applicable for tuned: the reference has fewer than 6" in output
    code, output = whole_run(str(suite), "--out", str(tmp_path / "run"))
    assert code == 0
    assert "failed" not in output
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    section = page[page.index('id="memory"') :]
    assert "Probes that failed" not in section
    assert "Not applicable, tuned: 1 × continuation, because the reference has fewer" in section


def test_a_wholly_leaked_evaluation_set_is_said_by_the_page(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path / "clean.jsonl", TRAINING)
    open_with(monkeypatch, scripted())
    code, output = whole_run(str(suite), "--out", str(tmp_path / "run"))
    assert code == 0
    assert "learned or memorised? tuned: cannot tell: no clean prompts. There are" in output
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    section = page[page.index('id="memory"') : page.index('id="kinds"')]
    assert "every test prompt that has an answer stands in the training data" in section
    assert "12 training and 0 clean prompts were rated" in section


def test_the_page_tells_lines_on_fewer_prompts_apart(
    suite: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forgetful(request: Scored) -> TokenLogprobs:
        """Rates no rewording of the first half of the prompts."""
        known = any(p in request.prompt for p, _ in TRAINING + CLEAN)
        if not known and any(f"number {i}." in request.prompt for i in range(6)):
            error = Failure(kind="timeout", message="no reply")
            return TokenLogprobs(token_ids=(), logprobs=(), error=error)
        return ratings(request)

    open_with(monkeypatch, scripted(ratings=forgetful))
    whole_run(str(suite), "--out", str(tmp_path / "run"))
    levels = (
        Run(tmp_path / "run")
        .summary()
        .model_dump(mode="json")["memorisation"]["subjects"][0]["levels"]
    )
    n = {row["key"]: row["difference"]["n"] for row in levels}
    assert n["loss_training"] == 12 > n["loss_training_common"] == n["loss_reworded"]
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    assert "Those whose prompt was reworded, as trained" in page
    assert "those with a rewording" in page  # in the chart


def test_json_is_what_the_file_holds(suite: Path, tmp_path: Path) -> None:
    _, output = run(str(suite), "--out", str(tmp_path / "run"), "--json", "probes.training=3")
    saved = json.loads((tmp_path / "run" / "probes.json").read_text())
    assert json.loads(output[output.index("{") :]) == saved
    assert saved["subjects"][0]["verdict"] == "cannot tell"


def test_a_whole_run_of_another_suite_is_left_alone(suite: Path, tmp_path: Path) -> None:
    from harness.cli.run import command as whole

    arguments = [str(suite), "--out", str(tmp_path / "run")]
    done = CliRunner().invoke(whole, arguments, standalone_mode=False)
    assert done.exception is None, done.output
    before = (tmp_path / "run" / "samples.jsonl").read_bytes()
    with pytest.raises(StoreError, match=r"holds a whole run of another suite \(suite differ\)"):
        run(*arguments, "suite.seed=9")
    assert (tmp_path / "run" / "samples.jsonl").read_bytes() == before
    code, output = run(*arguments)
    assert code == 1
    assert "the page has the verdict too" in output
    assert 'id="memory"' in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


def test_a_suite_that_names_no_training_data_is_refused(suite: Path, tmp_path: Path) -> None:
    text = suite.read_text()
    suite.write_text("".join(x for x in text.splitlines(True) if not x.startswith("training_data")))
    with pytest.raises(ConfigError, match="cannot be probed: probes ask what was memorised"):
        run(str(suite), "--out", str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()
