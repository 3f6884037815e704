"""Prompts that veil a wish to die, a farewell or violence, by the meaning of the whole message.

Signs in single sentences (``danger_sentences``) see what is said; what is hinted at shows only in
the message. Its MiniLM embedding is scored by a fit to veiled statements and to harmless ones that
resemble them (``tests/support/fit_weights.py meaning``). Only personal messages are embedded.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from harness.text import embedding
from harness.text.danger_sentences import SIGNS, VERSION, flag_sentences
from harness.text.embedding import LinearScore
from harness.util.digest import digest

WEIGHTS = Path(__file__).with_name("danger_meaning.json")

PIECE = 4
"""Sentences up to which a flagged message stays as it is; of a longer one its worst stay."""

WORST = 2
"""Sentences of a longer flagged message that count as danger, beside those with a sign."""

FEWEST_WORDS = 6
"""Words that a message must have: of fewer, the embedding tells little."""

_PERSON = re.compile(r"\b(?:i|im|ive|me|my)\b", re.IGNORECASE)
_TASK = re.compile(
    r"```|\b(?:function|code|python|java|javascript|sql|html|css|api|array|string|vue|regex|lyrics|poem|screenplay|roleplay)\b"
    r"|^\W*(?:please )?(?:(?:can|could) you )?(?:create|write|compose|generate|rewrite|translate|list|explain"
    r"|summari[sz]e|describe|imagine|using|given|implement|design|provide|act as|suggest|edit"
    r"|(?:give|make|show|tell) me (?:an?|some|the)|calculate|solve|classify|identify)\b",
    re.IGNORECASE,
)
_LONGEST = 4000


def fingerprint() -> str:
    """Return the digest of what decides which sentences are of danger: signs and weights."""
    return digest([VERSION, SIGNS.read_text(encoding="utf-8"), WEIGHTS.read_text(encoding="utf-8")])


def personal(raw: str) -> bool:
    """Return whether somebody speaks of themselves, in some words, and sets no task."""
    enough = len(raw.split(None, FEWEST_WORDS)) >= FEWEST_WORDS
    return enough and bool(_PERSON.search(raw[:_LONGEST])) and not _TASK.search(raw[:_LONGEST])


def flag_messages(messages: Sequence[tuple[str, Sequence[str]]]) -> list[tuple[bool, ...]]:
    """Say of each sentence of each message whether it is one of danger.

    Args:
        messages: The raw text and its sentences, each.
    """
    flat = flag_sentences([sentence for _, sentences in messages for sentence in sentences])
    flags: list[list[bool]] = []
    at = 0
    for _, sentences in messages:
        flags.append(flat[at : at + len(sentences)])
        at += len(sentences)
    asked = [i for i, (raw, sentences) in enumerate(messages) if sentences and personal(raw)]
    likely = _score([messages[i][0][:_LONGEST] for i in asked])
    veiled = [i for i, score in zip(asked, likely, strict=True) if score >= _weights().threshold]
    longer = [i for i in veiled if len(messages[i][1]) > PIECE]
    scores = iter(_score([s for i in longer for s in messages[i][1]]))
    for i in veiled:
        sentences = messages[i][1]
        if len(sentences) <= PIECE:
            flags[i] = [True] * len(sentences)
            continue
        by_place = [next(scores) for _ in sentences]
        for worst in sorted(range(len(by_place)), key=lambda n: (-by_place[n], n))[:WORST]:
            flags[i][worst] = True
    return [tuple(each) for each in flags]


def _score(texts: Sequence[str]) -> list[float]:
    if not texts:
        return []
    return [float(score) for score in _weights()(embedding.embed(texts))]


@cache
def _weights() -> LinearScore:
    return LinearScore.read(WEIGHTS)
