"""Where a prompt asks for something: its own sentences, never the data that it hands over."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from harness.text.parse import Text
from perturbations.common import end_of, lexicon_lines, word_set
from perturbations.reordering.moves import Sentence, parsed_sentences
from perturbations.requests.writing import outside_pasted

LONGEST = 45
"""Tokens of the longest sentence whose parse is trusted."""

_DATA = re.compile(
    r"\b(?:following|given|below|above|provided|attached|sentences?|text|passage|paragraph|phrase"
    r"|code|snippet|quote|statement|input)\b",
    re.IGNORECASE,
)
_LABEL = re.compile(
    r"(?:^|\n|[.?!]\s)\s*(?:input|output|question|q|a|answer|text|sentence|context|example|passage"
    r"|premise|hypothesis|story|review|title|subject|prompt|user|assistant|note|dialogue|options?)"
    r"\s*\d*\s*[:=]",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"\n[ \t]*(?:sample )?(?:input|output|constraints?|examples?|notes?|problem statement)"
    r"(?: format)?[ \t]*\r?\n",
    re.IGNORECASE,
)
_ITEM = re.compile(r"(?:^|\n)[ \t]*(?:\(?[A-Ea-e1-9]\d?[.)]|[-*•–#>|])\s|\s[A-D]\)\s")
_BEFORE_VERB = re.compile(
    r"^(?:please|kindly|can you|could you|would you|you should|you need to|i want you to)\W+"
)
_CHOICE = re.compile(r"(?:^|\s)\(?[A-Ea-e][.)]\s")
_COLON = re.compile(r":(?=\s|$)")
_ODD = re.compile(r"[;:…\[\]{}<>*|=\\/#~^_]|\.\.|--|—|\s[-–]\s")


def request_sentences(text: Text) -> Iterator[Sentence]:
    """Yield the sentences in which the prompt speaks for itself, one line each."""
    end = own_words(text)
    outside = outside_pasted(text)
    for sentence in parsed_sentences(text):
        raw = text.raw[sentence.start : sentence.end]
        if sentence.end > end:
            return
        if (
            len(raw) >= 3
            and 2 <= len(sentence.tokens) <= LONGEST
            and not re.search(r"[\n\r\t]", raw)
            and sentence.closes_with(text) in ("", ".", "?", "!")
            and not raw.isupper()
            and _closed(text, sentence)
            and not _guarded(text, sentence)
            and outside(sentence.start, sentence.end)
            and _whole(text, sentence)
            and text.raw[: sentence.start].rstrip()[-1:] not in list(":;,(\"'“‘-–")
        ):
            yield sentence


def own_words(text: Text) -> int:
    """Return where the data of the prompt begin, or its end; 0 for a question with its choices.

    A prompt whose first line gives a task is followed by its material; what asks in a story stands
    anywhere in it. Labels, colons and lists announce material in both.
    """
    raw = text.raw
    if len(_CHOICE.findall(raw)) > 1:
        return 0
    ends = [m.start() for pattern in (_LABEL, _HEADING, _ITEM) if (m := pattern.search(raw))]
    first, _, rest = raw.lstrip().partition("\n")
    skipped = len(raw) - len(raw.lstrip())
    if is_task(first) or _orders(text, skipped + len(first)):
        if rest.strip():
            ends.append(skipped + len(first))
        if colon := _COLON.search(raw):
            ends.append(colon.start())
    elif colon := re.search(r":[ \t]*(?:\r?\n|$|[\"“'‘])", raw):
        ends.append(colon.start())
    return min(ends, default=len(raw))


def _orders(text: Text, end: int) -> bool:
    """Return whether a sentence before ``end`` is an order, whatever its verb."""
    for sentence in text.doc.sents:
        if sentence.start_char >= end:
            return False
        first = next((t for t in sentence if not (t.is_space or t.lower_ in _BEFORE)), None)
        if first is not None and first.tag_ == "VB" and first.dep_ == "ROOT":
            return True
    return False


_BEFORE = frozenset({"please", "kindly", "and", "then", "also"})


def is_task(line: str) -> bool:
    """Return whether a line hands over a task: it begins with a request verb or names its material."""
    starts = (_BEFORE_VERB.sub("", part) for part in re.split(r"[.!?]\s+", line.lower()))
    return any(request_verb(start) is not None for start in starts) or bool(_DATA.search(line))


def request_verb(words: str) -> str | None:
    """Return the request verb that begins ``words`` (in small letters), or None."""
    match = _opening().match(words)
    return match.group() if match else None


@cache
def _opening() -> re.Pattern[str]:
    entries = sorted(word_set("request_verbs.txt"), key=len, reverse=True)
    return re.compile(rf"(?:{'|'.join(map(re.escape, entries))})(?![\w'’-])")


@cache
def _rhetorical() -> re.Pattern[str]:
    return re.compile("|".join(f"(?:{line})" for line in lexicon_lines("rhetorical.txt")))


def is_rhetorical(question: str) -> bool:
    """Return whether a question, in small letters, asks for no answer or is addressed to nobody."""
    return bool(_rhetorical().match(question))


def plain_words(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence is mere prose, whose parse can be trusted from end to end."""
    raw = text.raw[sentence.start : sentence.stop]
    return not _ODD.search(raw) and not any(
        p.kind in ("code", "url", "quote") and p.start < sentence.end and sentence.start < p.end
        for p in text.protected
    )


def _whole(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence has its signs in pairs and apart, and no fragment hangs on it."""
    raw = text.raw[sentence.start : sentence.stop]
    paired = all(raw.count(a) == raw.count(b) for a, b in ("“”", "()", "[]", "«»"))
    hanging = re.match(
        r"\s*(?:and|or|plus|also)\b(?![^.?!\n]*\?)", text.raw[sentence.end :], re.IGNORECASE
    )
    return paired and raw.count('"') % 2 == 0 and raw[-1:] not in list(".,;:?!") and not hanging


def _closed(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence without closing punctuation ends its line."""
    if sentence.closes_with(text):
        return True
    if "\n" in text.raw[: sentence.start].lstrip():
        return False  # a fragment below a first line is material more often than not
    return not text.raw[sentence.end :].lstrip(" \t") or text.raw[sentence.end :].lstrip(" \t")[
        0
    ] in ("\n", "\r")


def _guarded(text: Text, sentence: Sentence) -> bool:
    """Return whether a sentence is one of danger, or lies within code or a quotation."""
    for start, end, kind in text.protected:
        if str(kind) == "danger" and start < sentence.end and sentence.start < end:
            return True
        if kind in ("code", "quote", "url") and start <= sentence.start < end:
            return True
    return False


def piece(text: Text, first: Any, last: Any) -> str:
    """Return the prompt from one token to another."""
    return text.raw[first.idx : end_of(last)]


_LIKES = re.compile(r"(?:\bwould|['’]d) like\b", re.IGNORECASE)


def stands_out(text: Text, sentence: Sentence, words: str) -> bool:
    """Return whether new words would repeat an earlier wish, or open with the only small "i" of a prompt."""
    if words.lower().startswith("i would like") and _LIKES.search(text.raw[: sentence.start]):
        return True
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
