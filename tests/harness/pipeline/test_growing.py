"""A run that grows look by look on a scripted model: nested prompts, counted looks, a stopping rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from array_run import array_summary

from harness.analysis.looks import LookBook
from harness.errors import ConfigError, StoreError
from harness.pipeline.growing import StoppingRule, growing_suites
from harness.pipeline.store import Run
from harness.records import Dimension, Generation, Sample
from tests.pipeline import make_suite, run_suite, scripted, write_data

THINGS = ("rent", "exam", "garden", "wedding", "fever", "letter", "car", "dog")
PROMPTS = [
    f"My {person} worries about the {thing}. What should I say to them about it tonight?"
    for person in ("sister", "manager", "neighbour")
    for thing in THINGS
]
QUALITY = Dimension(name="quality", low=0, high=10)


def test_looks_add_prompts_and_ask_none_again(tmp_path: Path) -> None:
    write_data(tmp_path, PROMPTS)
    suite = make_suite(tmp_path, suite={"looks": 3}, data={"limit": 24})
    root, seen = tmp_path / "run", list[set[str]]()
    run = Run(root)
    for number, one in enumerate(growing_suites(suite, LookBook()), start=1):
        model = scripted()
        run_suite(root, one, model, cache=tmp_path / "cache.sqlite")
        seen.append({sample.id for sample in run.read(Sample)})
        assert len(seen[-1]) == 8 * number
        summary = run.summary()
        assert [look.prompts for look in summary.looks] == [8, 16, 24][:number]
        assert f"Look {number} of 3 declared looks" in summary.finding.cautions[0]
    assert seen[0] < seen[1] < seen[2]
    # The same suite again sees nothing new, and a finished run starts at its last look.
    run_suite(root, suite)
    assert len(run.looks().looks) == 3
    assert [one.data.limit for one in growing_suites(suite, run.looks())] == [24]
    half = LookBook(looks=run.looks().looks[:2])
    assert [one.data.limit for one in growing_suites(suite, half)] == [16, 24]
    answers = [g for g in run.read(Generation) if g.perturbation == "original"]
    assert len(answers) == 2 * 24


def test_undeclared_growth_is_said_first(tmp_path: Path) -> None:
    write_data(tmp_path, PROMPTS)
    for limit in (8, 16):
        run_suite(tmp_path / "run", make_suite(tmp_path, data={"limit": limit}))
    cautions = Run(tmp_path / "run").summary().finding.cautions
    assert "look 2 at a growing run (after 8 and 16 prompts), and none was declared" in cautions[0]


def test_a_damaged_book_of_looks_is_one_clear_line(tmp_path: Path) -> None:
    (tmp_path / "looks.json").write_text('{"version": 1, "looks": [{"prompts": "many"}]}')
    with pytest.raises(StoreError, match=r"looks.json: damaged \(looks.0.prompts"):
        Run(tmp_path).looks()
    (tmp_path / "looks.json").write_text("{")
    with pytest.raises(StoreError, match=r"looks.json: damaged \(the file"):
        Run(tmp_path).looks()


@pytest.mark.parametrize(("text", "width"), [("±0.1", 0.1), ("+/-0.25", 0.25), (".5", 0.5)])
def test_a_width_is_read(text: str, width: float) -> None:
    assert StoppingRule.parse(text).width == width
    assert StoppingRule.parse("decided").width is None


@pytest.mark.parametrize("text", ["", "0", "±0", "-0.1", "narrow", "0.1.2"])
def test_other_rules_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match='a width such as "±0'):
        StoppingRule.parse(text)


def test_the_rule_reads_the_leading_measure_of_every_subject() -> None:
    rng = np.random.default_rng(1)
    values = np.clip(5 + rng.normal(0, 0.5, (60, 3, 2)), 0, 10)
    values[:, 1] += 1.0
    subjects = ("base", "one", "two")
    summary = array_summary({QUALITY: values}, subjects=subjects)
    assert StoppingRule(0.3).met(summary)
    assert not StoppingRule(0.05).met(summary)
    assert not StoppingRule(None).met(summary)  # `two` is no different
    assert StoppingRule(None).met(array_summary({QUALITY: values[:, :2]}))
    assert not StoppingRule(9.0).met(array_summary({QUALITY: values[:, :1]}, subjects=("base",)))


def test_what_until_needs_is_said(tmp_path: Path) -> None:
    write_data(tmp_path, PROMPTS)
    with pytest.raises(ConfigError, match=r"for example suite\.looks=4"):
        list(growing_suites(make_suite(tmp_path, data={"limit": 24}), LookBook()))
    for data in ({}, {"limit": 2}):
        suite = make_suite(tmp_path, suite={"looks": 3}, data=data)
        with pytest.raises(ConfigError, match=r"for example data\.limit=200"):
            list(growing_suites(suite, LookBook()))
