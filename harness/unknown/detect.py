"""Three ways to find a refusal: by phrases, by similarity to them, by a judge.

A detector takes an answer and the invented names that the prompt held, and says whether the answer
refuses; for the comparison a name is put as "it". A judge has been asked already: its scores are
read from the run (``rubric: refusal``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from harness import embedding
from judges.refusals import (
    MIN_WORDS,
    SENTENCES,
    SHIPPED,
    SHORT,
    SIMILARITY,
    Refusals,
    plain,
    read_phrases,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from harness.audit.similar import Embed

Detector: TypeAlias = Callable[[str, Sequence[str]], bool]

_BREAK = re.compile(r"(?<=[.!?])\s+|\n+")


def shipped_lists() -> tuple[Path, ...]:
    """The general list of refusals, and how an answer says that it does not know a name."""
    return SHIPPED, Path(str(files("harness.unknown") / "refusals.txt"))


class ByPhrases:
    """The answer opens with a phrase of a list, see ``judges.refusals``.

    Args:
        lists: Files with one phrase a line; the shipped ones by default.
    """

    def __init__(self, lists: Sequence[str | Path] = ()) -> None:
        self._lists = [Refusals(path, similarity=None) for path in lists or shipped_lists()]

    def __call__(self, answer: str, names: Sequence[str] = ()) -> bool:
        """Whether the answer refuses."""
        text = _without(names, answer)
        return any(phrases.found(text) is not None for phrases in self._lists)


class BySimilarity:
    """A short answer, one of whose first sentences lies near a phrase of the lists.

    Args:
        lists: Files with one phrase a line; the shipped ones by default.
        threshold: Cosine of MiniLM embeddings from which it refuses.
        embed: Texts to unit vectors; the process-wide MiniLM by default.
    """

    def __init__(
        self,
        lists: Sequence[str | Path] = (),
        threshold: float = SIMILARITY,
        embed: Embed | None = None,
    ) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must lie in (0, 1], not {threshold}")
        phrases = [phrase for path in lists or shipped_lists() for phrase in read_phrases(path)]
        self._phrases = [phrase for phrase in phrases if len(phrase.split()) >= MIN_WORDS]
        self._threshold = threshold
        self._embed = embed or embedding.embed

    @cached_property
    def _vectors(self) -> NDArray[np.float32]:
        return self._embed(self._phrases)

    def __call__(self, answer: str, names: Sequence[str] = ()) -> bool:
        """Whether the answer refuses."""
        text = _without(names, answer).strip()
        opening = [sentence for part in _BREAK.split(text) if (sentence := plain(part))][:SENTENCES]
        if not opening or not self._phrases or len(text.split()) > SHORT:
            return False
        cosines = (self._embed(opening) @ self._vectors.T).round(6)
        return bool(cosines.max() >= self._threshold)


def detectors(lists: Sequence[str | Path] = (), *, similarity: bool = True) -> dict[str, Detector]:
    """The detectors that need no judge, by name.

    Args:
        lists: Files with one phrase a line; the shipped ones by default.
        similarity: Also the one that needs the embedding model.
    """
    found: dict[str, Detector] = {"phrases": ByPhrases(lists)}
    if similarity:
        found["similarity"] = BySimilarity(lists)
    return found


def _without(names: Sequence[str], answer: str) -> str:
    for name in sorted(names, key=len, reverse=True):
        answer = re.sub(rf"`?\b{re.escape(name)}\b(?:\(\))?`?", "it", answer, flags=re.IGNORECASE)
    return answer
