"""Quality of one data set, apart from duplicates."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import combinations

from harness.audit import wording
from harness.audit.corpus import Corpus
from harness.records import Sample
from harness.text.code_spans import largely_code
from harness.text.normalise import normalise_prompt
from harness.util.digest import derived_rng

LANGUAGE_ROWS = 2_000
"""Rows whose language is identified; of more, a seeded draw."""

LABEL_WORDS = 10
"""Up to this length two responses that differ are read as labels that contradict each other."""

LABEL_SIMILARITY = 60.0
PILED_UP = 3
LONG_ANSWER_WORDS = 15

_OPEN_END = re.compile(r"^[a-z][a-z'’-]*$|[,(]$")
_ADDRESS = re.compile(r"(?:https?://|www\.|@|\.(?:com|org|net|edu|gov|html?))\S*$", re.IGNORECASE)
_YES = re.compile(r"^(?:yes|yeah|yep|true|correct)(?:$|[,.;:!])", re.IGNORECASE)
_NO = re.compile(r"^(?:no|nope|false|incorrect)(?:$|[,.;:!])", re.IGNORECASE)


def languages(texts: Sequence[str]) -> dict[str, int]:
    """Count texts by ISO 639 code, most frequent first; ``unknown`` are short, mixed or code."""
    from harness.text.language import language

    rows = list(texts)
    if len(rows) > LANGUAGE_ROWS:
        rows = derived_rng(0, "language").sample(rows, LANGUAGE_ROWS)
    return dict(Counter(language(text) or "unknown" for text in rows).most_common())


def cut_off(response: str) -> str | None:
    """Return the evidence that a response stops before its end, or None.

    A code block that is never closed; or 15 words and more of prose that end in a comma or opening
    bracket, or in a word in small letters. A capital is left alone (signatures, titles), and so are
    short last lines, addresses and text that is largely code.
    """
    text = response.rstrip()
    if text.count("```") % 2:
        return "code block is not closed"
    words = text.split()
    last_line = text.rsplit("\n", 1)[-1]
    if (
        len(words) < LONG_ANSWER_WORDS
        or (len(last_line.split()) < 6 and "\n" in text)
        or largely_code(text)
        or _ADDRESS.search(last_line)
        or not _OPEN_END.search(words[-1])
    ):
        return None
    return f"ends in {text[-30:]!r}"


def cut_at_length(responses: Sequence[str]) -> tuple[int, int]:
    """Return the greatest length in characters, and how many distinct responses have it.

    Three or more are hardly chance: they were cut at a limit.
    """
    lengths = [len(text) for text in dict.fromkeys(responses)]
    longest = max(lengths, default=0)
    count = lengths.count(longest)
    return longest, count if longest >= 100 and count >= PILED_UP else 0


def contradict(a: str, b: str) -> bool:
    """Return whether two responses to one prompt cannot both be right, by their wording.

    One begins with yes and the other with no; or both are labels (ten words at most) that differ in a
    number or a negation, are opposites, or hardly share a letter and are no synonyms.
    """
    if (_YES.match(a) and _NO.match(b)) or (_NO.match(a) and _YES.match(b)):
        return True
    left, right = normalise_prompt(a), normalise_prompt(b)
    if max(len(left.split()), len(right.split())) > LABEL_WORDS:
        return False
    from rapidfuzz import fuzz

    difference = wording.difference(left, right)
    if difference is None:
        return True
    return bool(difference.left or difference.right) and fuzz.ratio(left, right) < LABEL_SIMILARITY


def different_answers(samples: Sequence[Sample], prompts: Corpus) -> list[tuple[list[int], bool]]:
    """Find prompts with different responses.

    Returns:
        For each such prompt the first row of each distinct response, and whether two of the first
        twenty contradict each other.
    """
    answers = []
    for rows in prompts.rows_of:
        first: dict[str, int] = {}
        for row in rows:
            reference = samples[row].reference
            if reference is not None:
                first.setdefault(normalise_prompt(reference), row)
        if len(first) > 1:
            texts = [str(samples[row].reference) for row in list(first.values())[:20]]
            clash = any(contradict(a, b) for a, b in combinations(texts, 2))
            answers.append((list(first.values()), clash))
    return answers


def same_answer(responses: Corpus) -> list[list[int]]:
    """Group rows that share a response after normalisation, the largest groups first."""
    return sorted((rows for rows in responses.rows_of if len(rows) > 1), key=len, reverse=True)
