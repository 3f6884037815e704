"""Messages from people who may be in danger, by a word list and by meaning; both over-report.

Which sentences of a prompt no rewording may touch is a narrower question: ``danger_sentences``.

Words alone miss indirect signs ("my family would be better off with the insurance money"), so the
MiniLM embedding of a message is scored, too (``tests/support/fit_weights.py`` makes
the weights).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.text import embedding
from harness.text.embedding import LinearScore
from harness.text.normalise import normalise_prompt

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.text.embedding import Embed

WEIGHTS = Path(__file__).with_name("danger.json")
PIECE = 150
"""Words in one piece: the embedding model ignores the text beyond its window."""

_NEGATED = re.compile(
    r"\b((?:do|ca|wo|did|does|is|was|were|could|should|would|have|has|had|are|ai|must)n)['’]?t\b",
    re.IGNORECASE,
)
_SHORTENED = re.compile(r"['’]")


def danger_sign(text: str) -> str | None:
    """Return the first word or phrase of ``danger.txt`` that is in a message, or None."""
    match = _pattern().search(plain(text))
    return match[0] if match else None


def in_danger(texts: Sequence[str], *, embed: Embed | None = None) -> list[bool]:
    """Say of each message whether it may come from a person in danger.

    It over-reports: about one harmless message in two is flagged, too.
    """
    likely = danger_score(texts, embed) >= _weights().threshold
    return [
        danger_sign(text) is not None or bool(flag)
        for text, flag in zip(texts, likely, strict=True)
    ]


def danger_score(texts: Sequence[str], embed: Embed | None = None) -> NDArray[np.float64]:
    """Compute the log-odds of danger by meaning, shape ``(texts,)``.

    A long text is scored piece by piece, and its highest score counts.
    """
    pieces_by_text = [_pieces(text) for text in texts]
    flat = [piece for pieces in pieces_by_text for piece in pieces]
    if not flat:
        return np.zeros(0)
    scores = _weights()((embed or embedding.embed)(flat))
    ends = np.cumsum([len(pieces) for pieces in pieces_by_text])
    return np.array([part.max() for part in np.split(scores, ends[:-1])])


def _pieces(text: str) -> list[str]:
    words = text.split()
    if len(words) <= PIECE:
        return [text]
    return [" ".join(words[at : at + PIECE]) for at in range(0, len(words), PIECE)]


@cache
def _weights() -> LinearScore:
    return LinearScore.read(WEIGHTS)


def plain(text: str) -> str:
    """Return a text as the lists of signs have it, "don't", "don’t" and "dont" alike: "don t"."""
    apart = _SHORTENED.sub(" ", _NEGATED.sub(r"\1 t", text))
    return normalise_prompt(apart)


@cache
def _pattern() -> re.Pattern[str]:
    lines = Path(__file__).with_name("danger.txt").read_text(encoding="utf-8").splitlines()
    signs = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            words = re.escape(normalise_prompt(line.rstrip("* \t")))
            signs.append(words + (r"\w*" if line.rstrip().endswith("*") else ""))
    return re.compile(rf"\b(?:{'|'.join(signs)})\b")
