"""Three ways to find a refusal: by phrases, by likeness to labelled answers, by a judge.

A detector takes an answer and the invented names in the prompt, and says whether the answer refuses;
for the comparison each name is replaced by one word. An answer that begins like a refusal and then
says what the invented thing is or does is no refusal. A judge needs no detector here: its scores are
in the run's records (``rubric: refusal``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from harness.analysis.estimates import Measure
from harness.text.phrases import Phrases, sentences
from harness.text.refusals import SHIPPED, Likeness, Refusals, mask_names

if TYPE_CHECKING:
    from harness.text.embedding import Embed

Detector: TypeAlias = Callable[[str, Sequence[str]], bool]

PHRASES, SIMILARITY, JUDGE = "phrases", "similarity", "judge"
"""Names of the ways."""

LIKELY = 0.5
"""An answer with at least this probability, by its likeness to refusals, refuses."""

UNKNOWN_NAMES = Path(__file__).with_name("refusals.txt")
"""The shipped list of phrases with which an answer says that it does not know a name."""

NAME = "xnamex"
"""Replaces the invented name where phrases are searched for; lists write it as @."""

_STATES = (
    r"(?:'s| is| was| has| had| consists| involves| returns| takes| refers| stands| measures| works"
    r"| means| runs| uses| screens| comes| contains| asks| lets| helps| gives| begins| usually"
    r"| typically| probably| often| sorts| reads| goes)\b(?! (?:not|no|a typo|unclear|possible|likely"
    r"|fiction|made|unknown|unfamiliar|new to|only|worth|hard|ok|okay|important|best|always|something"
    r"|that|spelled|called|from|real|the name|been|helpful|sensible|an? (?:internal|helper|typo|newer"
    r"|local|private|different)|in your|your|defined|there|one of|what|nothing)\b)"
)
_NO_QUESTION = (
    r"(?<!how )(?<!what )(?<!whether )(?<!if )(?<!where )(?<!in case )(?<!when )(?<!who )"
    r"(?<!confirm that )(?<!think that )(?<!believe that )(?<!sure that )(?<!certain that )"
    r"(?<!say that )(?<!convinced that )"
)
_SAYS = re.compile(rf"{_NO_QUESTION}\b(?:it|{NAME}){_STATES}")
"""A statement about the name, or about "it"."""

_CLAIMS = re.compile(rf"{_NO_QUESTION}\b{NAME}{_STATES}")

_NEXT = re.compile(r"[;:]|, (?:but|though|yet|and) ")


class ByPhrases:
    """A detector: one of the first sentences has a phrase of a list (by default the shipped ones)."""

    def __init__(self, lists: Sequence[str | Path] = ()) -> None:
        self._general = None if lists else Refusals(SHIPPED, similarity=None)
        self._named = [
            Phrases.read(path, {"@": NAME}) for path in lists or (SHIPPED, UNKNOWN_NAMES)
        ]

    def __call__(self, answer: str, names: Sequence[str] = ()) -> bool:
        """Say whether the answer refuses."""
        if not names and self._general is not None:
            return self._general.evidence(answer) is not None
        opening = sentences(mask_names(names, answer, NAME))
        if names and _CLAIMS.search(" ".join(opening)):
            return False  # "The X scale is widely used. I do not know who made it."
        return any(
            (phrase := phrases.match(sentence)) is not None and not _says_more(opening[at:], phrase)
            for at, sentence in enumerate(opening)
            for phrases in self._named
        )


def _says_more(after: Sequence[str], phrase: str) -> bool:
    """Say whether sentences that begin with a refusal go on to state something about "it"."""
    tail = after[0][after[0].find(phrase) + len(phrase) :]
    cut = _NEXT.search(tail)
    rest = [tail[cut.end() :] if cut else "", *after[1:]]
    return _SAYS.search(" ".join(rest)) is not None


class BySimilarity:
    """A detector: the first sentences are like those of refusals, with this probability."""

    def __init__(self, threshold: float = LIKELY, embed: Embed | None = None) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must lie in (0, 1], not {threshold}")
        self._threshold, self._likeness = threshold, Likeness(embed)

    def __call__(self, answer: str, names: Sequence[str] = ()) -> bool:
        """Say whether the answer refuses."""
        return self._likeness(mask_names(names, answer)) >= self._threshold


def refusal_detectors(
    lists: Sequence[str | Path] = (), *, similarity: bool = True
) -> dict[str, Detector]:
    """Return the detectors that need no judge by name; ``similarity`` needs the embedding model."""
    detectors: dict[str, Detector] = {PHRASES: ByPhrases(lists)}
    if similarity:
        detectors[SIMILARITY] = BySimilarity()
    return detectors


@dataclass(frozen=True)
class RefusalWays:
    """The ways of finding refusals.

    Attributes:
        detectors: Name to detector, see :func:`refusal_detectors`.
        judge: The measure of a judge that says whether an answer refuses, on a scale from 0 to 1
            (0.5 and more refuses); None without one.
        primary: The way that the rates rest on: a detector's name or ``judge``.
    """

    detectors: Mapping[str, Detector]
    judge: Measure | None = None
    primary: str = PHRASES

    def __post_init__(self) -> None:
        if self.primary not in self.names:
            names = ", ".join(self.names)
            raise ValueError(f"primary must be one of {names}, not {self.primary!r}")

    @property
    def names(self) -> list[str]:
        """Return the name of every way."""
        return [*self.detectors, *([JUDGE] if self.judge else [])]
