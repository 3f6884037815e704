"""Comparing runs: on shared prompts by content, refused where things differ, saying what."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.analysis import ALL, ComparedRun, merge
from harness.errors import DataError, StoreError
from reports.compare import compare
from tests.synthetic import Synthetic, World, make_run


def run(prompts: int = 24, gain: float = 0.1, **more: Any) -> Synthetic:
    return make_run(prompts, world=World(gain={"base": 0.0, "tuned": gain}), rubric=False, **more)


def records(made: Synthetic, name: str) -> ComparedRun:
    return ComparedRun(name, made.records(), made.judges())


def test_compares_on_the_shared_prompts(tmp_path: Path) -> None:
    first = run(24).write(tmp_path / "first")
    second = run(16, 0.2, noise=1).write(tmp_path / "second")
    page = compare([first, second], tmp_path / "both")
    summary = json.loads((tmp_path / "both" / "summary.json").read_text())
    assert summary["subjects"] == ["first: base", "first: tuned", "second: base", "second: tuned"]
    assert summary["baseline"] == "first: base"
    assert summary["prompts"] == 16
    gains = {
        c["subject"]: c["gain_variants"]
        for c in summary["contrasts"]
        if (c["dimension"], c["kind"]) == ("closeness", ALL)
    }
    # The bases answered alike in truth; their difference is tested on the very same variants.
    assert gains["second: base"]["low"] < 0 < gains["second: base"]["high"]
    assert gains["second: tuned"]["mean"] > gains["first: tuned"]["mean"] > 0
    pairs = {
        (p["subject"], p["against"]): p for p in summary["pairs"] if p["dimension"] == "closeness"
    }
    against = pairs["first: tuned", "second: tuned"]["gain_variants"]
    assert against["high"] < 0
    assert against["p_holm"] <= 0.05
    text = page.read_text(encoding="utf-8")
    assert "Compared subjects against each other" in text
    assert "compared on 16 prompts that all runs share" in text


def test_a_paired_comparison_is_not_the_difference_of_two_means() -> None:
    merged = merge([records(run(24), "a"), records(run(24, 0.3, noise=1), "b")])
    summary = merged.summary(seed=1, resamples=500)
    pair = next(p for p in summary.pairs if (p.subject, p.against) == ("a: tuned", "b: tuned"))
    level = next(
        c.variants
        for c in summary.cells
        if (c.subject, c.dimension, c.kind) == ("a: tuned", "closeness", ALL)
    )
    assert pair.gain_variants is not None
    assert pair.gain_variants.se is not None
    assert level is not None
    assert level.se is not None
    assert pair.gain_variants.se < 0.6 * level.se


def test_baseline_can_be_chosen() -> None:
    merged = merge([records(run(), "a"), records(run(), "b")], baseline="b: tuned")
    assert merged.records.baseline == "b: tuned"
    with pytest.raises(DataError, match="baseline 'c' is none of the subjects"):
        merge([records(run(), "a"), records(run(), "b")], baseline="c")


def test_ids_do_not_matter_contents_do() -> None:
    one, two = run(), run()
    rename = {s.id: f"other-{i}" for i, s in enumerate(two.samples)}
    for name in ("variants", "generations", "scores"):
        records_ = getattr(two, name)
        setattr(
            two, name, [r.model_copy(update={"sample_id": rename[r.sample_id]}) for r in records_]
        )
    two.samples = [s.model_copy(update={"id": rename[s.id]}) for s in two.samples]
    merged = merge([records(one, "a"), records(two, "b")])
    assert {g.sample_id for g in merged.records.generations} == {s.id for s in one.samples}
    assert len(list(merged.records.scores)) == len(one.scores) + len(two.scores)


def test_too_few_shared_prompts_are_refused() -> None:
    with pytest.raises(DataError, match=r"share 0 prompts \(a has 24, b has 24\), at least 10"):
        merge([records(run(), "a"), records(run(seed=9), "b")])


def test_other_variants_are_refused_and_named() -> None:
    two = run()
    place = next(i for i, v in enumerate(two.variants) if v.perturbation == "typo")
    changed = two.variants[place]
    text = (changed.messages[0].model_copy(update={"content": "something else"}),)
    two.variants[place] = changed.model_copy(update={"messages": text})
    with pytest.raises(
        DataError, match=r"variants of 1 of 24 shared prompts differ.*1 of kind 'typo'"
    ):
        merge([records(run(), "a"), records(two, "b")])


def test_a_missing_kind_is_refused() -> None:
    with pytest.raises(DataError, match="of kind 'role'"):
        merge([records(run(), "a"), records(run(kinds=("typo",)), "b")])


def test_other_judge_versions_are_refused_and_named() -> None:
    two = run()
    two.scores = [
        s.model_copy(update={"version": "2"}) if s.judge == "semantic" else s for s in two.scores
    ]
    with pytest.raises(DataError, match=r"versions of judge 'semantic' \(a has 1, b has 2\)"):
        merge([records(run(), "a"), records(two, "b")])


def test_other_scales_are_refused() -> None:
    two = run()
    two.dimensions = two.dimensions | {
        "rouge_l": [two.dimensions["rouge_l"][0].model_copy(update={"high": 100})]
    }
    with pytest.raises(DataError, match="scales of judge 'rouge_l'"):
        merge([records(run(), "a"), records(two, "b")])


def test_other_references_are_refused() -> None:
    two = run()
    two.samples[0] = two.samples[0].model_copy(update={"reference": "another"})
    with pytest.raises(DataError, match="reference answers of 1 of 24"):
        merge([records(run(), "a"), records(two, "b")])


def test_a_judge_of_one_run_only_is_left_out_and_told() -> None:
    two = run()
    two.dimensions = {k: v for k, v in two.dimensions.items() if k != "semantic"}
    merged = merge([records(run(), "a"), records(two, "b")])
    assert "semantic" not in {judge.label for judge in merged.judges}
    assert any("only a has judge semantic" in note for note in merged.notes)
    two.dimensions = {}
    with pytest.raises(DataError, match="share no judge"):
        merge([records(run(), "a"), records(two, "b")])


def test_a_comparison_never_overwrites_a_run(tmp_path: Path) -> None:
    first, second = (run().write(tmp_path / name) for name in ("a", "b"))
    with pytest.raises(StoreError, match="holds a run"):
        compare([first, second], first)
    with pytest.raises(DataError, match="named twice"):
        compare([first, first], tmp_path / "out")
    with pytest.raises(DataError, match="two runs or more"):
        merge([records(run(), "a")])
