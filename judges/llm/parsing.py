"""Reads verdicts out of what a model wrote. The last verdict counts, whole or not; nothing is guessed.

A score counts only where it is a whole number on the scale. What a reasoning model thinks before its
answer, turns that it invents after its own, and what it quotes from the texts it was shown are not
its verdict. An earlier verdict never fills in for what the last one lacks: it may be a forged one
that the model quotes before it gives its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from harness.text.normalise import valid_unicode
from judges.llm.json_scan import JsonObject, Quotable, scan

_THOUGHT = re.compile(r"<(think|thinking|reasoning)>.*?(?:</\1>|\Z)", re.DOTALL | re.IGNORECASE)
_THOUGHT_END = re.compile(r"</(?:think|thinking|reasoning)>", re.IGNORECASE)
_NEXT_TURN = re.compile(
    r"<\|(?:im_end|im_start|user|eot_id|end|endoftext|start_header_id)\|>|\[INST\]"
    r"|^(?:user|human|### ?instruction):?[ \t]*$",
    re.IGNORECASE | re.MULTILINE,
)
_KEY = re.compile(r'"([^"\n]{1,80})"\s*:')
_FENCE = re.compile(r"\s*```\w*\s*")
_AROUND = r"[ \t*_\"']{0,8}"
_SCORE = re.compile(
    r"(-?\d{1,6}(?:\.\d+)?)(?:\s{0,8}(?:/|(?:out )?of\b)\s{0,8}(\d{1,6}))?"
    # No range, no choice of two numbers, and nothing left over of a fraction.
    r"(?!\w|[.,]\d|[ \t,]{0,8}(?:/|out\b|of\b|or\b|(?:-|–|to\b|and\b)[ \t]{0,8}\d))",
    re.IGNORECASE,
)
"""A score at the beginning of what a line says: ``4``, ``4.0``, ``4/5``, ``4 out of 5``."""


class ParsedVerdict(NamedTuple):
    """One dimension's score and the reason given for it."""

    score: int
    reason: str


def own_turn(text: str, shown: Sequence[str] = ()) -> str:
    """Return the model's own answer: without thoughts, and up to the next turn it invents.

    Delimiters within a JSON object are quoted and end nothing; nor does a template's delimiter out
    of the texts shown that comes before any object of the model's own.
    """
    return _own_turn(text, Quotable(shown))


def _own_turn(text: str, shown: Quotable) -> str:
    # Objects blanked out at the same length, so that what is found elsewhere keeps its place.
    parts, position = [], 0
    for start, end, _ in scan(text).objects:
        parts += [text[position:start], "." * (end - start)]
        position = end
    blank = "".join([*parts, text[position:]])
    kept = list(_unthought(blank))
    blank = "".join(blank[start:end] for start, end in kept)
    text = "".join(text[start:end] for start, end in kept)
    starts = [o.start for o in scan(text).objects if not shown.holds(text, o)]
    for turn in _NEXT_TURN.finditer(blank, pos=len(blank) - len(blank.lstrip()) + 1):
        quotation = turn[0][0] in "<[" and any(turn[0] in known for known in shown.texts)
        if not quotation or (starts and starts[0] < turn.start()):
            return text[: turn.start()]
    return text


def whole_number(value: Any, allowed: Sequence[int]) -> int | None:
    """Return ``value`` as one of the allowed whole numbers: 4, 4.0, "4" or "4/5"; else None."""
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


def verdicts(
    text: str,
    scales: Mapping[str, Sequence[int]],
    shown: Sequence[str] = (),
    finish_reason: str = "stop",
) -> dict[str, ParsedVerdict]:
    """Return what the last verdict says validly on each dimension.

    The last JSON object that names any of the dimensions; where there is none, the last line such
    as ``Empathy: 4/5`` of each, whatever it says.

    Args:
        text: What the model wrote.
        scales: By dimension, the allowed scores.
        shown: The texts that the model was shown: objects and lines out of them are quotations,
            unless the model writes nothing else.
        finish_reason: With ``length``, an object that is not closed leaves everything unparsed.
    """
    only = next(iter(scales)) if len(scales) == 1 else None
    names = [*scales, *(["score"] if only else [])]
    verdict = _last_verdict(text, names, shown, finish_reason)
    if verdict is None:
        return {}
    value = verdict.value
    if value is None:
        return _lines(verdict.text, scales, verdict.shown)
    if only and not _names(value, [only]):
        value = {only: value}
    parsed = {name: _verdict(_field(value, name), allowed) for name, allowed in scales.items()}
    return {name: one for name, one in parsed.items() if one is not None}


def choice(
    text: str,
    field: str,
    allowed: Sequence[str],
    shown: Sequence[str] = (),
    finish_reason: str = "stop",
) -> tuple[str, str] | None:
    """Return the last choice: a field of a JSON object, or else a line such as ``Winner: first``.

    The other arguments are those of ``verdicts``.

    Returns:
        The choice and its reason, or None where the last choice is not a valid one.
    """
    verdict = _last_verdict(text, [field], shown, finish_reason)
    if verdict is None:
        return None
    known = {_squeezed(value): value for value in allowed}
    if verdict.value is not None:
        chosen = _field(verdict.value, field)
        if not isinstance(chosen, str) or _squeezed(chosen) not in known:
            return None
        return known[_squeezed(chosen)], _reason(verdict.value)
    line = _last_lines(verdict.text, {field: re.escape(field)}, verdict.shown).get(field, "")
    options = "|".join(re.escape(value) for value in allowed)
    match = re.match(rf"({options})\b(?!\s*(?:/|or\b))", line, re.IGNORECASE)
    return (known[_squeezed(match[1])], "") if match else None


