"""What of a prompt is its writer's own talk, and what is data, a list or a heading to be worked on."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from harness.text.code_spans import code_spans
from harness.text.language import language
from harness.text.lexicon import english_words
from harness.text.parse import Span, Text
from perturbations.common import lexicon_lines

_KNOWN_SHARE = 0.75
"""Share of English words from which a text too short for the identifier counts as English."""

_LONGEST_HEADING = 8
"""Words of a line without an end that may be a heading or a sign-off."""

_SHORTEST_WORD = 4
"""Shorter words occur in many languages, and the dictionary lacks some."""

_ASCII_WORD = re.compile(r"[A-Za-z]+")
_LIST_ITEM = re.compile(r"\s*(?:[-*•>#|]|\(?\d{1,3}[.)]|\(?[A-Za-z][.)]\s|\[|[A-Z][\w ]{0,24}:)")
_BREAK = re.compile(r"(?:\r\n|\n|\r)\s*")
_POINTS_AT_DATA = re.compile(
    r"\b(?:following|given|below|above|previous|preceding|attached|provided|sample|input|as follows)\b",
    re.IGNORECASE,
)
_POINTS_BACK = re.compile(r"\b(?:above|previous|preceding)\b", re.IGNORECASE)
_THIS_TEXT = re.compile(
    r"\b(?:this|these|that|those|the|my|a|an)\s+(?:[\w-]+\s+){0,2}(?:text|sentences?|paragraphs?"
    r"|passage|article|e-?mails?|letters?|message|essay|story|poem|lyrics|tweet|posts?|reviews?"
    r"|quotes?|dialogue|conversation|transcript|statements?|phrases?|words?|lists?|table|data"
    r"|documents?|abstract|summary|notes?|code|snippet|question|problem|riddle|string|headline"
    r"|title|report|r[eé]sum[eé]|cv|bio|description|recipe|context|claim|premise|options?)\b",
    re.IGNORECASE,
)
_OPENING = re.compile(r"([A-Za-z]+)\b(?!['’])(?:\s+([\w'’]+))?")
_COMMA = re.compile(r",\s+")
_LONGEST_LEAD = 120
"""Characters before an instruction's verb: "In this task, with the title given, decide …"."""

_COLON = re.compile(r":(?=\s|$)")
_ABOUT_WORDS = re.compile(
    r"\b(?:words? (?:that|which|is|means?|for|in)|meaning of|what does .{1,40} mean|phrases?|grammar"
    r"|grammatical\w*|spell\w*|misspell\w*|pronounc\w*|pronouns?|acronyms?|abbreviat\w*|vowels?"
    r"|capitali\w*|synonyms?|antonyms?|homophones?|rhym\w*|translat\w*|apostrophes?|punctuat\w*"
    r"|proofread\w*|edit (?:this|the|my)|letters? of the|anagrams?|palindromes?|underlined)\b",
    re.IGNORECASE,
)
_LEAD = re.compile(
    r"(?:(?:please|now|then|first|next|finally|also|kindly|hi|hello|hey"
    r"|(?:in|using|with|for) [^,.\r\n]{1,40}(?=,))\b[\s,.!]*|\+\+,\s*)+",
    re.IGNORECASE,
)
_OBJECT_WORDS = """a an the this that these those my your our his her its their me us each every
all any some both two three four five six seven eight nine ten how what why whether if"""
_OBJECT_STARTS = frozenset(_OBJECT_WORDS.split())
"""Words that open an object: a verb before one of them is an instruction, whatever the tagger says."""

_ASKS = re.compile(
    r"\b(?:can|could|would|will) (?:you|someone|anyone|somebody|anybody)\b"
    r"|^(?:any|looking for (?:any|some|an?))\s+(?:\w+ )?(?:advice|help|ideas?|tips?|suggestions?)\b"
    r"|\bI(?: really| just| also)? (?:need|want|would like|would appreciate|could use|am looking for)"
    r"(?: \w+)? (?:help|advice|guidance|suggestions?|ideas?|tips?|to know (?:how|what|if|whether|why)"
    r"|you to)\b|^please\b|\bplease (?:help|advise|explain|tell|give|write|send|show)\b",
    re.IGNORECASE,
)


def is_english(raw: str) -> bool:
    """Return whether a prompt is English, by the identifier or, if it is short, by its words."""
    code = language(raw)
    if code not in (None, "en"):
        return False
    letters = [c for c in raw if c.isalpha()]
    words = [w for w in _ASCII_WORD.findall(raw.lower()) if len(w) >= _SHORTEST_WORD]
    if not letters or sum(c.isascii() for c in letters) < 0.97 * len(letters):
        return False
    return sum(w in english_words() for w in words) >= _KNOWN_SHARE * len(words)


def speaks_of_words(raw: str) -> bool:
    """Return whether a prompt is about wording or writing itself, so that its letters may matter."""
    return bool(_ABOUT_WORDS.search(raw))


@cache
def _verbs() -> dict[str, str]:
    rows = (line.split("\t") for line in lexicon_lines("instruction_verbs.tsv"))
    return {verb: group for group, verbs in rows for verb in verbs.split()}


