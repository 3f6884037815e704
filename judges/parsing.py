"""Reads verdicts out of what a model wrote. The last valid verdict wins; nothing is guessed.

A verdict counts only where its score is a whole number on the scale. What a reasoning model thinks
before its answer, and turns that a model invents after its own, are not its verdict.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

_DECODER = json.JSONDecoder()
_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_NEXT_TURN = re.compile(
    r"<\|(?:im_end|im_start|user|eot_id|end|endoftext|start_header_id)\|>|\[INST\]"
    r"|^(?:user|human|### ?instruction):?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_MAX_OBJECTS = 2000
"""Openings of JSON objects that are tried, from the end: a verdict stands last."""


class Verdict(NamedTuple):
    """One dimension's score and the reason given for it."""

    score: int
    reason: str


def own_turn(text: str) -> str:
    """What the model says as its answer: without thoughts, and up to the next turn it invents."""
    text = _THOUGHT.sub("", text)
    # Some chat templates open the thought themselves, so that only its end is seen.
    text = re.split(r"</(?:think|thinking|reasoning)>", text, flags=re.IGNORECASE)[-1]
    following = _NEXT_TURN.search(text, pos=len(text) - len(text.lstrip()) + 1)
    return text[: following.start()] if following else text


def json_objects(text: str) -> list[dict[str, Any]]:
    """The outermost JSON objects in ``text``, in order."""
    found: list[dict[str, Any]] = []
    position = 0
    openings = [match.start() for match in re.finditer(r"\{", text)][-_MAX_OBJECTS:]
    for start in openings:
        if start < position:
            continue
        try:
            value, position = _DECODER.raw_decode(text, start)
        except (ValueError, RecursionError):
            continue
        if isinstance(value, dict):
            found.append(value)
    return found


def whole_number(value: Any, allowed: Sequence[int]) -> int | None:
    """``value`` as one of the allowed whole numbers: 4, 4.0, "4" or "4/5"; else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        match = re.fullmatch(r"\s*(-?\d{1,6})(?:\.0+)?(?:\s*/\s*(\d{1,6}))?\s*", value)
        if not match or (match[2] and int(match[2]) != max(allowed)):
            return None
        value = int(match[1])
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and value in allowed else None


def verdicts(text: str, scales: Mapping[str, Sequence[int]]) -> dict[str, Verdict]:
    """The last valid verdict on each dimension.

    A whole verdict, valid on every dimension, goes before partial ones; where there is none, each
    dimension takes its own last valid score, from JSON or from lines such as ``Empathy: 4/5``.

    Args:
        text: What the model wrote.
        scales: By dimension, the allowed scores.

    Returns:
        A verdict for each dimension that has a valid one.
    """
    text = own_turn(text)
    partial: dict[str, Verdict] = {}
    for found in _candidates(text, scales):
        if len(found) == len(scales):
            return found
        partial = {**found, **partial}
    for name, verdict in _lines(text, scales).items():
        partial.setdefault(name, verdict)
    return partial


def choice(text: str, field: str, allowed: Sequence[str]) -> tuple[str, str] | None:
    """The last valid choice: a field of a JSON object, or a line such as ``Winner: first``.

    Returns:
        The choice and its reason, or None.
    """
    text = own_turn(text)
    known = {_squeezed(value): value for value in allowed}
    for value in reversed(json_objects(text)):
        chosen = _field(value, field)
        if isinstance(chosen, str) and _squeezed(chosen) in known:
            reason = _field(value, "reason")
            return known[_squeezed(chosen)], reason if isinstance(reason, str) else ""
    options = "|".join(re.escape(value) for value in allowed)
    pattern = re.compile(
        rf"^[ \t>*_#\"'-]*{field}[ \t*_\"']{{0,8}}[:=][ \t*_\"']{{0,8}}({options})\b",
        re.IGNORECASE | re.MULTILINE,
    )
    found = list(pattern.finditer(text))
    return (known[_squeezed(found[-1][1])], "") if found else None


def _candidates(text: str, scales: Mapping[str, Sequence[int]]) -> Iterator[dict[str, Verdict]]:
    """Verdicts in JSON objects, the last first."""
    for value in reversed(json_objects(text)):
        if len(scales) == 1:
            (only,) = scales
            value = value if _field(value, only) is not None else {only: value}
        found = {}
        for name, allowed in scales.items():
            verdict = _verdict(_field(value, name), allowed)
            if verdict is not None:
                found[name] = verdict
        if found:
            yield found


def _field(value: Mapping[str, Any], name: str) -> Any:
    """A field by its name, however the model capitalised or spaced it."""
    wanted = _squeezed(name)
    return next((entry for key, entry in value.items() if _squeezed(key) == wanted), None)


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _verdict(value: Any, allowed: Sequence[int]) -> Verdict | None:
    reason = ""
    if isinstance(value, dict):
        given = _field(value, "reason")
        reason = given if isinstance(given, str) else ""
        value = _field(value, "score")
    score = whole_number(value, allowed)
    return None if score is None else Verdict(score, reason)


def _lines(text: str, scales: Mapping[str, Sequence[int]]) -> dict[str, Verdict]:
    """Scores on lines of their own, ``Name: 4`` or ``**Name**: 4/5``; the last of each."""
    found = {}
    for name, allowed in scales.items():
        label = r"[\s_-]?".join(re.escape(part) for part in name.split("_"))
        if len(scales) == 1:
            label = rf"(?:{label}|score|rating)"
        pattern = re.compile(
            rf"^[ \t>*_#\"'-]*(?:{label})[ \t*_\"']{{0,8}}(?:score)?[ \t*_\"']{{0,8}}[:=][ \t*_\"']{{0,8}}"
            r"(-?\d{1,6}(?:\.\d+)?(?:\s{0,8}/\s{0,8}\d{1,6})?)(?![\w/]|[ \t]{0,8}(?:-|–|to\b)[ \t]{0,8}\d)",
            re.IGNORECASE | re.MULTILINE,
        )
        for match in reversed(list(pattern.finditer(text))):
            score = whole_number(match[1], allowed)
            if score is not None:
                found[name] = Verdict(score, "")
                break
    return found
