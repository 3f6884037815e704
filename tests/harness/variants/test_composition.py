"""Compositions: each step passes the gate by itself and leaves earlier changes alone."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from harness.records import Edit, Message, Sample, Variant
from harness.text.edits import apply_edits
from harness.text.parse import Span, Text
from harness.variants.expand import Kind, expand, make_kind
from harness.variants.gate import Gate

OPEN = Gate(similarity=False)


def swaps(old: str, new: str) -> Callable[[Text, random.Random], str | None]:
    def swap(text: Text, rng: random.Random) -> str | None:
        return text.raw.replace(old, new) if old in text.raw else None

    return swap


class InTurn:
    """Two plain functions in turn."""

    def __init__(self, *steps: Callable[[Text, random.Random], str | None]) -> None:
        self.steps = [Kind(f"step{i}", "medium", step, f"{i}") for i, step in enumerate(steps)]

    def __call__(self, text: Text, rng: random.Random) -> str | None:
        raise AssertionError("the harness takes the steps itself")


def composed(raw: str, *steps: Callable[[Text, random.Random], str | None]) -> Variant:
    sample = Sample(id="s", messages=(Message(role="user", content=raw),))
    kind = Kind("both", "medium", InTurn(*steps), "f")
    return list(expand([sample], [kind], seed=1, variants_per_prompt=0, gate=OPEN))[1]


RAW = "We keep the small boat in the shed. The tall ladder stands outside all year."


def test_steps_work_one_after_the_other() -> None:
    variant = composed(RAW, swaps("small", "little"), swaps("tall", "high"))
    assert variant.status == "valid"
    assert variant.prompt == RAW.replace("small", "little").replace("tall", "high")
    assert apply_edits(RAW, variant.edits) == variant.prompt


@pytest.mark.parametrize("second", [("little", "tiny"), ("boat", "canoe"), ("keep", "store")])
def test_a_step_leaves_earlier_changes_and_their_neighbours_alone(second: tuple[str, str]) -> None:
    variant = composed(RAW, swaps("small", "little"), swaps(*second))
    assert variant.status == "rejected"
    assert "apart" in (variant.reason or "")


def test_every_step_passes_the_gate_by_itself() -> None:
    # The second step undoes what the first has lost: the whole would pass.
    loses, restores = swaps(" not", ""), swaps("I do", "I do not")
    variant = composed("I do not swim in the lake.", loses, restores)
    assert variant.status == "rejected"
    assert "negations" in (variant.reason or "")


def test_one_step_alone_is_no_composition() -> None:
    variant = composed(RAW, swaps("small", "little"), swaps("absent", "there"))
    assert variant.status == "inapplicable"


def test_an_edited_text_remembers_zones_and_danger() -> None:
    text = Text("I am cold. I want to kill myself tonight. The boat is small.")
    start = text.raw.index("small")
    after = text.after(
        [Edit(start=start, end=start + 5, text="tiny")], [Span(start - 3, start + 5)]
    )
    assert [after.raw[s:e] for s, e in after.edited] == ["is tiny"]
    assert text.danger == (Span(0, len(text.raw)),)
    assert after.danger == (Span(0, len(after.raw)),)
    assert after.is_protected(start, start + 4)


def test_steps_are_lighter_than_the_whole() -> None:
    assert [k.severity for k in _steps("medium")] == ["light", "light"]
    assert [k.severity for k in _steps("heavy")] == ["medium", "medium"]


def _steps(severity: str) -> list[Kind]:
    kind = make_kind("compose", {"steps": ["synonym", "typo"], "severity": severity})
    steps: list[Kind] = kind.plugin.steps  # type: ignore[attr-defined]
    return steps
