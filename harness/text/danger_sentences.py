"""Sentences that speak of suicide, self-harm, violence in progress or a farewell.

Signs (``danger_signs.txt``) find the plain ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from harness.text.danger import plain

if TYPE_CHECKING:
    from harness.text.embedding import Embed

VERSION = "1"
"""To be raised whenever another sentence may be flagged: variants are then made again."""

SIGNS = Path(__file__).with_name("danger_signs.txt")


def flag_sentences(sentences: Sequence[str], *, embed: Embed | None = None) -> list[bool]:
    """Say of each sentence whether it is a statement of danger, each on its own.

    Args:
        sentences: Sentences as they stand in a prompt.
        embed: Texts to unit vectors; the process-wide MiniLM by default.
    """
    return [sentence_sign(sentence) is not None for sentence in sentences]


def sentence_sign(sentence: str) -> str | None:
    """Return the first sign of ``danger_signs.txt`` in a sentence, or None."""
    harmless, signs = _patterns()
    match = signs.search(harmless.sub(" ", plain(sentence)))
    return match[0] if match else None


@cache
def _patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    """Return the harmless turns of phrase and the signs, each as one pattern."""
    sections: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in SIGNS.read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            lines = sections.setdefault(line.strip("[] "), [])
        elif line.strip() and not line.startswith("#"):
            lines.append(line)
    return _union(sections["harmless"]), _union(sections["signs"])


def _union(lines: Iterable[str]) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{'|'.join(map(_regex, lines))})")


def _regex(line: str) -> str:
    """Translate one line of the list of signs."""
    return "".join(_slot(slot) for slot in re.findall(r"\(\.\.\d*\)|\([^)]*\)|\S+", line))


def _slot(slot: str) -> str:
    """Translate one place of a sign, with the space behind it."""
    if gap := re.fullmatch(r"\(?\.\.(\d*)\)?", slot):
        return rf"(?:\w+ ){{0,{gap[1] or 4}}}"
    words = "|".join(
        re.escape(word.rstrip("*").replace("_", " ")) + (r"\w*" if word.endswith("*") else "")
        for word in slot.strip("()").split("/")
    )
    return rf"(?:(?:{words})(?: |$))" + ("?" if slot.startswith("(") else "")
