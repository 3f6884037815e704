"""Exports: every figure once, nothing that a spreadsheet, Markdown or LaTeX takes for code."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from harness.analysis import Summary
from harness.pipeline.store import Run
from harness.records import Manifest
from reports import documents, exports
from tests.synthetic import HOSTILE, World, make_run


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_run(
        14, rubric=False, failing=0.05, world=World(gain={"base": 0.0, "tuned": 0.1, "other": 0.0})
    )
    return made.write(tmp_path_factory.mktemp("run") / "plain")


@pytest.fixture(scope="module")
def files(run_dir: Path) -> dict[str, Path]:
    return {path.name: path for path in exports.export(run_dir)}


@pytest.fixture(scope="module")
def summary(run_dir: Path) -> Summary:
    return Run(run_dir).summary()


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"))))


def test_estimates_hold_every_figure_of_the_summary(
    files: dict[str, Path], summary: Summary
) -> None:
    rows = rows_of(files["estimates.csv"])
    cell = next(c for c in summary.cells if c.drop and c.kind == "typo")
    found = [
        r
        for r in rows
        if (r["section"], r["estimand"]) == ("cells", "drop")
        and (r["subject"], r["judge"], r["dimension"], r["kind"])
        == (cell.subject, cell.judge, cell.dimension, cell.kind)
    ]
    assert len(found) == 1
    assert float(found[0]["mean"]) == cell.drop.mean
    assert int(found[0]["n"]) == cell.n
    wanted = sum(
        dict(row)[name] is not None
        for section, names in exports.ESTIMANDS.items()
        for row in dict(summary)[section]
        for name in names
    )
    assert len(rows) == wanted
    assert {r["section"] for r in rows} == {
        "cells",
        "contrasts",
        "topics",
        "pairs",
        "severities",
        "worst",
    } - ({"topics"} if not summary.topics else set())


def test_parquet_says_the_same_as_csv(files: dict[str, Path], run_dir: Path) -> None:
    import pyarrow.parquet as pq

    for name in ("estimates", "scores"):
        table = pq.read_table(files[f"{name}.parquet"]).to_pylist()
        rows = rows_of(files[f"{name}.csv"])
        assert len(table) == len(rows) > 0
        assert list(table[0]) == list(rows[0])
    values = [r["value"] for r in rows]
    assert [float(v) if v else None for v in values] == [t["value"] for t in table]
    lines = (run_dir / "scores.jsonl").read_text().splitlines()
    assert len(rows) == len(lines)


@pytest.mark.parametrize("text", [h for h in HOSTILE if h[0] in "=+-@\t"])
def test_no_cell_is_a_formula(text: str) -> None:
    row = {"text": text, "number": -1.5}
    found = next(csv.reader(io.StringIO(exports.to_csv([row]).partition("\n")[2])))
    assert found == [f"'{text}", "-1.5"]


@given(st.text(max_size=40))
def test_csv_gives_texts_back(text: str) -> None:
    clean = text.replace("\r", "").replace("\0", "")
    out = exports.to_csv([{"a": clean, "b": "x"}])
    found = list(csv.reader(io.StringIO(out, newline="")))[1][0]
    assert found.removeprefix("'") == clean.removeprefix("'") or found == f"'{clean}"


def test_markdown_starts_with_the_finding(files: dict[str, Path], summary: Summary) -> None:
    text = files["report.md"].read_text(encoding="utf-8")
    assert documents.md(summary.finding.sentence) in text
    tables = [line for line in text.splitlines() if line.startswith("|")]
    for line in tables:
        assert len(re.findall(r"(?<!\\)\|", line)) in (4, 7, 8)
    assert "jostle run configs/suites/demo.yaml" in text


@pytest.mark.parametrize("text", HOSTILE)
def test_markdown_escapes(text: str) -> None:
    found = documents.md(text)
    assert not re.search(r"(?<!\\)[<>`|*_\[\]]", found)
    assert "\n" not in found


def test_model_card_has_a_model_index(files: dict[str, Path], summary: Summary) -> None:
    text = files["model-card.md"].read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    index = yaml.safe_load(front)["model-index"]
    assert [entry["name"] for entry in index] == ["tuned", "other"]
    metrics = index[0]["results"][0]["metrics"]
    cell = next(
        c
        for c in summary.cells
        if (c.subject, c.dimension, c.kind) == ("tuned", "closeness", "(all kinds)")
    )
    assert [m["value"] for m in metrics] == [cell.originals.mean, cell.variants.mean]
    assert "## Jostle" in body


def test_the_hub_library_reads_the_model_index(
    files: dict[str, Path], summary: Summary, run_dir: Path
) -> None:
    from huggingface_hub import ModelCard

    text = files["model-card.md"].read_text(encoding="utf-8").replace("- name: other", "- name: x")
    results = ModelCard(
        text.split("- name: x")[0] + text[text.index("---\n\n") :]
    ).data.eval_results
    assert results
    assert {r.task_type for r in results} == {"text-generation"}
    assert str(run_dir.parent) not in text


def test_latex_is_balanced_and_escaped(files: dict[str, Path]) -> None:
    text = files["tables.tex"].read_text(encoding="utf-8")
    assert text.count(r"\begin{tabular}") == text.count(r"\end{tabular}") == 4
    body = re.sub(r"\\[{}]", "", text)
    assert body.count("{") == body.count("}")
    assert "answer_checks" not in text.replace(r"\_", "")


@pytest.mark.parametrize("text", HOSTILE)
def test_latex_escapes(text: str) -> None:
    found = documents.tex(text)
    assert not re.search(r"(?<!\\)[&%#_~^]", found.replace(r"\textasciitilde{}", ""))
    assert r"\end{" not in found


def test_hostile_names_go_through_every_export(tmp_path: Path) -> None:
    made = make_run(6, hostile=True, rubric=False)
    folder = made.write(tmp_path / "hostile", command=HOSTILE[0])
    for path in exports.export(folder):
        assert path.stat().st_size > 0
    for row in rows_of(folder / "exports" / "scores.csv"):
        assert not row["sample_id"].startswith(("=", "+", "-", "@"))


def test_empty_run_exports(tmp_path: Path) -> None:
    made = make_run(2, rubric=False)
    made.scores, made.dimensions = [], {}
    folder = made.write(tmp_path / "empty")
    assert {p.name for p in exports.export(folder)} >= {"estimates.parquet", "report.md"}
    assert Manifest.model_validate_json((folder / "manifest.json").read_text())
