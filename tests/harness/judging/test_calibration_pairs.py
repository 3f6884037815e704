"""Calibration of judges that compare, and what the report says of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from judged_summary import judged_summary
from scripted_server import Reply, ScriptedServer, says

from harness.analysis.estimates import Measure
from harness.errors import DataError
from harness.judging.calibration import calibrate
from harness.judging.calibration_records import store
from harness.judging.calibration_report import calibration_of
from harness.judging.labels import read_labels
from harness.records import Dimension, JudgeItem, Judgement
from harness.util.digest import derived_rng
from judges.pairwise import Pairwise
from reports.rows import checked, checked_briefly
from tests.harness.judging.test_calibration import pair, write


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.stats.agreement.RESAMPLES", 100)


class Comparing:
    """Prefers what is said first in the alphabet; flips on every fifth item."""

    version = "comparing 1"
    dimensions: Sequence[Dimension] = tuple(
        Dimension(name=name, low=0, high=1, needs=("opponent",))
        for name in ("win", "position_flip")
    )

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        for index, item in enumerate(items):
            flip = index % 5 == 0
            win = 0.5 if flip else float(item.answer < (item.opponent_answer or ""))
            yield Judgement(item=index, dimension="win", value=win)
            yield Judgement(item=index, dimension="position_flip", value=float(flip))


def test_preferences_and_a_judge_that_compares(tmp_path: Path) -> None:
    labels = read_labels(write(tmp_path / "p.jsonl", [pair(n, "a") for n in range(50)]))
    found = calibrate(Comparing(), labels, name="pairwise")
    (win,) = found.preferences
    assert win.accuracy.value == pytest.approx(0.8)
    assert win.swap_consistency is not None
    assert win.swap_consistency.value == pytest.approx(0.8)
    assert found.outcomes == {"scored": 50}


def test_a_judge_that_prefers_nothing_is_refused(tmp_path: Path) -> None:
    class Neutral(Comparing):
        dimensions = (Dimension(name="length", low=0, high=1, higher_is_better=None),)

    labels = read_labels(write(tmp_path / "p.jsonl", [pair(n, "a") for n in range(50)]))
    with pytest.raises(DataError, match="no dimension of which one end is better"):
        calibrate(Neutral(), labels, name="neutral")


def told(tmp_path: Path, annotators: Sequence[str]) -> str:
    """Sixty pairs of a good and a bad answer, in either order; people prefer the good one."""
    rows = []
    for number in range(60):
        good = derived_rng(5, number).random() < 0.5
        a, b = ("GOOD", "BAD") if good else ("BAD", "GOOD")
        for annotator in annotators:
            rows.append(
                pair(number, "a" if good else "b")
                | {"answer_a": f"{a} {number}", "answer_b": f"{b} {number}", "annotator": annotator}
            )
    return write(tmp_path / "p.jsonl", rows)


def prefers_good(request: dict[str, Any], _: int) -> Reply:
    shown = request["messages"][1]["content"]
    winner = "first" if shown.index("GOOD") < shown.index("BAD") else "second"
    return says(json.dumps({"reason": "r", "winner": winner}))


@pytest.mark.parametrize("people", [True, False])
def test_a_checked_pairwise_judge_is_reported_as_checked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, people: bool
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setenv("JOSTLE_CACHE", str(tmp_path / "cache"))
    labels = read_labels(told(tmp_path, ["ann", "bob"] if people else ["authors"]))
    with ScriptedServer(prefers_good) as server:
        judge = Pairwise("quality", model="m", base_url=server.base_url, revision="1")
        found = calibrate(judge, labels, name="pairwise")
    (win,) = found.preferences  # neither the flips nor the bias are anybody's preference
    assert (win.dimension, win.accuracy.value, win.items) == ("win", 1.0, 60)
    assert win.trusted == people
    store(found)
    report = calibration_of(judge, "pairwise")
    assert report is not None
    assert report.trusted == people
    assert list(report.by_dimension) == ["win"]
    summary = judged_summary("strict", calibration=report, llm=True)
    measure = Measure("strict", "win")
    whose = "2 independent annotators" if people else "its authors' labels"
    assert checked(summary, measure).startswith(f"agrees with {whose}: accuracy 1.00")
    assert ("never checked" in checked(summary, measure)) != people
    assert checked_briefly(summary, measure).startswith("accuracy 1.00 [1.00, 1.00], ")
