"""Scripted worlds whose truth is known, through audit, probes and verdict as a run does them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks.known_worlds import (
    RIGHT_RATE,
    SKEWED,
    World,
    is_right,
    judge_world,
    three_quarters,
    verdict_counts,
    worlds,
)


@pytest.mark.parametrize("world", list(worlds()), ids=lambda world: world.name)
def test_every_world_gets_a_right_verdict(world: World, tmp_path: Path) -> None:
    result = judge_world(world, tmp_path)
    assert is_right(world, result), (
        result.memorisation.verdict,
        result.leaked,
        result.memorisation.reasons,
    )


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("shape", SKEWED)
@pytest.mark.parametrize("n", [20, 50])
def test_exactly_three_quarters_is_seldom_called_learned(n: int, shape: str) -> None:
    trials = 200
    learned = verdict_counts(three_quarters(n, shape), trials)["learned"]
    # Of so many trials at the largest rate that is right, 97.5 % have at most so many.
    assert learned <= RIGHT_RATE * trials + 2 * (RIGHT_RATE * trials) ** 0.5
