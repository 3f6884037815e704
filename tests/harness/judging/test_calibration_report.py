"""What is kept of calibrations, and which of them a report takes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from judged_summary import judged_summary

from harness.analysis.estimates import Measure
from harness.judging.calibration import calibrate
from harness.judging.calibration_records import Calibration, lookup, store
from harness.judging.calibration_report import calibration_of, report
from harness.judging.labels import Labels, read_labels
from harness.records import Dimension
from harness.registry import judges
from reports.rows import checked, checked_briefly
from tests.harness.judging.test_calibration import Told, row, write


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("harness.stats.agreement.RESAMPLES", 100)
    monkeypatch.setenv("JOSTLE_CACHE", str(tmp_path / "cache"))


class Two(Told):
    """Grades empathy and safety alike."""

    version = "two 1"
    dimensions = tuple(Dimension(name=name, low=1, high=5) for name in ("empathy", "safety"))

    def grade(self, items: Sequence[Any]) -> Any:
        for judgement in super().grade(items):
            if judgement.dimension == "empathy":
                yield judgement
                yield judgement.model_copy(update={"dimension": "safety"})


def made(path: Path, count: int, dimensions: Sequence[str], annotator: str = "ann") -> Labels:
    rows = [
        row(
            n,
            annotator=annotator,
            split="check" if n // 2 % 2 else "fit",
            labels=dict.fromkeys(dimensions, 1 + n % 5),
        )
        for n in range(count)
    ]
    return read_labels(write(path, rows))


def check(labels: Labels, split: str | None = None, **options: Any) -> Calibration:
    values: dict[str, float | None] = {
        item.first.answer or "": float(n % 5 + 1) for n, item in enumerate(labels.items)
    }
    part = labels.model_copy(update={"split": split})
    return calibrate(Two(values), part, name=options.pop("name", "two"), **options)


def test_a_few_people_on_one_dimension_hide_nothing_of_the_others(tmp_path: Path) -> None:
    store(check(made(tmp_path / "a.jsonl", 60, ["empathy", "safety"], "authors")))
    store(check(made(tmp_path / "b.jsonl", 20, ["empathy"])))
    found = report(lookup("two", "two 1"))
    assert found is not None
    by_name = {one.dimension: one for one in found.dimensions}
    assert {name: (one.basis, one.items) for name, one in by_name.items()} == {
        "empathy": ("people", 20),  # people go before authors, though they are fewer
        "safety": ("authors", 60),
        "overall": ("authors", 60),
    }
    assert found.by_dimension["empathy"].startswith("agrees with 1 independent annotator")
    assert found.by_dimension["safety"].endswith("never checked against independent people")
    assert "not checked against independent people: safety, overall" in found.summary
    assert (found.trusted, found.authors_only) == (False, False)
    summary = judged_summary("j", calibration=found, llm=True)
    assert checked_briefly(summary, Measure("j", "empathy")).endswith("1 annotator")
    assert checked_briefly(summary, Measure("j", "safety")).endswith("authors' labels")
    assert checked(summary, Measure("j", "x")) == "never checked against people"


def test_among_equals_the_most_items_count(tmp_path: Path) -> None:
    for count in (20, 60, 40):
        store(check(made(tmp_path / f"{count}.jsonl", count, ["empathy"])))
    assert len(lookup("two", "two 1")) == 3
    found = report(lookup("two", "two 1"))
    assert found is not None
    assert [one.items for one in found.dimensions] == [60]
    assert len(found.sources) == 1


def test_splits_stand_side_by_side(tmp_path: Path) -> None:
    labels = made(tmp_path / "l.jsonl", 60, ["empathy"])
    paths = [store(check(labels.part("fit"), "fit")), store(check(labels.part("check"), "check"))]
    paths.append(store(check(labels)))
    assert len(set(paths)) == 3
    assert [c.split for c in lookup("two", "two 1")] == [None, "check", "fit"]


def test_plug_ins_of_one_version_do_not_share(tmp_path: Path) -> None:
    labels = made(tmp_path / "l.jsonl", 60, ["empathy"])
    store(check(labels, name="one", code="aa"))
    assert [c.judge for c in lookup("one", "two 1", "aa")] == ["one"]
    assert lookup("other", "two 1", "aa") == []
    assert lookup("one", "two 2", "aa") == []
    assert lookup("one", "two 1", "ab") == []  # its code was changed


def test_what_is_damaged_or_of_another_version_is_as_good_as_none(tmp_path: Path) -> None:
    path = store(check(made(tmp_path / "l.jsonl", 60, ["empathy"])))
    path.with_name("broken.json").write_text("{", encoding="utf-8")
    path.with_name("old.json").write_text('{"judge": "two"}', encoding="utf-8")
    (found,) = lookup("two", "two 1")
    assert Calibration.model_validate_json(path.read_text(encoding="utf-8")) == found
    assert report([]) is None


@pytest.mark.parametrize("name", ["rouge_l", "answer_checks", "semantic"])
def test_any_judge_is_looked_up_by_its_registered_name(tmp_path: Path, name: str) -> None:
    judge = judges.create(name)
    assert calibration_of(judge, name) is None
    labels = made(tmp_path / "l.jsonl", 60, ["empathy"])
    told = Two({item.first.answer or "": 1.0 + n % 5 for n, item in enumerate(labels.items)})
    told.version = judge.version
    store(calibrate(told, labels, name=name))
    found = calibration_of(judge, name)
    assert found is not None
    measure = Measure("mine", "empathy")
    summary = judged_summary("mine", calibration=found)
    assert checked(summary, measure).startswith("agrees with 1 independent annotator")
    # What was not checked of a formula needs no apology.
    assert checked(summary, Measure("mine", "x")) == ""


def test_a_plug_in_is_looked_up(tmp_path: Path) -> None:
    labels = made(tmp_path / "l.jsonl", 60, ["empathy"])
    store(check(labels, code="abc"))
    judge = Two({})
    assert calibration_of(judge, "two", "abc") is not None
    assert calibration_of(judge, "two", "abd") is None
