"""Courtesy around a request: put around it, or taken away with the words that carry it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

from harness.records import Edit
from harness.text.edits import find_edits
from harness.text.parse import Text
from perturbations.common import lexicon_lines
from perturbations.reordering.moves import Sentence
from perturbations.requests.forms import (
    confirmed,
    imperative_body,
    plain_order,
    question_clauses,
    written,
)
from perturbations.requests.request_sentences import (
    is_task,
    names_anybody,
    request_sentences,
    stands_out,
)
from perturbations.requests.writing import is_casual
from perturbations.wordiness.changes import WordingChange, shifted

_THANKS = re.compile(
    r"(?:many )?(?:thanks|thank you)(?: so much| very much| a lot)?(?: in advance)?"
    r"(?: for (?:your|any|the|all your) (?:help|time|advice|answers?|input|assistance|support"
    r"|responses?|reply|suggestions?))?(?: in advance)?[.!]*",
    re.IGNORECASE,
)
_ASKS = re.compile(r"(?:what|how|why|when|where|who)\b")
_SELF = re.compile(r"\b(?:I|i|my|me|My)\b")
_OPENS = re.compile(
    r"(?:what|how|why|when|where|who|which|is|are|am|can|could|should|do|does|did|will|would)\b",
    re.IGNORECASE,
)
_POLITE = re.compile(
    r"\b(?:please|kindly|thank|thanks|grateful|appreciate|could you|would you)\b", re.IGNORECASE
)


@cache
def _courtesies(part: str, formal: bool) -> tuple[str, ...]:
    """Return the frames of a part, those for formal prompts only if ``formal``."""
    entries = (line.split("\t") for line in lexicon_lines("courtesies.tsv"))
    kept = (part, f"{part} formal") if formal else (part,)
    return tuple(frame for name, frame in entries if name in kept)


def plain_orders(text: Text) -> Iterator[WordingChange]:
    """Yield polite requests as plain ones: "Could you please list X?" as "List X."."""
    for sentence in request_sentences(text):
        order = plain_order(text, sentence)
        if order is not None and (change := _reworded(text, sentence, order)):
            yield change


def dropped_thanks(text: Text) -> Iterator[WordingChange]:
    """Yield the removal of thanks that close a prompt which asks for something."""
    if len(text.sentences) < 2:
        return
    start, end = text.sentences[-1]
    before = text.sentences[-2].end
    asks = "?" in text.raw[:before] or is_task(text.raw)
    if not asks or not _THANKS.fullmatch(text.raw[start:end]) or "\n" in text.raw[before:start]:
        return
    if not text.is_protected(start, end):
        yield WordingChange(before, end, (Edit(start=before, end=end, text=""),))


def courteous_requests(text: Text) -> Iterator[WordingChange]:
    """Yield requests and questions with courtesy around them."""
    if _POLITE.search(text.raw):
        return
    formal = not is_casual(text)
    for sentence in request_sentences(text):
        closing = sentence.closes_with(text)
        body = imperative_body(sentence, text.raw[sentence.start : sentence.stop], closing)
        if body is not None:
            frames = [(frame, body) for frame in _courtesies("order", formal)]
        else:
            clauses = question_clauses(text, sentence)
            asked = _courtesies("asked", formal)
            frames = [(frame, clause) for clause in clauses for frame in asked]
        body_is_asked = body is None
        for frame, body in frames:
            if frame.startswith("What I") and not _long_question(body):
                continue  # "What I would like to know is the major challenges"
            if body_is_asked and "you" in frame and names_anybody(body):
                continue  # "could you tell me how you should treat it" has two sorts of "you"
            words = written(text, sentence, frame.format(body))
            if stands_out(text, sentence, words):
                continue
            if change := _reworded(text, sentence, words):
                yield replace(change, courteous=True)


def closing_thanks(text: Text) -> Iterator[WordingChange]:
    """Yield thanks after a prompt that asks for something and hands over no material."""
    raw = text.raw
    end = len(raw.rstrip())
    asking = list(request_sentences(text))
    if not asking or _POLITE.search(raw) or end == 0 or raw[end - 1] not in ".?":
        return
    last = text.sentences[-1]
    if last.end != end or asking[-1].end != end or text.is_protected(end - 1, end):
        return
    task = is_task(raw.lstrip().partition("\n")[0])
    body = imperative_body(asking[-1], raw[asking[-1].start : asking[-1].stop], raw[end - 1])
    if task:
        part = "thanks" if body is not None and "\n" not in raw.strip() else ""
    else:
        asked = raw[end - 1] == "?" and _OPENS.match(raw[asking[-1].start :])
        part = "story" if asked and len(text.sentences) >= 3 else ""
    for phrase in _courtesies(part, not is_casual(text)) if part else ():
        if "help" in phrase and "help" in raw:
            continue
        if "this" in phrase and part == "story" and len(_SELF.findall(raw)) < 4:
            continue  # no story of somebody, but a problem
        yield WordingChange(end - 1, end, (Edit(start=end, end=end, text=" " + phrase),))


def _long_question(clause: str) -> bool:
    """Return whether a clause may follow "What I would like to know is": no name, not a few words."""
    last = clause.rsplit(" ", 1)[-1]
    return (
        bool(_ASKS.match(clause))
        and " know" not in clause[:20]
        and clause.count(" ") >= 4
        and last not in ("is", "are", "was")
    )


def _reworded(text: Text, sentence: Sentence, words: str) -> WordingChange | None:
    """Return the change of a whole sentence, or None if it touches what is protected."""
    old = text.raw[sentence.start : sentence.end]
    edits = tuple(shifted(find_edits(old, words), sentence.start))
    if not edits or any(text.is_protected(e.start, e.end) for e in edits):
        return None
    return WordingChange(sentence.start, sentence.end, edits)


def is_confirmed(text: Text, change: WordingChange) -> bool:
    """Return whether a changed sentence still parses as it did; true of changes within one."""
    for sentence in request_sentences(text):
        if (sentence.start, sentence.end) == (change.start, change.end):
            pieces, at = [], sentence.start
            for edit in change.edits:
                pieces += [text.raw[at : edit.start], edit.text]
                at = edit.end
            return confirmed(sentence, "".join((*pieces, text.raw[at : sentence.end])))
    return True
