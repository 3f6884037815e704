"""``jostle perturb``: kinds with their options on the command line, and what goes wrong with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli.perturb import kind_specs
from harness.errors import ConfigError


def data(folder: Path) -> str:
    turns = ["I feel sad in the evening.", "What can I do about it tomorrow?"]
    messages = [
        {"role": "user", "content": turns[0]},
        {"role": "assistant", "content": "Why?"},
        {"role": "user", "content": turns[1]},
    ]
    path = folder / "data.jsonl"
    path.write_text(json.dumps({"messages": messages}) + "\n")
    return str(path)


def variants(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "out" / "variants.jsonl").read_text().splitlines()
    return [v for v in map(json.loads, lines) if v["perturbation"] != "original"]


@pytest.mark.parametrize(
    ("item", "options"),
    [
        ("synonym", {}),
        ("typo=heavy", {"severity": ["heavy"]}),
        ("typo=light, heavy", {"severity": ["light", "heavy"]}),
        ("compose={steps: [synonym, typo]}", {"steps": ["synonym", "typo"]}),
        ("typo={severity: heavy, rate: 0.2}", {"severity": "heavy", "rate": 0.2}),
    ],
)
def test_a_kind_is_read_with_severities_or_options(item: str, options: dict[str, Any]) -> None:
    (spec,) = kind_specs([item])
    assert (spec.name, spec.options) == (item.partition("=")[0], options)


@pytest.mark.parametrize(
    ("item", "fragment"),
    [
        ("typo=extreme", "severity of 'typo' must be one of light, medium, heavy"),
        ("typo={severity: extreme}", "severity of 'typo' must be one of"),
        ("typo={rate", "quote the whole for the shell: -k 'typo={option: value}'"),
        ("typo=rate: 0.2", "options go in braces"),
        ("typo=", "severity of 'typo' must be one of"),
    ],
)
def test_a_kind_that_cannot_be_read_is_one_line(item: str, fragment: str) -> None:
    with pytest.raises(ConfigError) as caught:
        kind_specs([item])
    assert fragment in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("item", "fragments"),
    [
        (
            "compose",
            ["'compose' needs steps", "- compose: {steps: [synonym, typo]}",
             "-k 'compose={steps: [synonym, typo]}'"],
        ),
        ("nlpaug", ["'nlpaug' needs augmenter", "-k 'nlpaug={augmenter: KeyboardAug}'"]),
        ("paraphrase", ["give model", "-k 'paraphrase={model: NAME, base_url: "]),
        ("typo=extreme", ["'extreme'"]),
        ("compose={steps: [typo]}", ["steps must be a list of two or more kinds"]),
        ("tpyo", ["Did you mean 'typo'?"]),
    ],
)  # fmt: skip
def test_a_kind_that_needs_options_says_how_in_one_line(
    jostle, tmp_path: Path, item: str, fragments: list[str]
) -> None:
    code, out, err = jostle("perturb", data(tmp_path), "-k", item, "-o", str(tmp_path / "out"))
    assert (code, out) == (2, "")
    assert err.startswith("jostle: error: ")
    assert err.count("\n") == 1
    assert all(fragment in err for fragment in fragments)


def test_the_examples_that_are_shown_can_be_used() -> None:
    from harness.pipeline.assemble import build_kinds
    from harness.registry import perturbations
    from harness.variants.kinds import perturbation_traits_of

    examples = {
        name: perturbation_traits_of(perturbations.get(name)).example
        for name in perturbations.names()
    }
    assert {"compose", "nlpaug", "paraphrase"} <= {n for n, example in examples.items() if example}
    for name, example in examples.items():
        specs = kind_specs([f"{name}={example}" if example else name])
        if name != "nlpaug":  # its package may be absent
            assert build_kinds(specs)


def test_one_kind_twice_is_refused(jostle, tmp_path: Path) -> None:
    arguments = ("-k", "typo", "-k", "typo={rate: 0.2}", "-o", str(tmp_path / "out"))
    code, _, err = jostle("perturb", data(tmp_path), *arguments)
    assert code == 2
    assert "'typo' is named 2 times at severity medium" in err


def test_turns_all_rewords_every_user_turn(jostle, tmp_path: Path) -> None:
    arguments = ("perturb", data(tmp_path), "-k", "typo", "--no-similarity", "-o")
    assert jostle(*arguments, str(tmp_path / "out"))[0] == 0
    assert [v["earlier_edits"] for v in variants(tmp_path)] == [{}]
    assert jostle(*arguments, str(tmp_path / "out"), "--turns", "all")[0] == 0
    (variant,) = variants(tmp_path)
    assert variant["edits"]
    assert variant["earlier_edits"]["0"]
    assert "user, turn 1" in (tmp_path / "out" / "variants.html").read_text()


def test_prompts_in_danger_are_counted(jostle, tmp_path: Path) -> None:
    texts = ["I want to kill myself.", "My cat is hungry and I like to feed her."]
    path = tmp_path / "danger.jsonl"
    path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts))
    arguments = ("-k", "typo", "--no-similarity", "-o", str(tmp_path / "out"))
    code, out, _ = jostle("perturb", str(path), *arguments)
    assert code == 0
    assert "1 prompts hold a sentence of danger, which few kinds touch" in out
    assert any((v["reason"] or "").startswith("danger:") for v in variants(tmp_path))
