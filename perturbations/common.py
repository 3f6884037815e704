"""What the kinds share: severities, limits, reading lexicons, case and articles."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Literal, TypeVar

from harness.protocols import Limits as Limits  # plug-ins of others import it from here
from harness.records import Edit
from harness.util.digest import digest, file_digest

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
    """A random ``share`` of ``sites``, at least one, in their order."""
    if not sites:
        return []
    wanted = min(len(sites), max(1, round(share * len(sites))))
    return [sites[i] for i in sorted(rng.sample(range(len(sites)), wanted))]


def lexicon_lines(name: str) -> list[str]:
    """Lines of a shipped lexicon without comments and blank lines."""
    raw = files("perturbations.lexicons").joinpath(name).read_text(encoding="utf-8")
    lines = (line.rstrip() for line in raw.splitlines())
    return [line for line in lines if line and not line.startswith("#")]


@cache
def word_set(name: str) -> frozenset[str]:
    """A lexicon of one entry a line, in small letters."""
    return frozenset(line.strip().lower() for line in lexicon_lines(name))


_CODE_AND_DATA = frozenset({".py", ".txt", ".tsv", ".yaml", ".gz", ".lexicon"})


@cache
def package_digest() -> str:
    """Digest of this package's code and lexicons: what our kinds and the gate decide by."""
    root = Path(str(files("perturbations")))
    paths = (p for p in sorted(root.rglob("*")) if p.suffix in _CODE_AND_DATA)
    return digest([[p.relative_to(root).as_posix(), file_digest(p)] for p in paths])


def match_case(source: str, target: str) -> str:
    """``target`` written with the capitals of ``source``."""
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
    """Whether the indefinite article before ``word`` is *an*."""
    if _SILENT_H.match(word):
        return True
    return bool(_VOWEL.match(word)) and not _YOU_SOUND.match(word)


_ARTICLE = re.compile(r"(?<![\w'’])(an?)([^\S\r\n]+)$", re.IGNORECASE)


def article_edit(raw: str, start: int, word: str) -> Edit | None:
    """The edit that an article right before ``start`` needs when ``word`` comes to stand there."""
    found = _ARTICLE.search(raw[max(0, start - 8) : start])
    if not found:
        return None
    article = found.group(1)
    right = match_case(article, "an" if takes_an(word) else "a") if len(article) > 1 else None
    if right is None:  # a single capital "A" opens a sentence; it is not shouting
        right = ("An" if article == "A" else "an") if takes_an(word) else article
    elif right.isupper() and article != article.upper():
        right = right.capitalize()
    if right == article:
        return None
    at = max(0, start - 8) + found.start(1)
    return Edit(start=at, end=at + len(article), text=right)


def capitalised(word: str) -> str:
    """``word`` with a capital first letter, the rest as it is."""
    return word[:1].upper() + word[1:]
