"""``jostle labels`` as its users meet it: draw, fill in, read back, report."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from harness.pipeline.store import Run
from tests.harness.cli.conftest import Jostle
from tests.pipeline import PROMPTS, make_suite, run_suite, write_data


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run of 24 prompts that differ, judged by likeness to a reference."""
    wishes = (
        "Tell me kindly.",
        "Be brief.",
        "Use no list.",
        "Say why.",
        "Ask me back.",
        "Be frank.",
    )
    write_data(tmp_path, [f"{prompt} {wish}" for prompt in PROMPTS for wish in wishes])
    data = {"path": str(tmp_path / "data.jsonl"), "duplicates": "keep"}
    run_suite(tmp_path / "run", make_suite(tmp_path, data=data, judges=["rouge_l"]))
    return tmp_path / "run"


def _fill(sheet: Path, name: str) -> None:
    with sheet.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    for row in rows:  # longer answers please these readers
        row[name] = str(1 + len(row["answer"].split()) % 5)
    with sheet.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def test_from_the_draw_to_the_corrected_finding(run: Path, jostle: Jostle) -> None:
    code, out, _ = jostle("labels", "draw", str(run), "-n", "20", "--annotator", "ann",
                          "--annotator", "bob", "--scale", "goodness=1..5", "-o", "sheets")  # fmt: skip
    assert code == 0
    assert "sheets/bob.csv:" in out
    assert "goodness from 1 to 5" in out
    code, _, err = jostle(
        "labels", "draw", str(run), "-n", "20", "--annotator", "ann", "-o", "sheets"
    )
    assert code == 2
    assert "sheets/ann.csv: is there already" in err
    for name in ("ann", "bob"):
        _fill(Path(f"sheets/{name}.csv"), "goodness")
    code, out, _ = jostle("labels", "read", str(run), "sheets/ann.csv", "sheets/bob.csv")
    assert code == 0
    assert "20 of 20 drawn prompts; 2 people agree with Krippendorff's alpha 1.00" in out
    code, out, _ = jostle("report", str(run))
    assert code == 0
    summary = Run.open(run).summary()
    assert len(summary.finding.subjects[0].corrected) >= 3
    assert (
        summary.finding.subjects[0].corrected[0].startswith("ROUGE-L on the original prompts: by")
    )
    page = (run / "report.html").read_text(encoding="utf-8")
    assert "corrected by human labels of 20 prompts" in page


def test_labels_of_something_else_are_one_line(run: Path, jostle: Jostle) -> None:
    others = Path("others.jsonl")
    others.write_text(json.dumps({"id": "1", "annotator": "ann", "labels": {"rouge_l": 1}}) + "\n")
    code, _, err = jostle("labels", "read", str(run), str(others))
    assert code == 2
    assert "nothing was drawn for people to label; use jostle labels draw" in err
    assert jostle("labels", "draw", str(run), "-n", "20")[0] == 0
    code, _, err = jostle("labels", "read", str(run), str(others))
    assert code == 2
    assert err.count("\n") == 1
    assert "others.jsonl: its rows are no random draw of this run's own prompts" in err


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--scale", "good=5"), "--scale 'good=5': write it as helpfulness=1..5"),
        (("--scale", "good=5..1"), "--scale 'good=5..1': write it as helpfulness=1..5"),
        (("-n", "30"), "24 prompts of this run were answered by every subject; 30 cannot be drawn"),
        (("--kinds", "tpyo"), "no answers to kind 'tpyo' in this run"),
        (("--annotator", "/"), "gives no file name"),
    ],
)
def test_a_draw_that_cannot_be_is_one_line(
    run: Path, jostle: Jostle, arguments: tuple[str, ...], line: str
) -> None:
    code, _, err = jostle("labels", "draw", str(run), "-n", "20", *arguments)
    assert code == 2
    assert line in err
