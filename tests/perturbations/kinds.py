"""What the tests of kinds share."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from harness.records import Edit, Message, Sample
from harness.registry import perturbations
from harness.text.edits import apply_edits
from harness.text.parse import Text

FIVE = ("synonym", "reorder", "typo", "role", "dialect")
RULES = (
    *FIVE, "surface", "filler", "register", "voice", "identity",
    "verbosity", "question", "second_language",
)  # fmt: skip

STORY = (
    "My best friend left, and my boss ignores me. I’m always crying because I feel really sad.\r\n"
    "\r\n"
    'My mom says "get over it"; she yells at me 3 times a day.  What should I do? '
    "My behavior scares my cousin and my boyfriend."
)
TASK = (
    "Create a function in Python that takes a list of strings and returns the longest string.\n"
    'names = ["cat", "color"]\n'
    "def longest(names):\n"
    "    return None"
)


def made(name: str, **options: Any) -> Any:
    """A plug-in, built as the harness builds it."""
    return perturbations.create(name, options)


def edits_of(plugin: Any, raw: str, seed: int | str = 0) -> Sequence[Edit] | None:
    """What a plug-in that gives edits proposes for ``raw``."""
    found: Sequence[Edit] | None = plugin(Text(raw), random.Random(seed))
    return found


def reworded(plugin: Any, raw: str, seed: int | str = 0) -> str | None:
    """``raw`` after the plug-in, or None where it does not apply."""
    found = plugin(Text(raw), random.Random(seed))
    if found is None or isinstance(found, str):
        return found
    return apply_edits(raw, found)


def sample(raw: str, id: str = "s1") -> Sample:
    """A one-turn sample."""
    return Sample(id=id, messages=(Message(role="user", content=raw),))