def instruction_verb(text: Text, sentence: Span) -> str | None:
    """Return the verb that opens an instruction in small letters, or None."""
    piece = text.raw[sentence.start : sentence.end]
    lead = _LEAD.match(piece)
    at = lead.end() if lead else 0
    verb = _verb_at(text, sentence.start + at)
    if verb is not None:
        return verb
    # "On the basis of the title, determine whether …"
    for comma in _COMMA.finditer(piece[:_LONGEST_LEAD]):
        opening = _OPENING.match(piece[comma.end() :])
        if opening and opening[1].lower() in _verbs() and opening[2] in _OBJECT_STARTS:
            return opening[1].lower()
    return None


def _verb_at(text: Text, at: int) -> str | None:
    opening = _OPENING.match(text.raw[at:])
    if opening is None or opening[1].lower() not in _verbs():
        return None
    if (opening[2] or "").lower() in _OBJECT_STARTS:
        return opening[1].lower()
    span = text.doc.char_span(at, at + len(opening[1]))
    imperative = span is not None and span[0].dep_ == "ROOT" and span[0].tag_ in ("VB", "VBP")
    return opening[1].lower() if imperative and not _has_subject(span[0]) else None


def _has_subject(token: Any) -> bool:
    return any(child.dep_ in ("nsubj", "nsubjpass", "expl") for child in token.children)


def is_request(text: Text, sentence: Span) -> bool:
    """Return whether a sentence asks for something: a question, an instruction or a plea."""
    piece = text.raw[sentence.start : sentence.end]
    return (
        piece.endswith("?")
        or instruction_verb(text, sentence) is not None
        or bool(_ASKS.search(piece))
    )


def data_spans(text: Text) -> list[Span]:
    """Return what the prompt gives to be worked on: code, lists, labelled lines, texts below a task."""
    spans = [Span(s, e) for s, e in code_spans(text.raw, blocks_only=True)]
    spans += [
        Span(m.start(), m.end())
        for m in re.finditer(r"[^\r\n]+", text.raw)
        if _LIST_ITEM.match(m.group())
    ]
    spans += _given_texts(text)
    return sorted(spans)


def own_sentences(text: Text) -> list[Span]:
    """Return the sentences that are the writer's own talk: words, and no data, list or heading.

    A sentence that the parser carries on into data ends where the data starts.
    """
    data = data_spans(text)
    talk = (_before_data(text.raw, s, data) for s in text.sentences)
    return [s for s in talk if s and not _is_heading(text, s)]


def _before_data(raw: str, sentence: Span, data: Sequence[Span]) -> Span | None:
    end = min(
        (
            max(d.start, sentence.start)
            for d in data
            if d.start < sentence.end and sentence.start < d.end
        ),
        default=sentence.end,
    )
    piece = raw[sentence.start : end].rstrip()
    return (
        Span(sentence.start, sentence.start + len(piece)) if re.match(r"[A-Za-z]", piece) else None
    )


def _given_texts(text: Text) -> list[Span]:
    """Find the texts that a task is about; what is doubtful counts as one."""
    raw, spans = text.raw, []
    for sentence in text.sentences:
        piece = raw[sentence.start : sentence.end]
        verb = instruction_verb(text, sentence)
        colon = _COLON.search(piece)
        if colon:
            spans.append(Span(sentence.start + colon.end(), len(raw)))
        if _names_data(piece, verb):
            if _POINTS_BACK.search(piece):
                spans.append(Span(0, sentence.start))
            spans.append(Span(_after_instruction(raw, sentence.end), len(raw)))
        elif verb:
            line = _paragraph_end(raw, sentence.end)
            if not _asks_again(text, line):
                spans.append(Span(line, len(raw)))
            if _verbs()[verb] == "given" and _is_last(text, sentence):
                first = _paragraph_start(raw, sentence.start)
                spans.append(Span(0, first))
    return [s for s in spans if raw[s.start : s.end].strip()]


def _names_data(piece: str, verb: str | None) -> bool:
    """Return whether a sentence speaks of a text that the prompt holds."""
    if _POINTS_AT_DATA.search(piece) and (verb or _THIS_TEXT.search(piece)):
        return True
    return verb is not None and _verbs()[verb] == "given" and bool(_THIS_TEXT.search(piece))


def _after_instruction(raw: str, end: int) -> int:
    """Return where the given text starts: at the next line if there is one, else at once."""
    return _paragraph_end(raw, end) if _BREAK.search(raw.rstrip(), end) else end


def _paragraph_end(raw: str, at: int) -> int:
    match = _BREAK.search(raw, at)
    return match.start() if match else len(raw)


def _paragraph_start(raw: str, at: int) -> int:
    return max((m.end() for m in _BREAK.finditer(raw, 0, at)), default=0)


def _asks_again(text: Text, after: int) -> bool:
    return any(s.start >= after and is_request(text, s) for s in text.sentences)


def _is_last(text: Text, sentence: Span) -> bool:
    return text.sentences[-1] == sentence and text.sentences[0] != sentence


def _is_heading(text: Text, sentence: Span) -> bool:
    """Return whether a sentence is a line without an end among several lines: a heading or a sign-off."""
    piece = text.raw[sentence.start : sentence.end]
    if piece[-1] in ".?!…" or not re.search(r"[\r\n]", text.raw.strip()):
        return False
    return len(piece.split()) <= _LONGEST_HEADING and not is_request(text, sentence)
