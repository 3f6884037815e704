"""Takes an invented name out of an answer, so that what is said of it can be compared."""

from __future__ import annotations

import re
from collections.abc import Sequence

_NOUN = (
    r"(?:function|library|method|scale|name|term|technique|programme|program|questionnaire|model"
    r"|approach|package|framework|argument|parameter|option|flag|syndrome|condition|test|module"
    r"|command|attribute|class|inventory|exercise|protocol|measure|instrument|setting|hook|diagnosis"
    r"|disorder|system|tool|term|thing|one)"
)


def without(names: Sequence[str], answer: str, by: str = "it") -> str:
    """An answer with the invented names, their articles and nouns, put as another word.

    Args:
        names: The invented names.
        answer: The answer.
        by: That word.
    """
    for name in sorted(names, key=len, reverse=True):
        marked = rf"[`'\"“‘]*\b{re.escape(name)}(?!\w)(?:\(\))?[`'\"”’]*"
        answer = re.sub(
            rf"(?:\b(?:the|a|an|any|this|that|such an?)\s+)?(?:\b(?:name|term)\s+)?{marked}"
            rf"(?:\s+{_NOUN}\b)?",
            by,
            answer,
            flags=re.IGNORECASE,
        )
    return (
        re.sub(rf"\b(?:that|this|such an?)\s+{_NOUN}\b", by, answer, flags=re.IGNORECASE)
        if names
        else answer
    )
