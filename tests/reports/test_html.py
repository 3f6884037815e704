"""The page as text; what needs a browser is in tests/browser."""

from __future__ import annotations

import base64
import json
import re
import xml.etree.ElementTree as ET
import zlib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from harness.errors import StoreError
from harness.pipeline.store import Run
from reports import explorer
from reports.display import interval_text, mean_text
from reports.html import render
from tests.synthetic import HOSTILE, World, make_run

VOID = {"meta", "link", "br", "input", "hr", "img"}


class Balance(HTMLParser):
    """Collects tags, and complains where one closes what is not open."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.attributes: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = make_run(14, rubric=False, failing=0.05)
    folder = made.write(tmp_path_factory.mktemp("run") / "plain")
    render(folder)
    return folder


@pytest.fixture(scope="module")
def html(run_dir: Path) -> str:
    return (run_dir / "report.html").read_text(encoding="utf-8")


def unpacked(html: str, id_: str) -> Any:
    found = re.search(rf'id="{id_}">([A-Za-z0-9+/=]*)</script>', html)
    assert found
    return json.loads(zlib.decompress(base64.b64decode(found[1])))


def test_page_is_whole_and_says_the_finding(html: str, run_dir: Path) -> None:
    parser = Balance()
    parser.feed(html)
    assert parser.open == []
    sentence = Run(run_dir).summary().finding.sentence
    assert html.index(sentence) < html.index("By kind of rewording")


def test_page_names_no_other_address(html: str) -> None:
    outside = set(re.findall(r"""(?:src|href)=["']([^"'#][^"']*)""", html))
    assert outside == set()
    assert set(re.findall(r"https?://[^\s\"'<>)]+", html)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
    }


def test_page_says_that_no_llm_judge_took_part_and_how_to_add_one(html: str) -> None:
    assert "No LLM judge took part" in html
    assert "<code>judges</code>" in html


def test_page_with_an_llm_judge_does_not(tmp_path: Path) -> None:
    text = render(make_run(8).write(tmp_path / "judged")).read_text(encoding="utf-8")
    assert "No LLM judge took part" not in text


def test_figures_are_files_too(run_dir: Path) -> None:
    names = sorted(p.name for p in (run_dir / "figures").iterdir())
    stems = {Path(n).stem for n in names}
    assert {"radar-semantic-closeness", "drops-semantic-closeness", "heatmap"} <= stems
    assert len(names) == 2 * len(stems)
    for path in (run_dir / "figures").glob("*.svg"):
        root = ET.fromstring(path.read_text(encoding="utf-8"))
        assert root.findall(".//{http://www.w3.org/2000/svg}text")
        assert not root.findall(".//{http://www.w3.org/2000/svg}image")
    for path in (run_dir / "figures").glob("*.png"):
        assert path.read_bytes().startswith(b"\x89PNG")


def test_rendering_again_changes_nothing_and_leaves_no_old_figure(run_dir: Path) -> None:
    before = {p.name: p.read_bytes() for p in (run_dir / "figures").iterdir()}
    page_before = (run_dir / "report.html").read_bytes()
    (run_dir / "figures" / "old.svg").write_text("<svg/>")
    render(run_dir)
    assert {p.name: p.read_bytes() for p in (run_dir / "figures").iterdir()} == before
    assert (run_dir / "report.html").read_bytes() == page_before


def test_explorer_holds_every_answer(html: str, run_dir: Path) -> None:
    index = unpacked(html, "index")
    lines = (run_dir / "generations.jsonl").read_text().splitlines()
    asked = [g for g in map(json.loads, lines) if g["perturbation"] != "original"]
    assert len(index["rows"]["sample"]) == len(asked)
    chunk = unpacked(html, "chunk-0")
    texts = {
        text
        for sample in chunk
        for variant in sample["variants"]
        for answer in variant["answers"]
        for text in answer["texts"]
    }
    assert {g["completion"]["text"] for g in asked} <= texts
    failed = sum(g["completion"]["text"] is None for g in asked)
    assert index["rows"]["problem"].count(1) == failed > 0


def test_every_estimate_shown_comes_from_the_summary(html: str, run_dir: Path) -> None:
    for cell in Run(run_dir).summary().cells:
        if cell.drop:
            assert interval_text(cell.drop) in html
            assert mean_text(cell.drop, sign=True) in html


def test_hostile_texts_stay_texts(tmp_path: Path) -> None:
    made = make_run(len(HOSTILE), hostile=True, failing=0.1)
    made.subjects = [HOSTILE[2], "tuned"]
    made.baseline = HOSTILE[2]
    rename = {"base": HOSTILE[2], "tuned": "tuned"}
    made.generations = [
        g.model_copy(update={"subject": rename[g.subject]}) for g in made.generations
    ]
    made.scores = [s.model_copy(update={"subject": rename[s.subject]}) for s in made.scores]
    folder = made.write(
        tmp_path / "hostile",
        made.summary(resamples=200, warnings=list(HOSTILE)),
        suite={"x": list(HOSTILE)},
        command=HOSTILE[1],
        data={"path": HOSTILE[0]},
    )
    text = render(folder).read_text(encoding="utf-8")
    parser = Balance()
    parser.feed(text)
    assert parser.open == []
    assert parser.tags.count("script") == text.count('<script type="application/octet-stream"') + 1
    assert {"img", "iframe", "object", "embed", "a:script"} & set(parser.tags) == set()
    assert not [a for a in parser.attributes if a.startswith("on")]
    for character in ("\u202e", "\u2028", "\x1b", "\x07", "\u2066"):
        assert character not in text
    assert "{{ 7*7 }}" in text
    assert ">49<" not in text


def test_one_subject_and_one_prompt_make_a_page(tmp_path: Path) -> None:
    made = make_run(1, world=World(gain={"base": 0.0}), rubric=False)
    text = render(made.write(tmp_path / "tiny")).read_text(encoding="utf-8")
    assert "Only one subject was asked" in text


def test_nothing_scored_makes_a_page(tmp_path: Path) -> None:
    made = make_run(3, rubric=False)
    made.scores = []
    made.dimensions = {}
    text = render(made.write(tmp_path / "empty")).read_text(encoding="utf-8")
    assert "Nothing was scored that could carry a finding" in text


def test_a_run_without_a_summary_is_one_clear_line(run_dir: Path, tmp_path: Path) -> None:
    (tmp_path / "manifest.json").write_bytes((run_dir / "manifest.json").read_bytes())
    with pytest.raises(StoreError, match=r"summary\.json: missing"):
        render(tmp_path)


def test_packed_data_holds_no_markup() -> None:
    assert re.fullmatch(r"[A-Za-z0-9+/=]+", explorer.pack({"x": "</script>" * 50}))
