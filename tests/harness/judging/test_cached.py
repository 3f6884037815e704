"""Verdicts kept by content: whose they are, also where several plug-ins share a file and a version."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from harness.config import JudgesFile
from harness.errors import PluginError
from harness.judging.cached import Cached
from harness.pipeline.assemble import NamedJudge, build_judges
from harness.pipeline.cache import Cache
from harness.pipeline.store import Run
from harness.records import Dimension, JudgeItem, Judgement, Score
from harness.registry import judges, load_plugin_file
from judges.panel import Panel
from tests.pipeline import make_suite, run_suite, write_data

PLUGINS = """
from harness.registry import judge
from harness.records import Dimension, Judgement

class Base:
    version = "1"
    dimensions = (Dimension(name="good", low=0, high=1),)
    def grade(self, items):
        for index, _ in enumerate(items):
            yield Judgement(item=index, dimension="good", value=self.value)

@judge("kept_low")
class Low(Base):
    value = 0.0

@judge("kept_any")
class Any(Base):
    def __init__(self, value=1.0):
        self.value = value
"""
ITEM = JudgeItem(question="q", answer="a", seed=1)


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file of two judges with one version, registered for this test."""
    judges.names()
    monkeypatch.setattr(judges, "_targets", dict(judges._targets))
    path = tmp_path / "plugins.py"
    path.write_text(PLUGINS, encoding="utf-8")
    load_plugin_file(path)
    return path


def built(*entries: Any) -> list[NamedJudge]:
    return build_judges(JudgesFile.model_validate({"judges": list(entries)}).judges)


def told(root: Path) -> dict[str, set[float | None]]:
    found: dict[str, set[float | None]] = {}
    for score in Run.open(root).read(Score):
        if score.dimension == "good":
            found.setdefault(score.judge, set()).add(score.value)
    return found


def test_judges_of_one_file_do_not_get_each_others_scores(tmp_path: Path, plugins: Path) -> None:
    write_data(tmp_path)
    half = {"kept_any": {"name": "half", "value": 0.5}}
    panel = {"panel": {"judges": ["kept_low", "kept_any"]}}
    entries = ["kept_low", "kept_any", half, panel]
    run_suite(tmp_path / "run", make_suite(tmp_path, judges=entries))
    assert told(tmp_path / "run") == {
        "kept_low": {0.0},
        "kept_any": {1.0},
        "half": {0.5},
        "panel": {0.5},
    }


def test_nor_each_others_kept_verdicts(tmp_path: Path, plugins: Path) -> None:
    store = Cache(tmp_path / "kept.sqlite")
    listed = built("kept_low", "kept_any", {"kept_any": {"name": "x", "value": 0.5}})
    for _ in range(2):
        values = [
            [j.value for j in Cached(one.judge, store, one.source).grade([ITEM])] for one in listed
        ]
        assert values == [[0.0], [1.0], [0.5]]


def test_a_panel_knows_its_members_code(tmp_path: Path, plugins: Path) -> None:
    store = Cache(tmp_path / "kept.sqlite")

    def made(*names: str) -> Panel:
        panel = Panel(list(names))
        panel.keep_in(lambda _: store)
        return panel

    before = made("kept_low", "kept_any")
    assert [j.value for j in before.grade([ITEM])] == [0.5, 1.0]
    judges.register("kept_third")(judges.get("kept_any"))
    # The same versions under other names are another panel.
    assert made("kept_low", "kept_third").version != before.version
    asked: Counter[str] = Counter()
    plain = judges.get("kept_low").grade

    def counted(self: Any, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        asked["kept_low"] += 1
        yield from plain(self, items)

    judges.get("kept_low").grade = counted
    list(made("kept_low", "kept_any").grade([ITEM]))
    assert asked["kept_low"] == 0
    plugins.write_text(PLUGINS + "# edited\n", encoding="utf-8")
    after = made("kept_low", "kept_any")
    assert after.version != before.version
    list(after.grade([ITEM]))
    assert asked["kept_low"] == 1


def test_our_own_judges_keys_hold_no_code() -> None:
    """They say a version instead: a release throws no paid judgement away."""
    rubric = {"rubric": "counseling", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    members = [{"rubric": rubric}, {"rubric": {**rubric, "model": "n"}}]
    assert [one.source for one in built("rouge_l", {"panel": {"judges": members}})] == ["", ""]


def test_a_judge_is_no_panel_with_itself(plugins: Path) -> None:
    rubric = {"rubric": "counseling", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
    same = [{"rubric": {**rubric, "name": "a"}}, {"rubric": {**rubric, "name": "b"}}]
    with pytest.raises(PluginError, match=r"'a' and 'b' of the panel are the same.*repeats: 2"):
        Panel(same)
    reworded = Panel([{"rubric": rubric}, {"rubric": {**rubric, "temperature": 0.0}}])
    with pytest.raises(PluginError, match=r"'1 rubric' and '2 rubric' of the panel are the same"):
        _ = reworded.version
    other = Panel([{"rubric": rubric}, {"rubric": {**rubric, "model": "n"}}])
    assert other.version.startswith("panel of 2")


class Partly:
    """Grades empathy of everything, and consistency only where the first answer is shown."""

    version = "1"
    dimensions = (
        Dimension(name="empathy", low=1, high=5),
        Dimension(name="consistency", low=1, high=5, needs=("original_answer",)),
    )

    def __init__(self) -> None:
        self.asked = 0

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        for index, item in enumerate(items):
            self.asked += 1
            yield Judgement(item=index, dimension="empathy", value=3)
            if item.original_answer is not None:
                yield Judgement(item=index, dimension="consistency", value=4)


def test_where_a_dimension_has_nothing_to_grade_it_is_not_asked_again(tmp_path: Path) -> None:
    judge, store = Partly(), Cache(tmp_path / "kept.sqlite")
    items = [
        JudgeItem(question="q", answer=str(n), original_question="oq", seed=1) for n in range(3)
    ]
    items.append(items[0].model_copy(update={"original_answer": "oa"}))
    for _ in range(3):
        got = [(j.item, j.dimension) for j in Cached(judge, store).grade(items)]
        assert sorted(got) == [(n, "empathy") for n in range(3)] + [
            (3, "consistency"),
            (3, "empathy"),
        ]
        assert judge.asked == 4


def test_what_failed_is_asked_again(tmp_path: Path) -> None:
    """Nothing said of an item at all is no sign that there is nothing to grade."""

    class Mute(Partly):
        def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
            self.asked += len(items)
            return iter(())

    judge, store = Mute(), Cache(tmp_path / "kept.sqlite")
    for _ in range(2):
        assert list(Cached(judge, store).grade([ITEM])) == []
    assert judge.asked == 2
