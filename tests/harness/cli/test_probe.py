"""``jostle probe`` from the command line, on a scripted model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.probe import command
from harness.errors import ConfigError, StoreError
from tests.harness.test_probes_stage import CLEAN, TRAINING, write


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
    assert "Recited of the rest, training" in output
    folder = tmp_path / "run"
    assert (folder / "probes.jsonl").exists()
    assert str(folder / "probes.json") in output.replace("\n", "")
    assert not (folder / "generations.jsonl").exists()


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
