"""Whether a prompt is written casually, so that stiff words would stand out in it."""

from __future__ import annotations

import re
from functools import cache

from harness.text.parse import Text
from perturbations.common import lexicon_lines


def is_casual(text: Text) -> bool:
    """Return whether a prompt has marks of casual writing: small starts, slang, doubled signs."""
    return bool(_marks().search(text.raw))


@cache
def _marks() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{line})" for line in lexicon_lines("casual_marks.txt")))
