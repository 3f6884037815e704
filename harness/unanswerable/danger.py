"""Messages from people who may be in danger, by a word list and by meaning; both over-report.

Words alone miss indirect signs ("my family would be better off with the insurance money"), so the
MiniLM embedding of a message is scored, too (``tests/support/fit_weights.py`` makes
the weights).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import DataError
from harness.text import embedding
from harness.text.embedding import LinearScore
from harness.text.normalise import normalise_prompt
from harness.util.resources import resolve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.text.embedding import Embed

WEIGHTS = Path(str(files("harness.unanswerable") / "danger.json"))
PIECE = 150
"""Words in one piece: the embedding model ignores the text beyond its window."""

_NEGATED = re.compile(
    r"\b((?:do|ca|wo|did|does|is|was|were|could|should|would|have|has|had|are|ai|must)n)['’]?t\b",
    re.IGNORECASE,
)
_SHORTENED = re.compile(r"['’]")


def danger_sign(text: str, path: str | None = None) -> str | None:
    """Return the first word or phrase that is a sign of danger in a text, or None.

    Args:
        text: A message.
        path: A list of signs, one a line; the shipped one by default.

    Raises:
        DataError: The list cannot be read or is empty.
    """
    match = _pattern(path).search(_plain(text))
    return match[0] if match else None


def in_danger(texts: Sequence[str], *, embed: Embed | None = None) -> list[bool]:
    """Say of each text whether it may come from a person in danger.

    It over-reports: about one harmless message in two is flagged, too.

    Args:
        texts: Messages.
        embed: Texts to unit vectors; the process-wide MiniLM by default.
    """
    scores = danger_score(texts, embed)
    least = _weights().threshold
    return [
        danger_sign(text) is not None or bool(score >= least)
        for text, score in zip(texts, scores, strict=True)
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


def _plain(text: str) -> str:
    """Normalise a text, with "don't", "don’t" and "dont" alike: "don t"."""
    apart = _SHORTENED.sub(" ", _NEGATED.sub(r"\1 t", text))
    return normalise_prompt(apart)


@cache
def _pattern(path: str | None) -> re.Pattern[str]:
    source = (
        Path(str(files("harness.unanswerable") / "danger.txt")) if path is None else resolve(path)
    )
    try:
        lines = source.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"danger list {source} cannot be read: {error}") from error
    signs = []
    for line in lines:
        if line.strip() and not line.startswith("#"):
            words = re.escape(normalise_prompt(line.rstrip("* \t")))
            signs.append(words + (r"\w*" if line.rstrip().endswith("*") else ""))
    if not signs:
        raise DataError(f"danger list {source} holds no sign; write one a line")
    return re.compile(rf"\b(?:{'|'.join(signs)})\b")
