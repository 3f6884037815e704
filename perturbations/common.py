"""Shared parts of the kinds: severities, their lexicons, case and articles."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import partial
from typing import Any, Literal, TypeVar

from harness.protocols import Limits as Limits  # plug-ins of others import it from here
from harness.records import Edit
from harness.text import lexicon

Level = Literal["light", "medium", "heavy"]
LEVELS: tuple[Level, ...] = ("light", "medium", "heavy")

T = TypeVar("T")


def check_level(severity: str) -> None:
    """Refuse an unknown severity.

    Raises:
        ValueError: It is none of light, medium and heavy.
    """
    if severity not in LEVELS:
        raise ValueError(f"severity {severity!r} is none of {', '.join(LEVELS)}")


def pick(sites: Sequence[T], share: float, rng: random.Random) -> list[T]:
    """Draw a random ``share`` of ``sites``, at least one, and keep their order."""
    if not sites:
        return []
    wanted = min(len(sites), max(1, round(share * len(sites))))
    return [sites[i] for i in sorted(rng.sample(range(len(sites)), wanted))]


LEXICONS = "perturbations.lexicons"
"""The kinds' own lexicons; those that gate and audit read too lie in ``harness.text.lexicons``."""

lexicon_lines = partial(lexicon.lexicon_lines, package=LEXICONS)
word_set = partial(lexicon.word_set, package=LEXICONS)


def end_of(token: Any) -> int:
    """Return the place after a token."""
    return int(token.idx + len(token.text))


def token_edit(token: Any, text: str) -> Edit:
    """Return the edit that puts ``text`` in the place of a token."""
    return Edit(start=token.idx, end=end_of(token), text=text)


def match_case(source: str, target: str) -> str:
    """Write ``target`` with the capitals of ``source``."""
    if len(source) > 1 and source.isupper():
        return target.upper()
    if source[:1].isupper():
        return target[:1].upper() + target[1:]
    return target


_VOWEL = re.compile(r"[aeiou]", re.IGNORECASE)
_SILENT_H = re.compile(r"(?:hour|honest|honou?r|heir)", re.IGNORECASE)
_YOU_SOUND = re.compile(
    r"(?:uni(?!n|m)|use|usu|uti|euro|eu[^n]|one\b|once\b|ubi|ura|uro)", re.IGNORECASE
)


def takes_an(word: str) -> bool:
    """Return whether the indefinite article before ``word`` is *an*."""
    return bool(_SILENT_H.match(word) or (_VOWEL.match(word) and not _YOU_SOUND.match(word)))


_ARTICLE = re.compile(r"(?<![\w'’])(an?)([^\S\r\n]+)$", re.IGNORECASE)


def article_edit(raw: str, start: int, word: str) -> Edit | None:
    """Return the edit of an article right before ``start`` that ``word`` at ``start`` needs."""
    match = _ARTICLE.search(raw[max(0, start - 8) : start])
    if not match:
        return None
    article = match.group(1)
    right = match_case(article, "an" if takes_an(word) else "a") if len(article) > 1 else None
    if right is None:  # a single capital "A" opens a sentence; it is not shouting
        right = ("An" if article == "A" else "an") if takes_an(word) else article
    elif right.isupper() and article != article.upper():
        right = right.capitalize()
    if right == article:
        return None
    at = max(0, start - 8) + match.start(1)
    return Edit(start=at, end=at + len(article), text=right)


def capitalised(word: str) -> str:
    """Write ``word`` with a capital first letter, the rest as it is."""
    return word[:1].upper() + word[1:]
