"""Fixtures of the judges' tests."""

from __future__ import annotations

import itertools
import json

import pytest

from harness.resources import configs_root


@pytest.fixture(scope="session")
def bundled_answers() -> list[tuple[str, str]]:
    """Pairs of different answers from the bundled sample sets."""
    answers = [
        json.loads(line)["response"]
        for path in sorted(configs_root().glob("data/*/*.jsonl"))
        if path.parent.name in ("counseling", "code")
        for line in path.read_text(encoding="utf-8").splitlines()
    ][:200]
    if len(answers) < 2:
        pytest.skip("the bundled sample sets are not there yet")
    return list(itertools.pairwise(answers))
