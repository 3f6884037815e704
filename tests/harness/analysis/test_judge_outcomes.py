"""Outcomes by subject: a mean that leaves much out is marked, whatever the others' is."""

from __future__ import annotations

import html
import json
import re
from pathlib import Path
from typing import Any

import pytest
from judged_summary import judged_summary
from scripted_server import Reply, ScriptedServer, says

from harness.analysis.counts import FailureCount
from harness.analysis.estimates import Contrast, MeasureRow, SubjectPair
from harness.analysis.judge_outcomes import JudgementCount
from harness.analysis.summary_schema import OutcomeCount
from harness.judging.traits import JudgeInfo
from harness.records import Dimension, Score
from reports.html import render
from reports.rows import incomplete
from tests.pipeline import make_suite, run_suite, write_data


def score(subject: str, number: int, ok: bool, dimension: str = "empathy") -> Score:
    return Score(
        sample_id=f"s{number}",
        perturbation="typo",
        severity="light",
        judge="j",
        dimension=dimension,
        version="1",
        subject=subject,
        status="scored" if ok else "unparsed",
        value=3.0 if ok else None,
    )


def counted(failed: int, dimension: str = "empathy") -> OutcomeCount:
    count = JudgementCount([JudgeInfo("j", [])], FailureCount())
    scores = [score("base", n, True, dimension) for n in range(100)]
    scores += [score("tuned", n, n >= failed, dimension) for n in range(100)]
    assert list(count.counted(scores)) == scores
    (row,) = count.rows()["j"].outcomes
    return row


@pytest.mark.parametrize(("failed", "marked"), [(18, True), (11, True), (10, False), (0, False)])
def test_the_worst_subject_decides(failed: int, marked: bool) -> None:
    row = counted(failed)
    assert row.share == pytest.approx((200 - failed) / 200)
    assert row.shares == {"base": 1.0, "tuned": pytest.approx((100 - failed) / 100)}
    assert (row.scored, row.unparsed) == (200 - failed, failed)
    assert row.incomplete == marked


def test_the_mark_names_who_is_incomplete() -> None:
    dimensions = [Dimension(name=name, low=1, high=5) for name in ("empathy", "safety")]
    outcomes = [counted(18), counted(25, "safety")]
    summary = judged_summary("j", outcomes=outcomes, dimensions=dimensions)

    def mark(row: type[MeasureRow], **fields: str) -> str:
        return incomplete(
            summary, row.model_construct(**{"judge": "j", "dimension": "empathy", **fields})
        )

    assert mark(MeasureRow, subject="base") == ""
    assert mark(MeasureRow, subject="tuned") == "incomplete: 82% scored"
    assert mark(Contrast, subject="tuned", baseline="base") == "incomplete: 82% scored"
    assert mark(Contrast, subject="other", baseline="tuned") == "incomplete: tuned 82% scored"
    assert mark(SubjectPair, subject="other", against="tuned") == "incomplete: tuned 82% scored"
    # The mean of several is no more whole than the least whole of them.
    assert mark(MeasureRow, subject="tuned", dimension="overall") == "incomplete: 75% scored"
    assert mark(MeasureRow, subject="tuned", judge="none", dimension="x") == ""


def test_the_mark_stands_where_the_mean_stands(tmp_path: Path) -> None:
    """The judge can read nothing that the tuned subject says about one of five prompts."""
    prompts = [f"Night {n}: I cannot sleep, my thoughts go round and round." for n in range(5)]
    write_data(tmp_path, prompts)

    def script(request: dict[str, Any], _: int) -> Reply:
        system, user = (message["content"] for message in request["messages"])
        answer = user[user.index("(the answer to grade)") :]
        if "Night 3" in user and "round" not in answer:  # the tuned one says seven words
            return says("hm")
        form = json.loads(system.rsplit("\n", 1)[-1])
        return says(json.dumps({n: {"reason": "r", "score": 2 + len(user) % 3} for n in form}))

    with ScriptedServer(script) as server:
        entry = {"rubric": "counseling", "model": "m", "base_url": server.base_url}
        suite = make_suite(
            tmp_path, judges=[{"rubric": {**entry, "structured": "text"}}], perturbations=["filler"]
        )
        run_suite(tmp_path / "run", suite, render=render)
    page = (tmp_path / "run" / "report.html").read_text(encoding="utf-8")
    section = page[page.index('id="kinds"') : page.index('id="samples"')]
    rows = [
        re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", row)))
        for row in re.findall(r"<tr[\s\S]*?</tr>", section)
    ]
    of_tuned = [row for row in rows if row.startswith(" tuned")]
    of_base = [row for row in rows if row.startswith(" base")]
    assert of_tuned
    assert of_base
    assert all(re.search(r"incomplete: \d\d% scored", row) for row in of_tuned)
    assert not any("incomplete" in row for row in of_base)
