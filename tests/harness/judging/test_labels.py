"""Files of labels: what is read, and the one line about what is not."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.judging.labels import read_labels
from tests.harness.judging.test_calibration import pair, row, write


@pytest.mark.parametrize("mark", ["\u2028", "\u2029", "\x85", "\x0b", "\x1c"])
def test_a_line_ends_at_a_line_feed_alone(tmp_path: Path, mark: str) -> None:
    rows = [row(n, answer=f"one{mark}two {n}") for n in range(3)]
    raw = [json.dumps(r, ensure_ascii=mark < " ") for r in rows]
    labels = read_labels(write(tmp_path / "l.jsonl", raw))
    assert [item.first.answer for item in labels.items] == [r["answer"] for r in rows]


def test_a_byte_order_mark_and_windows_line_ends_are_taken(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    lines = "\r\n".join(json.dumps(row(n)) for n in range(3))
    path.write_bytes(b"\xef\xbb\xbf" + lines.encode())
    assert len(read_labels(str(path)).items) == 3


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
        ([row(0), row(1, labels={"empathy": float("nan")})], "l.jsonl:2: field 'labels.empathy'"),
        (
            [row(0, labels={"empathy": float("inf")})],
            "l.jsonl:1: field 'labels.empathy'",
        ),
        (
            [json.dumps(row(0)).replace("answer 0", "\\ud800")],
            "l.jsonl:1: field 'answer': holds half",
        ),
        (
            [json.dumps(row(0)).replace("empathy", "\\udc00")],
            "l.jsonl:1: field 'labels': holds half",
        ),
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
