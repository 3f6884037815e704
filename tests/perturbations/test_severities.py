"""Severities mean something: on the same prompts, light changes less than medium, medium than heavy."""

from __future__ import annotations

import random

import pytest

from harness.text.edits import apply_edits, find_edits
from harness.text.parse import parse
from tests.perturbations.kinds import made

PROMPTS = (
    "I don't know how to repair my bike. The chain is really rusty, and I can't turn the pedals "
    "because something is stuck. My brother won't help me. I feel so tired of it. What should I do?",
    "My sister moved to Madrid last week. We're close, and I miss her with my whole heart. I want to "
    "visit her, but I haven't got the money right now. How do I save for a trip?",
    "I've been learning the violin for years. My teacher says I'm good, but I don't believe it. I "
    "think your advice could help. Should I look for another teacher?",
    "Explain how a bakery keeps its bread fresh. I don't need numbers, but please tell me what you "
    "would do with the old bread.",
    "My landlord doesn't answer my letters. It is cold in our flat, and the heating isn't working. I "
    "am so angry about it. What can I do about this?",
    "I didn't get the job. I was there too early, and they didn't like it, I think. I don't know what "
    "to say to my parents. How should I tell them?",
)


def amount_of(kind: str, severity: str) -> float:
    """The mean number of places that change."""
    plugin = made(kind, severity=severity)
    total = count = 0
    for text in parse(PROMPTS):
        for seed in range(6):
            edits = plugin(text, random.Random(seed))
            total += len(find_edits(text.raw, apply_edits(text.raw, edits or ())))
            count += 1
    return total / count


@pytest.mark.parametrize("kind", ["typo", "surface", "filler", "register", "voice"])
def test_light_changes_less_than_medium_and_medium_than_heavy(kind: str) -> None:
    light, medium, heavy = (amount_of(kind, s) for s in ("light", "medium", "heavy"))
    assert 0 < light < medium < heavy, (light, medium, heavy)
