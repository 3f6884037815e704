"""Labels, calibration, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.digest import derived_rng
from harness.errors import DataError
from harness.records import Dimension, JudgeItem, Judgement
from judges.calibration import calibrate
from judges.calibration_records import Calibration, lookup, store
from judges.labels import read_labels


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("judges.agreement.RESAMPLES", 100)


def row(number: int, **fields: Any) -> dict[str, Any]:
    return {
        "id": f"i{number}",
        "question": f"question {number // 2}",
        "answer": f"answer {number} {'x' * (number % 7)}",
        "annotator": "ann",
        "labels": {"empathy": 1 + number % 5},
        **fields,
    }


def write(path: Path, rows: Sequence[Any]) -> str:
    lines = [line if isinstance(line, str) else json.dumps(line) for line in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return str(path)


class Told:
    """A judge that is told what to say of each answer; None is unparsed."""

    version = "told 1"
    dimensions = (Dimension(name="empathy", low=1, high=5), Dimension(name="other", low=0, high=1))

    def __init__(self, values: dict[str, float | None]) -> None:
        self.values = values

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        for index, item in reversed(list(enumerate(items))):
            value = self.values[item.answer]
            status = "unparsed" if value is None else "scored"
            yield Judgement(item=index, dimension="empathy", value=value, status=status)
            yield Judgement(item=index, dimension="other", value=0.5)


def test_pointwise(tmp_path: Path) -> None:
    rows = [row(n, kind="warm_words" if n < 4 else None) for n in range(60)]
    rows += [
        row(n, annotator="bob", labels={"empathy": 1 + (n + (n % 3 == 0)) % 5}) for n in range(60)
    ]
    path = write(tmp_path / "labels.jsonl", rows)
    labels = read_labels(path)
    assert (len(labels.items), labels.count, labels.annotators) == (60, 120, ["ann", "bob"])
    values: dict[str, float | None] = {rows[n]["answer"]: 1 + n % 5 for n in range(60)}
    values[rows[59]["answer"]] = None
    found = calibrate(Told(values), labels, name="told", source="labels.jsonl")
    (empathy,) = found.dimensions
    assert found.outcomes == {"scored": 59, "unparsed": 1}
    assert empathy.items == 59
    assert empathy.spearman.value is not None
    assert empathy.spearman.low is not None
    assert 0.5 < empathy.spearman.low < empathy.spearman.value < 1
    assert empathy.people_alpha is not None
    assert 0.3 < empathy.people_alpha < 1
    assert [step.judge for step in empathy.reliability] == [1, 2, 3, 4, 5]
    assert sum(step.items for step in empathy.reliability) == 59
    assert empathy.kinds["warm_words"].items == 4
    assert not found.own
    assert found.trusted
    assert found.summary.startswith("agrees with 2 annotators: empathy rho 0.")
    assert found.of("empathy").endswith("on 59 items")
    assert found.of("other") == "never checked"


def test_labels_of_our_own_are_called_so(tmp_path: Path) -> None:
    rows = [row(n, annotator="authors") for n in range(40)]
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    values: dict[str, float | None] = {r["answer"]: r["labels"]["empathy"] for r in rows}
    found = calibrate(Told(values), labels, name="told", source="l")
    assert not found.trusted
    assert "agrees with its authors' labels" in found.summary
    assert "never checked against independent people" in found.summary
    assert "never checked against independent people" in found.of("empathy")


def test_a_random_judge_does_not_agree(tmp_path: Path) -> None:
    rows = [row(n, labels={"empathy": derived_rng(1, n).randint(1, 5)}) for n in range(200)]
    values: dict[str, float | None] = {
        r["answer"]: derived_rng(2, n).randint(1, 5) for n, r in enumerate(rows)
    }
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    found = calibrate(Told(values), labels, name="told", source="l")
    assert not found.trusted
    (empathy,) = found.dimensions
    assert empathy.spearman.low is not None
    assert empathy.spearman.high is not None
    assert empathy.spearman.low < 0 < empathy.spearman.high


def pair(number: int, preferred: str) -> dict[str, Any]:
    return {
        "id": f"p{number}",
        "question": f"question {number}",
        "answer_a": f"a{number}",
        "answer_b": f"b{number}",
        "annotator": "ann",
        "preferred": preferred,
    }


def test_preferences_and_a_pointwise_judge(tmp_path: Path) -> None:
    rows = [pair(n, ("a", "b", "tie")[n % 3]) for n in range(30)]
    values: dict[str, float | None] = {}
    for n in range(30):
        values[f"a{n}"], values[f"b{n}"] = [(5.0, 1.0), (1.0, 5.0), (3.0, 3.0)][n % 3]
    labels = read_labels(write(tmp_path / "p.jsonl", rows))
    found = calibrate(Told(values), labels, name="told", source="p")
    by_name = {preference.dimension: preference for preference in found.preferences}
    assert by_name["empathy"].accuracy.value == 1.0
    assert by_name["empathy"].swap_consistency is None
    assert by_name["other"].accuracy.value == pytest.approx(1 / 3)


class Comparing:
    """Prefers what is said first in the alphabet; flips on every fifth item."""

    version = "comparing 1"
    dimensions = tuple(
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
    found = calibrate(Comparing(), labels, name="pairwise", source="p")
    (win,) = found.preferences
    assert win.accuracy.value == pytest.approx(0.8)
    assert win.swap_consistency is not None
    assert win.swap_consistency.value == pytest.approx(0.8)


def test_what_is_kept_is_found_by_version(tmp_path: Path) -> None:
    rows = [row(n, annotator="authors") for n in range(40)]
    values: dict[str, float | None] = {r["answer"]: r["labels"]["empathy"] for r in rows}
    own = calibrate(
        Told(values), read_labels(write(tmp_path / "o.jsonl", rows)), name="told", source="o"
    )
    assert lookup("told 1") is None
    path = store(own)
    assert lookup("told 1") == own
    assert lookup("told 2") is None
    few = [row(n) for n in range(20)]
    independent = calibrate(
        Told(values), read_labels(write(tmp_path / "i.jsonl", few)), name="told", source="i"
    )
    store(independent)
    assert lookup("told 1") == independent  # people go before authors, though they are fewer
    path.with_name("broken.json").write_text("{", encoding="utf-8")
    assert lookup("told 1") == independent
    report = independent.for_report()
    assert report["summary"] == independent.summary
    assert Calibration.model_validate_json(json.dumps({
        key: value for key, value in report.items()
        if key not in ("summary", "trusted", "by_dimension")
    })) == independent  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "line"),
    [
        ([], "holds no label"),
        (["{"], "l.jsonl:1: not valid JSON"),
        ([row(0), row(1, annotator="")], "l.jsonl:2: field 'annotator'"),
        ([{k: v for k, v in row(0).items() if k != "question"}], "field 'question' is required"),
        ([row(0, labels={})], "needs either answer and labels"),
        ([row(0, labels={"empathy": "high"})], "field 'labels.empathy'"),
        ([row(0, lables={"empathy": 1})], "unknown field 'lables'"),
        ([row(0), row(0)], "'ann' labelled 'i0' before"),
        ([row(0), row(0, answer="other", annotator="b")], "'i0' stands for other texts"),
        ([row(0, split="fit"), row(1, split="check")], "split by question"),
        ([row(0), pair(1, "a")], "mixes pointwise and pairwise"),
        ([{**pair(1, "a"), "preferred": "c"}], "field 'preferred'"),
    ],
)
def test_bad_labels_give_one_line(tmp_path: Path, rows: list[Any], line: str) -> None:
    path = write(tmp_path / "l.jsonl", rows)
    with pytest.raises(DataError) as raised:
        read_labels(path)
    assert line in str(raised.value)
    assert "\n" not in str(raised.value)


def test_nothing_to_compare(tmp_path: Path) -> None:
    labels = read_labels(
        write(tmp_path / "l.jsonl", [row(n, labels={"humour": 3}) for n in range(20)])
    )
    with pytest.raises(DataError, match="no dimension in common"):
        calibrate(Told({}), labels, name="told", source="l")
    with pytest.raises(DataError, match="too few"):
        calibrate(Told({}), labels.part("check"), name="told", source="l")
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(str(tmp_path / "none.jsonl"))
