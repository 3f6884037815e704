"""``jostle judge`` as its users meet it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from harness.cli.main import main
from harness.pipeline.store import Run
from tests.pipeline import make_suite, run_suite, write_data


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    write_data(tmp_path)
    run_suite(tmp_path / "run", make_suite(tmp_path, judges=["rouge_l"]))
    return tmp_path / "run"


def jostle(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> object:
    monkeypatch.setattr(sys, "argv", ["jostle", *arguments])
    with pytest.raises(SystemExit) as caught:
        main()
    return caught.value.code


@pytest.mark.parametrize(
    ("judges", "line"),
    [
        ("judges:\n- rouge_l\n- answer_checks\n- rouge_l\n", "judges.yaml:4: judges.2: rouge_l is li"),
        ("judges:\n- rouge_l: {name: a}\n- answer_checks: {name: a}\n", "judges.yaml:3: judges.1: a i"),
        ("judges:\n- answer_checks: {skip: empty}\n", "skip must be a list of checks"),
        ("judges:\n- panel: {judges: 5}\n", "a panel needs a list of at least two judges"),
    ],
)  # fmt: skip
def test_bad_judges_are_one_line(
    run: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    judges: str,
    line: str,
) -> None:
    Path("judges.yaml").write_text(judges, encoding="utf-8")
    assert jostle(monkeypatch, "judge", "run", "--judges", "judges.yaml") == 2
    err = capsys.readouterr().err
    assert line in err
    assert err.count("\n") == 1
    assert Run.open(run).manifest().judges.keys() == {"rouge_l"}


def test_a_manifest_that_does_not_fit_is_one_line(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = run / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    manifest["suite"]["suite"]["seed"] = "seven"
    path.write_text(json.dumps(manifest), encoding="utf-8")
    assert jostle(monkeypatch, "judge", "run") == 2
    assert "manifest.json: suite.suite.seed: " in capsys.readouterr().err


def test_other_judges_take_the_place_of_the_runs_own(
    run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("judges.yaml").write_text("judges: [answer_checks]\n", encoding="utf-8")
    assert jostle(monkeypatch, "judge", "run", "--judges", "judges.yaml") == 0
    assert Run.open(run).summary().model_dump(mode="json")["judges"].keys() == {"answer_checks"}
