"""Three ways to find a refusal: by phrases, by likeness to labelled answers, by a judge.

A detector takes an answer and the invented names that the prompt held, and says whether the answer
refuses; for the comparison a name is put as one word. An answer that begins like a refusal and then says
what the invented thing is or does is none. A judge has been asked already: its scores are read from
the run (``rubric: refusal``).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from harness.text.phrases import Phrases, sentences
from harness.text.refusals import SHIPPED, Likeness, Refusals, mask_names

if TYPE_CHECKING:
    from harness.audit.similar import Embed

Detector: TypeAlias = Callable[[str, Sequence[str]], bool]

LIKELY = 0.5
"""Probability from which an answer refuses by its likeness to refusals."""

NAME = "xnamex"
"""Stands for the invented name where phrases are looked for; lists write it as @."""

_STATES = (
    r"(?:'s| is| was| has| had| consists| involves| returns| takes| refers| stands| measures| works"
    r"| means| runs| uses| screens| comes| contains| asks| lets| helps| gives| begins| usually"
    r"| typically| probably| often| sorts| reads| goes)\b(?! (?:not|no|a typo|unclear|possible|likely"
    r"|fiction|made|unknown|unfamiliar|new to|only|worth|hard|ok|okay|important|best|always|something"
    r"|that|spelled|called|from|real|the name|been|helpful|sensible|an? (?:internal|helper|typo|newer"
    r"|local|private|different)|in your|your|defined|there|one of|what|nothing)\b)"
)
_ASKED = (
    r"(?<!how )(?<!what )(?<!whether )(?<!if )(?<!where )(?<!in case )(?<!when )(?<!who )"
    r"(?<!confirm that )(?<!think that )(?<!believe that )(?<!sure that )(?<!certain that )"
    r"(?<!say that )(?<!convinced that )"
)
_SAYS = re.compile(rf"{_ASKED}\b(?:it|{NAME}){_STATES}")
"""Something is stated of the name, or of "it"."""

_CLAIMS = re.compile(rf"{_ASKED}\b{NAME}{_STATES}")

_NEXT = re.compile(r"[;:]|, (?:but|though|yet|and) ")


def shipped_list() -> Path:
    """How an answer says that it does not know a name."""
    return Path(str(files("harness.unanswerable") / "refusals.txt"))


class ByPhrases:
    """One of an answer's first sentences has a phrase of a list, see ``harness.text.phrases``.

    Args:
        lists: Files with one phrase a line; the shipped ones by default.
    """

    def __init__(self, lists: Sequence[str | Path] = ()) -> None:
        self._general = None if lists else Refusals(SHIPPED, similarity=None)
        self._named = [
            Phrases.read(path, {"@": NAME}) for path in lists or (SHIPPED, shipped_list())
        ]

    def __call__(self, answer: str, names: Sequence[str] = ()) -> bool:
        """Whether the answer refuses."""
        if not names and self._general is not None:
            return self._general.evidence(answer) is not None
        opening = sentences(mask_names(names, answer, NAME))
        if names and _CLAIMS.search(" ".join(opening)):
            return False  # "The X scale is widely used. I do not know who made it."
        for at, sentence in enumerate(opening):
            for phrases in self._named:
                phrase = phrases.match(sentence)
                if phrase is not None and not _says_more(opening[at:], phrase):
                    return True
        return False


def _says_more(after: Sequence[str], phrase: str) -> bool:
    """Whether sentences, the first of which holds a refusal, go on to state something of "it"."""
    tail = after[0][after[0].find(phrase) + len(phrase) :]
    cut = _NEXT.search(tail)
    rest = [tail[cut.end() :] if cut else "", *after[1:]]
    return _SAYS.search(" ".join(rest)) is not None


class BySimilarity:
    """An answer whose first sentences are like those of labelled refusals.

    Args:
        threshold: Probability from which it refuses.
        embed: Texts to unit vectors; the process-wide MiniLM by default.
    """

    def __init__(self, threshold: float = LIKELY, embed: Embed | None = None) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"threshold must lie in (0, 1], not {threshold}")
        self._threshold, self._likeness = threshold, Likeness(embed)

    def __call__(self, answer: str, names: Sequence[str] = ()) -> bool:
        """Whether the answer refuses."""
        return self._likeness(mask_names(names, answer)) >= self._threshold


def detectors(lists: Sequence[str | Path] = (), *, similarity: bool = True) -> dict[str, Detector]:
    """The detectors that need no judge, by name.

    Args:
        lists: Files with one phrase a line; the shipped ones by default.
        similarity: Also the one that needs the embedding model.
    """
    found: dict[str, Detector] = {"phrases": ByPhrases(lists)}
    if similarity:
        found["similarity"] = BySimilarity()
    return found
