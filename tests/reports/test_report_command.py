"""``jostle report`` with several runs and with --export."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from harness.cli.report import command
from harness.errors import DataError
from tests.synthetic import make_run


@pytest.fixture
def runs(tmp_path: Path) -> list[str]:
    return [
        str(make_run(12, rubric=False, noise=n).write(tmp_path / name))
        for n, name in enumerate(("first", "second"))
    ]


def test_compares_and_exports(runs: list[str], tmp_path: Path) -> None:
    done = CliRunner().invoke(command, [*runs, "--export", "--baseline", "second: base"])
    assert done.exit_code == 0, done.output
    out = tmp_path / "comparison"
    assert (out / "report.html").exists()
    assert (out / "figures" / "heatmap.svg").exists()
    assert "second: base" in (out / "exports" / "report.md").read_text()
    assert not (out / "exports" / "scores.csv").exists()
    assert str(out / "report.html") in done.output
    again = CliRunner().invoke(command, [str(out)])
    assert isinstance(again.exception, DataError)
    assert "is a comparison" in str(again.exception)


def test_options_of_a_comparison_are_refused_for_one_run(runs: list[str]) -> None:
    done = CliRunner().invoke(command, [runs[0], "--baseline", "x"])
    assert done.exit_code == 2
    assert "several runs" in done.output