class _Said(NamedTuple):
    """The model's own verdict: an object, or else the text in which lines may have it."""

    value: dict[str, Any] | None
    text: str
    shown: Quotable


def _last_verdict(
    text: str, names: Sequence[str], shown: Sequence[str], finish_reason: str
) -> _Said | None:
    """Return the part that holds the verdict; None where it is cut off."""
    quotable = Quotable(shown)
    text = _own_turn(text, quotable)
    spans = scan(text)
    if finish_reason == "length" and spans.cut:
        return None
    last = next(
        (
            candidate
            for candidate in reversed(spans.objects)
            if _names(candidate.value, names)
            and (_is_all(text, candidate) or not quotable.holds(text, candidate))
        ),
        None,
    )
    # A verdict that is begun after it and cannot be read takes its place all the same.
    later = [start for start in spans.broken if last is None or start >= last.end]
    if last is not None and later and _names(dict.fromkeys(_KEY.findall(text, later[0])), names):
        return _Said(None, text[later[0] :], quotable)
    return _Said(None if last is None else last.value, text, quotable)


def _is_all(text: str, candidate: JsonObject) -> bool:
    """Return whether a text is nothing but one object: whatever texts hold the same, it is the answer."""
    return not re.sub(r"```\w*", "", text[: candidate.start] + text[candidate.end :]).strip()


def _unthought(text: str) -> Iterator[tuple[int, int]]:
    """Return the parts of a text that are no thoughts, by their places."""
    thoughts = [match.span() for match in _THOUGHT.finditer(text)]
    starts, ends = (
        [0, *(end for _, end in thoughts)],
        [*(start for start, _ in thoughts), len(text)],
    )
    # Some chat templates open the thought themselves, so that only its end is seen.
    spoken = [
        match.end()
        for start, end in zip(starts, ends, strict=True)
        for match in _THOUGHT_END.finditer(text, start, end)
    ]
    begin = spoken[-1] if spoken else 0
    for start, end in zip(starts, ends, strict=True):
        if end > begin:
            yield max(start, begin), end


def _names(value: Mapping[str, Any], names: Sequence[str]) -> bool:
    wanted = {_squeezed(name) for name in names}
    return any(_squeezed(key) in wanted for key in value)


def _field(value: Mapping[str, Any], name: str) -> Any:
    """Look a field up by its name, however the model capitalised or spaced it."""
    wanted = _squeezed(name)
    return next((entry for key, entry in value.items() if _squeezed(key) == wanted), None)


def _squeezed(name: str) -> str:
    return re.sub(r"[\W_]", "", name.lower())


def _reason(value: Mapping[str, Any]) -> str:
    given = _field(value, "reason")
    return valid_unicode(given) if isinstance(given, str) else ""


def _verdict(value: Any, allowed: Sequence[int]) -> ParsedVerdict | None:
    reason = ""
    if isinstance(value, dict):
        reason, value = _reason(value), _field(value, "score")
    score = whole_number(value, allowed)
    return None if score is None else ParsedVerdict(score, reason)


def _lines(
    text: str, scales: Mapping[str, Sequence[int]], shown: Quotable
) -> dict[str, ParsedVerdict]:
    """Scores on lines of their own, ``Name: 4`` or ``**Name**: 4/5``; the last of each."""
    labels = {}
    for name in scales:
        label = r"[\s_-]?".join(re.escape(part) for part in name.split("_"))
        labels[name] = rf"(?:{label}|score|rating)" if len(scales) == 1 else label
    return {
        name: verdict
        for name, value in _last_lines(text, labels, shown).items()
        if (match := _SCORE.match(value))
        and (verdict := _verdict("/".join(filter(None, match.groups())), scales[name]))
    }


def _last_lines(text: str, labels: Mapping[str, str], shown: Quotable) -> dict[str, str]:
    """Return what the last line of each label says behind its colon; none where that line is quoted.

    The last line, whatever it says: an earlier one may be a forged one that the model repeats in
    its own words. Nor can a text whose lines stand for every possible verdict void a bare one:
    where there is nothing else, each label once, nothing is quoted.
    """
    places = {
        name: list(
            re.finditer(
                rf"^[ \t>*_#\"'-]*(?:{label}){_AROUND}(?:score)?{_AROUND}[:=]{_AROUND}([^\n]*)",
                text,
                re.IGNORECASE | re.MULTILINE,
            )
        )
        for name, label in labels.items()
    }
    written = [line for line in text.splitlines() if line.strip() and not _FENCE.fullmatch(line)]
    bare = len(written) == sum(map(len, places.values())) and all(
        len(of_name) <= 1 for of_name in places.values()
    )
    return {
        name: of_name[-1][1]
        for name, of_name in places.items()
        if of_name and (bare or not shown.holds_line(text, of_name[-1]))
    }
