"""Is somebody in danger? By a word list and by meaning; both would rather see it where it is not.

Words alone miss what is veiled ("my family would be better off with the insurance money"), so a
message's MiniLM embedding is scored, too (``fit_danger.py`` makes the weights).
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
from harness.text.linear_score import LinearScore
from harness.text.normalise import normalise_prompt
from harness.util.resources import resolve

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from harness.audit.similar import Embed

WEIGHTS = Path(str(files("harness.unanswerable") / "danger.json"))
PIECE = 150
"""Words that the embedding model reads whole; what goes beyond its window it never sees."""

_NEGATED = re.compile(
    r"\b((?:do|ca|wo|did|does|is|was|were|could|should|would|have|has|had|are|ai|must)n)['’]?t\b",
    re.IGNORECASE,
)
_SHORTENED = re.compile(r"['’]")


def danger_sign(text: str, path: str | None = None) -> str | None:
    """The first word or phrase that is a sign of danger in a text, or None.

    Args:
        text: What somebody wrote.
        path: A list of signs, one a line; the shipped one by default.

    Raises:
        DataError: The list cannot be read or is empty.
    """
    found = _pattern(path).search(_plain(text))
    return found[0] if found else None


def in_danger(texts: Sequence[str], *, embed: Embed | None = None) -> list[bool]:
    """Whether each text may come from a person in danger: about one harmless message in two, too.

    Args:
        texts: What people wrote.
        embed: Texts to unit vectors; the process-wide MiniLM by default.
    """
    scores = danger_score(texts, embed)
    least = _weights().threshold
    return [
        danger_sign(text) is not None or bool(score >= least)
        for text, score in zip(texts, scores, strict=True)
    ]


def danger_score(texts: Sequence[str], embed: Embed | None = None) -> NDArray[np.float64]:
    """Log-odds of danger by meaning, shape ``(texts,)``; 0 where it is as likely as not.

    A long text is scored piece by piece, and the piece that sounds most like danger counts.
    """
    pieces = [_pieces(text) for text in texts]
    flat = [piece for own in pieces for piece in own]
    if not flat:
        return np.zeros(0)
    scores = _weights()((embed or embedding.embed)(flat))
    ends = np.cumsum([len(own) for own in pieces])
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
    """Normalised, with "don't", "don’t" and "dont" alike: "don t"."""
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
