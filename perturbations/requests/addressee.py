"""Who is meant by "you" and "I" in a request and in the frame around it."""

from __future__ import annotations

import re

from harness.text.parse import Text
from perturbations.reordering.moves import Sentence


def stands_out(text: Text, sentence: Sentence, words: str) -> bool:
    """Return whether a small "i" at the start of new words would be the only one in a prompt."""
    return (
        words.startswith("i ")
        and not text.raw[sentence.start : sentence.end].startswith("i ")
        and bool(re.search(r"(?:^|[.?!]\s+)[A-Z]|\bI\b", text.raw))
    )


_ANSWERER = re.compile(
    r"(?:what|which|how|whether|if|who|where)\b(?: \w+){0,3}? (?:you|u) (?:would|could|can|will|might|may)?"
    r" ?(?:think|recommend|suggest|advise|prefer|propose|like|know|choose|say|feel|consider|rate|describe|are|have)\b"
)


def names_anybody(clause: str) -> bool:
    """Return whether "you" in an embedded question is anybody, and not who is asked.

    "Could you tell me how you should treat it" would mean two persons by one word.
    """
    return bool(re.search(r"\b(?:you|u|your|ur|yourself)\b", clause)) and not _ANSWERER.match(
        clause
    )
