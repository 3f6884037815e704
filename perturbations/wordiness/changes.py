"""Changes that shorten or lengthen what a prompt says, each with the span that it needs."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache

from harness.records import Edit
from harness.text.edits import find_edits
from harness.text.parse import Text
from perturbations.common import capitalised, lexicon_lines, match_case
from perturbations.requests.request_sentences import own_words
from perturbations.requests.writing import is_casual

_SPECIAL = re.compile(r"\{(keep1|drop1|consider|I)\}")
_CONSIDER = {
    "take": "consider", "takes": "considers", "taking": "considering",
    "took": "considered", "taken": "considered",
}  # fmt: skip


@dataclass(frozen=True)
class WordingChange:
    """One change of a prompt.

    Attributes:
        start: Where the span begins in which no other change may be made.
        end: Where it ends.
        edits: What it does.
        courteous: Whether it puts a courteous frame around a request.
    """

    start: int
    end: int
    edits: tuple[Edit, ...]
    courteous: bool = False

    def apart(self, other: WordingChange) -> bool:
        """Return whether two changes can be made together."""
        return self.end <= other.start or other.end <= self.start


@dataclass(frozen=True)
class _Rule:
    pattern: re.Pattern[str]
    target: str
    opens: bool
    formal: bool


@cache
def _rules(name: str) -> tuple[_Rule, ...]:
    rules = []
    for line in lexicon_lines(name):
        source, _, target = line.partition("\t")
        opens, formal = source.startswith("{start}"), source.startswith("{formal}")
        pattern = re.compile(re.sub(r"^\{\w+\}", "", source), re.IGNORECASE)
        rules.append(_Rule(pattern, re.sub(r"^_|_$", " ", target), opens, formal))
    return tuple(rules)


def phrase_changes(text: Text, name: str) -> Iterator[WordingChange]:
    """Yield what the phrases of a lexicon change in the sentences of a prompt.

    Args:
        text: The prompt.
        name: The lexicon: ``shorter.tsv`` or ``longer.tsv``.
    """
    last = own_words(text)
    rules = [rule for rule in _rules(name) if not (rule.formal and is_casual(text))]
    for start, end in text.sentences:
        if start >= last:
            return
        raw = text.raw[start : min(end, last)]
        if "\n" in raw or "\r" in raw:
            continue
        for rule in rules:
            matches = [rule.pattern.match(raw)] if rule.opens else rule.pattern.finditer(raw)
            for match in matches:
                if match is not None and (change := _change(text, start, match, rule)):
                    yield change


def _change(text: Text, at: int, match: re.Match[str], rule: _Rule) -> WordingChange | None:
    start, end = at + match.start(), at + match.end()
    new = _written(match, rule.target)
    raw = text.raw
    if match.start() == 0 and not new and raw[start].isupper():
        if text.is_protected(end, end + 1):
            return None  # what follows keeps its own capital or small letter
        end, new = end + 1, capitalised(raw[end])
    if text.is_protected(start, end):
        return None
    return WordingChange(start, end, tuple(shifted(find_edits(raw[start:end], new), start)))


def _written(match: re.Match[str], target: str) -> str:
    """Return the replacement with its marks filled in and the capitals of what it replaces."""

    def filled(mark: re.Match[str]) -> str:
        whole = match.group()
        match mark.group(1):
            case "keep1":
                return match_group(1)
            case "drop1":
                return whole.split(" ", 1)[1]
            case "consider":
                return _CONSIDER[match_group(1).lower()]
            case _:
                return whole[0]

    def match_group(number: int) -> str:
        return str(match.group(number) or "")

    new = _SPECIAL.sub(filled, target)
    source = match.group()
    return match_case(source, new) if source[:1].isupper() and not source.isupper() else new


def shifted(edits: tuple[Edit, ...], by: int) -> Iterator[Edit]:
    """Yield edits of a piece as edits of the whole that it begins ``by`` characters into."""
    for edit in edits:
        yield Edit(start=by + edit.start, end=by + edit.end, text=edit.text)
