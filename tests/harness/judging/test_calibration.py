"""Labels and calibration."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.judging.calibration import calibrate
from harness.judging.calibration_records import LeftOutSource
from harness.judging.calibration_report import summary
from harness.judging.labels import read_labels
from harness.records import Dimension, JudgeItem, Judgement
from harness.stats.agreement import Coefficient
from harness.util.digest import derived_rng


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("harness.stats.agreement.RESAMPLES", 100)


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
    assert (len(labels.items), len(labels.rows), labels.annotators) == (60, 120, ["ann", "bob"])
    values: dict[str, float | None] = {rows[n]["answer"]: 1 + n % 5 for n in range(60)}
    values[rows[59]["answer"]] = None
    found = calibrate(Told(values), labels, name="told")
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
    assert empathy.basis == "people"
    assert empathy.trusted
    assert empathy.sentence.startswith("agrees with 2 independent annotators: rho 0.")
    assert empathy.sentence.endswith(
        "on 59 items of labels.jsonl (120 labels by independent people)"
    )
    assert summary(found.compared).startswith(
        "agrees with 2 independent annotators: empathy rho 0."
    )


def test_labels_of_our_own_are_called_so(tmp_path: Path) -> None:
    rows = [row(n, annotator="authors") for n in range(40)]
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    values: dict[str, float | None] = {r["answer"]: r["labels"]["empathy"] for r in rows}
    found = calibrate(Told(values), labels, name="told")
    (empathy,) = found.dimensions
    assert not empathy.trusted
    for said in (summary(found.compared), empathy.sentence):
        assert "agrees with its authors' labels" in said
        assert "(40 labels by authors); never checked against independent people" in said


def test_a_random_judge_does_not_agree(tmp_path: Path) -> None:
    rows = [row(n, labels={"empathy": derived_rng(1, n).randint(1, 5)}) for n in range(200)]
    values: dict[str, float | None] = {
        r["answer"]: derived_rng(2, n).randint(1, 5) for n, r in enumerate(rows)
    }
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    found = calibrate(Told(values), labels, name="told")
    (empathy,) = found.dimensions
    assert not empathy.trusted
    assert empathy.spearman.low is not None
    assert empathy.spearman.high is not None
    assert empathy.spearman.low < 0 < empathy.spearman.high
    assert empathy.sentence.startswith("shows no clear agreement with 1 independent annotator: rho")
    assert "agrees" not in summary(found.compared)


def test_a_judge_that_says_the_opposite_contradicts(tmp_path: Path) -> None:
    rows = [row(n) for n in range(40)]
    values: dict[str, float | None] = {r["answer"]: 5 - n % 5 for n, r in enumerate(rows)}
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    (empathy,) = calibrate(Told(values), labels, name="told").dimensions
    assert empathy.verdict == "contradicts 1 independent annotator"


def scored(rows: Sequence[dict[str, Any]], by: str) -> dict[str, float | None]:
    return {r["answer"]: r["labels"]["empathy"] for r in rows if r["annotator"] == by}


def test_one_label_by_somebody_else_makes_no_independent_check(tmp_path: Path) -> None:
    rows = [row(n, annotator="author1") for n in range(40)]
    rows.append(row(0, annotator="bob"))
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    (empathy,) = calibrate(Told(scored(rows, "author1")), labels, name="told").dimensions
    assert (empathy.basis, empathy.independent_labels, empathy.author_labels) == ("authors", 1, 40)
    assert not empathy.trusted
    assert empathy.sentence.startswith("agrees with its authors' labels: rho 1.00")
    assert empathy.sentence.endswith(
        "(40 labels by authors, 1 label by independent people: too few to count apart);"
        " not checked against independent people"
    )


def test_an_independent_agreement_rests_on_independent_labels_only(tmp_path: Path) -> None:
    """The judge repeats the authors; the two people who labelled twelve items say the opposite."""
    rows = [row(n, annotator="authors") for n in range(40)]
    for name in ("ann", "bob"):
        rows += [row(n, annotator=name, labels={"empathy": 5 - n % 5}) for n in range(12)]
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    (empathy,) = calibrate(Told(scored(rows, "authors")), labels, name="told").dimensions
    assert (empathy.basis, empathy.items, empathy.annotators) == ("people", 12, 2)
    assert empathy.spearman.value == pytest.approx(-1.0)
    assert empathy.people_alpha == pytest.approx(1.0)
    assert "(24 labels by independent people, 40 labels by authors left out)" in empathy.sentence


def test_language_models_count_apart_from_people_and_from_authors(tmp_path: Path) -> None:
    """Two readers agree with the judge, the authors do not; neither is a person."""
    rows = [row(n, annotator="authors", labels={"empathy": 5 - n % 5}) for n in range(40)]
    for name in ("reader-1", "reader-2"):
        rows += [row(n, annotator=name) for n in range(20)]
    values: dict[str, float | None] = {r["answer"]: 1 + n % 5 for n, r in enumerate(rows[:40])}
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    (empathy,) = calibrate(Told(values), labels, name="told").dimensions
    assert (empathy.basis, empathy.items, empathy.annotators) == ("readers", 20, 2)
    assert empathy.spearman.value == pytest.approx(1.0)
    assert empathy.sentence.startswith("agrees with 2 language-model readers: rho 1.00")
    assert empathy.sentence.endswith(
        "(40 labels by language models, 40 labels by authors left out);"
        " never checked against independent people"
    )
    assert not empathy.trusted


def test_an_agreement_names_what_it_was_measured_on(tmp_path: Path) -> None:
    rows = [row(n, source="letters" if n < 15 else "forum posts") for n in range(40)]
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    (empathy,) = calibrate(Told(scored(rows, "ann")), labels, name="told").dimensions
    assert "on 40 items of forum posts, letters (" in empathy.sentence
    unseen = LeftOutSource(
        source="chats",
        items=30,
        spearman=Coefficient(value=0.3, low=0.2, high=0.4),
        length_rho=0.1,
        labels_length_rho=0.2,
    )
    carried = empathy.model_copy(update={"left_out": (unseen,)})
    said = "on sources left out in turn: chats rho 0.30 [0.20, 0.40]"
    assert said in carried.sentence
    assert said in summary([carried])


@pytest.mark.parametrize(
    ("high", "values", "defined"),
    [
        (1, [0.0, 1.0], True),  # two steps, graded in steps
        (1, [0.1, 0.9], False),  # everything between the same two ends
        (4, [0.1, 3.9], True),  # rounded to five steps
    ],
)
def test_steps_are_told_by_what_was_judged(
    tmp_path: Path, high: int, values: list[float], defined: bool
) -> None:
    class Steps(Told):
        dimensions = (Dimension(name="empathy", low=0, high=high),)

    rows = [row(n, labels={"empathy": high * (n % 2)}) for n in range(40)]
    told: dict[str, float | None] = {r["answer"]: values[n % 2] for n, r in enumerate(rows)}
    labels = read_labels(write(tmp_path / "l.jsonl", rows))
    (empathy,) = calibrate(Steps(told), labels, name="told").dimensions
    assert (empathy.accuracy.value, empathy.kappa.value) == ((1.0, 1.0) if defined else (None,) * 2)


def test_why_nothing_was_scored_is_told(tmp_path: Path) -> None:
    class Mute(Told):
        def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
            for index in range(len(items)):
                status, reason = ("refused", "no") if index < 5 else ("error", "http_400: too hot")
                yield Judgement(
                    item=index, dimension="empathy", value=None, status=status, reason=reason
                )

    labels = read_labels(write(tmp_path / "l.jsonl", [row(n) for n in range(40)]))
    with pytest.raises(DataError) as raised:
        calibrate(Mute({}), labels, name="told")
    assert "scored 0 items on 'empathy'" in str(raised.value)
    assert "(5 refused, 35 error; most often: http_400: too hot)" in str(raised.value)


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
    found = calibrate(Told(values), labels, name="told")
    by_name = {preference.dimension: preference for preference in found.preferences}
    assert by_name["empathy"].accuracy.value == 1.0
    assert by_name["empathy"].swap_consistency is None
    assert by_name["other"].accuracy.value == pytest.approx(1 / 3)


def test_nothing_to_compare(tmp_path: Path) -> None:
    labels = read_labels(
        write(tmp_path / "l.jsonl", [row(n, labels={"humour": 3}) for n in range(20)])
    )
    with pytest.raises(DataError, match="no dimension in common"):
        calibrate(Told({}), labels, name="told")
    with pytest.raises(DataError, match="too few"):
        calibrate(Told({}), labels.part("check"), name="told")
    with pytest.raises(DataError, match="cannot be read"):
        read_labels(str(tmp_path / "none.jsonl"))
