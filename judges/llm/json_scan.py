"""Where JSON objects stand in what a model wrote, and which of them it only quotes."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

# Not strict: models break lines within a reason, and a string cut off there must be seen as cut.
_DECODER = json.JSONDecoder(strict=False)
_MAX_OBJECTS = 2000
"""Openings of JSON objects that are tried, from the end: a verdict stands last."""

_ESCAPE = 8
"""Characters before the end at which a JSON text may be at fault because it is cut: ``\\u12``."""


class JsonObject(NamedTuple):
    """A JSON object in a text, and where it stands."""

    start: int
    end: int
    value: dict[str, Any]


class Scan(NamedTuple):
    """The outermost JSON objects of a text in order, and what looks like one and is none.

    Attributes:
        broken: Where an object begins that cannot be read.
        cut: Whether one of them is a good beginning that lacks its end.
    """

    objects: list[JsonObject]
    broken: list[int]
    cut: bool


class Quotable:
    """What a model was shown, and may quote."""

    def __init__(self, texts: Sequence[str]) -> None:
        self.texts = texts
        self._parts = [_quotable(text) for text in texts]

    def holds(self, text: str, candidate: JsonObject) -> bool:
        """Return whether an object of ``text`` is a quotation: in its characters or in its value."""
        literal = text[candidate.start : candidate.end]
        return any(literal in text for text in self.texts) or any(
            candidate.value in objects for objects, _ in self._parts
        )

    def holds_line(self, text: str, match: re.Match[str]) -> bool:
        """Return whether the line of a match in ``text`` is a quotation."""
        end = text.find("\n", match.end())
        line = text[match.start() : end if end >= 0 else None].strip()
        return any(line in lines for _, lines in self._parts)


# Once a text: a hostile one takes long, and is shown in several calls.
@lru_cache(maxsize=128)
def _quotable(text: str) -> tuple[list[dict[str, Any]], frozenset[str]]:
    lines = frozenset(line.strip() for line in text.splitlines())
    return [one.value for one in scan(text).objects], lines


def scan(text: str) -> Scan:
    """Find the JSON objects of a text."""
    objects: list[JsonObject] = []
    broken: list[int] = []
    cut, position, end = False, 0, len(text.rstrip())
    for start in [match.start() for match in re.finditer(r"\{", text)][-_MAX_OBJECTS:]:
        if start < position:
            continue
        try:
            value, position = _DECODER.raw_decode(text, start)
        except json.JSONDecodeError as error:
            broken.append(start)
            cut = cut or error.msg.startswith("Unterminated") or error.pos >= end - _ESCAPE
        except (ValueError, RecursionError):
            broken.append(start)
            cut = True
        else:
            objects.append(JsonObject(start, position, value))
    return Scan(objects, broken, cut)
