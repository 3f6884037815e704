"""``jostle calibrate`` as its users meet it: goes on where it stopped, says what it cost and why not."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from scripted_server import Reply, ScriptedServer, says

from tests.harness.cli.conftest import Jostle
from tests.harness.judging.test_calibration import row, write


@pytest.fixture(autouse=True)
def a_key_and_few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    monkeypatch.setattr("harness.stats.agreement.RESAMPLES", 100)


def graded(request: dict[str, Any], _: int) -> Reply:
    """A score by the answer's number, for every dimension asked for."""
    system, user = (message["content"] for message in request["messages"])
    number = int(re.findall(r"answer (\d+)", user)[-1])
    form = json.loads(system.rsplit("\n", 1)[-1])
    verdict = {name: {"reason": "r", "score": 1 + number % 5} for name in form}
    return says(json.dumps(verdict), prompt_tokens=900, completion_tokens=100)


def judge(url: str, options: str = 'revision: "1"') -> str:
    return (
        f'rubric: {{rubric: counseling, model: m, base_url: "{url}", structured: text, {options}}}'
    )


def labels(folder: Path, annotators: tuple[str, ...] = ("ann",)) -> str:
    rows = [row(n, annotator=name) for name in annotators for n in range(40)]
    write(folder / "labels.jsonl", rows)
    return "labels.jsonl"


def test_it_goes_on_where_a_budget_stopped_it_and_pays_once(jostle: Jostle, tmp_path: Path) -> None:
    source = labels(tmp_path, ("ann", "bob"))
    with ScriptedServer(graded) as server:
        entry = judge(
            server.base_url, 'revision: "1", budget: {tokens: 20000}, prices: {prompt: 10}'
        )
        stops = 0
        while (done := jostle("calibrate", source, "--judge", entry))[0] != 0:
            code, out, err = done
            assert code == 2
            assert "what was done is kept" in err
            assert re.search(r"rubric: \d+ calls, \d+ prompt and \d+ completion tokens", out)
            stops += 1
            assert stops < 10
        assert stops >= 1
        assert len(server.requests) == 40
        again = jostle("calibrate", source, "--judge", entry)
        assert len(server.requests) == 40
    for _, out, err in (done, again):
        assert "empathy: Spearman 1.00" in out
        assert "people among themselves: Krippendorff's alpha 1.00" in out
        assert re.search(
            r"with the answer's length: judge rho [+-]0\.\d\d, labels [+-]0\.\d\d", out
        )
        assert "judge: rubric: 40/40" in err  # the progress
        assert "agrees with 2 independent annotators" in out
    last = int(re.search(r"rubric: (\d+) calls", done[1])[1])  # type: ignore[index]
    assert f"{900 * last} prompt and {100 * last} completion tokens, money: " in done[1]
    assert "calls" not in again[1]


def test_without_a_revision_nothing_is_kept_and_it_says_so(jostle: Jostle, tmp_path: Path) -> None:
    source = labels(tmp_path)
    with ScriptedServer(graded) as server:
        entry = judge(server.base_url, "concurrency: 2")
        for count in (40, 80):
            code, out, err = jostle("calibrate", source, "--judge", entry)
            assert code == 0
            assert len(server.requests) == count
            assert "nothing that it says is kept" in err
            assert (
                "rubric: 40 calls, 36000 prompt and 4000 completion tokens, money: no price" in out
            )


def test_a_panels_members_are_not_paid_twice(jostle: Jostle, tmp_path: Path) -> None:
    source = labels(tmp_path)
    with ScriptedServer(graded) as one, ScriptedServer(graded) as two:
        members = [
            judge(one.base_url),
            judge(two.base_url, 'revision: "1", budget: {tokens: 20000}'),
        ]
        entry = f"panel: {{judges: [{', '.join(f'{{{m}}}' for m in members)}]}}"
        stops = 0
        while jostle("calibrate", source, "--judge", entry)[0] != 0:
            stops += 1
            assert stops < 10
        assert stops >= 1
        assert len(one.requests) == len(two.requests) == 40


def test_why_nothing_was_scored(jostle: Jostle, tmp_path: Path) -> None:
    source = labels(tmp_path)
    with ScriptedServer(lambda *_: says("I would rather talk of something else.")) as server:
        code, out, err = jostle("calibrate", source, "--judge", judge(server.base_url))
    assert code == 2
    assert "scored 0 items on 'empathy'" in err
    assert re.search(r"\(40 unparsed; most often: .+\)", err)
    assert "40 calls" in out  # it was paid for all the same


def test_what_the_file_says_of_itself_is_one_line(jostle: Jostle, tmp_path: Path) -> None:
    write(tmp_path / "l.jsonl", [row(0), row(1, labels={"empathy": float("nan")})])
    code, out, err = jostle("calibrate", "l.jsonl", "--judge", "rouge_l")
    assert (code, out) == (2, "")
    assert err.startswith("jostle: error: l.jsonl:2: field 'labels.empathy'")
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ("api_key: sk-4711", "'api_key': secrets come from environment variables only"),
        ("extra_body: {api_key: sk-4711}", "'api_key': secrets come from environment variables"),
        ("extra_body: {a: [{Authorization: sk-4711}]}", "'Authorization': secrets come from"),
        ("repeats: sk-4711", "repeats of 'rubric' must be a whole number"),
        ("dimensions: [sk-4711", "it is not valid YAML"),
    ],
)
def test_a_refused_judge_is_not_repeated(
    jostle: Jostle, tmp_path: Path, options: str, line: str
) -> None:
    """A key may stand in it."""
    entry = judge("http://127.0.0.1:9/v1", options)
    code, out, err = jostle("calibrate", labels(tmp_path), "--judge", entry)
    assert code == 2
    assert line in err
    assert err.count("\n") == 1
    assert "4711" not in out + err


def test_split_does_not_go_with_fit(jostle: Jostle, tmp_path: Path) -> None:
    code, _, err = jostle("calibrate", labels(tmp_path), "--fit", "mine", "--split", "check")
    assert code == 2
    assert "--split belongs to --judge" in err


def test_a_fit_without_splits_prints_its_cross_validation(
    jostle: Jostle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from judges import fitted
    from judges.regression import ridge
    from tests.judges.test_fitted import embed, labelled

    monkeypatch.setattr(ridge, "STRENGTHS", (30.0, 300.0))
    fit_labels = fitted.fit_labels
    monkeypatch.setattr(fitted, "fit_labels", lambda source, name: fit_labels(source, name, embed))
    source = labelled(tmp_path / "l.jsonl", split=None)
    code, out, _ = jostle("calibrate", source, "--fit", "mine")
    assert code == 0
    assert re.search(r"empathy: Spearman 0\.\d\d \[0\.\d\d, 0\.\d\d\] \(120 items\)", out)
    assert "(cross-validated) on 120 items" in out
