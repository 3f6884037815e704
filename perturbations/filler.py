"""Hesitations and politeness around what is said, each where it fits."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import pairwise

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Span, Text
from perturbations.common import Level, check_level, lexicon_lines
from perturbations.layout import instruction_verb, is_english, is_request, own_sentences

COUNTS: Mapping[Level, int] = {"light": 1, "medium": 2, "heavy": 4}

_SHORTEST = 3
"""Words of a sentence that may be greeted or thanked for: "Why me?" is no request."""

_FIRST_PERSON = re.compile(r"\b(?:I|i|my|My|we|We|me)\b(?!['’]?\w*\.)")
_INFORMAL = re.compile(r"\b(?:\w+n['’]t|(?:I|it|he|she|that)['’]\w+|\w+nt)\b", re.IGNORECASE)
_GREETED = re.compile(
    r"\W*(?:hi|hello|hey|hiya|dear|greetings|good (?:morning|afternoon|evening|day)|howdy)\b",
    re.IGNORECASE,
)
_THANKED = re.compile(
    r"\b(?:thanks?|thank(?:s|ing|ful)|thx|ty|grateful|appreciat\w+|cheers)\b", re.I
)
# What goes on from something said before, sets a task of an exam, or speaks to a program.
_NO_GREETING = re.compile(
    r"(?:and|but|also|or|so|then|yes|yeah|yep|no|nope|ok|okay|sure|exactly|actually|right|sorry|well"
    r"|um+|uh|edit|update|re|you are|you're|act|imagine|suppose|given|consider|assume|let|title"
    r"|subject|question|true or false|once upon|he|she|it|they|that|this|these|those|which of"
    r"|thanks?|thank you|please let|anyway|fingers|maybe|because|however|though|although)\b",
    re.IGNORECASE,
)
_CANDID = re.compile(
    r"I (?:feel|think|don['’]t (?:know|think|feel|want|understand)|do not (?:know|think|feel|want)"
    r"|am not sure|want|wish|need|hate|love|miss)\b|I['’]m not sure\b"
)
_OPENED = re.compile(r"(?:I|My|We)\b(?!['’](?:d|ll)\b)")
_QUESTION = re.compile(
    r"(?:How|What|Should|Could|Would|Can|Is|Am|Are|Do|Does|Who|Where)\b(?! (?:ever|else)\b)"
)
# Questions that expect no answer, or whose tone thanks would mock.
_RHETORICAL = re.compile(
    r"(?:why (?:me|bother|try|am i|do i|can['’]?t i|does (?:no|every)|is it always)|who cares|so what"
    r"|what['’]?s the point|what is the point|right\?$|you know\?$|isn['’]t|aren['’]t|okay\?$|ok\?$)",
    re.IGNORECASE,
)
# What somebody can or does is asked of them as they are: "Can you feel?", "Do you know German?".
_ASKED_OF_YOU = re.compile(
    r"(?:can|could|would|will) you(?= [a-z])(?! (?:think|feel|see|hear|speak|talk|understand|know"
    r"|remember|learn|do|be|dream|love|have)\b)",
    re.IGNORECASE,
)
_ABOUT_YOU = re.compile(
    r"(?:are|do|did|have|were|can|could) you (?!help|give|tell|explain|show|write)", re.IGNORECASE
)
_ANGRY = re.compile(r"\b(?:f+u+c+k\w*|sh[i1]t\w*|damn|goddamn|bullshit|wtf)\b|!!", re.IGNORECASE)
_NOT_PLEASED = frozenset(
    {"let", "imagine", "suppose", "guess", "try", "keep", "come", "turn", "think"}
)


class Filler:
    """A greeting, hesitations, "please", thanks at the end: each where nothing speaks against it.

    English prompts only, never in or after code, lists and texts that are to be worked on. Thanks
    and "please" need a request, hesitations a personal message.

    Args:
        severity: One, two or up to four of them.
    """

    traits = PerturbationTraits(
        description="greetings, hesitations, politeness",
        version="2",
        limits=Limits(
            floor=0.6,
            words={"light": 1.0, "medium": 1.5, "heavy": 3.0},
            exempt=frozenset({"pronouns"}),  # "Thank you": the phrases are a closed list
        ),
    )

    def __init__(self, severity: Level = "medium") -> None:
        check_level(severity)
        self.count = COUNTS[severity]

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where the prompt has no place for a filler."""
        if not text.sentences or not is_english(text.raw):
            return None
        talk = own_sentences(text)
        if not talk:
            return None
        personal = _is_personal(text, talk)
        proposed: list[Edit | None] = [
            _start(text, talk, personal, rng),
            _please(text, talk),
            _thanks(text, talk, rng),
        ]
        if personal:
            proposed += _hesitations(text, talk, rng)
        places = _apart(edit for edit in proposed if edit is not None)
        chosen = rng.sample(places, min(self.count, len(places)))
        return sorted(chosen, key=lambda e: e.start) or None


@cache
def _phrases(part: str) -> tuple[str, ...]:
    """Return the entries of one part of the list."""
    entries = (line.split("\t") for line in lexicon_lines("fillers.tsv"))
    return tuple(phrase for name, phrase in entries if name == part)


def _is_personal(text: Text, talk: Sequence[Span]) -> bool:
    """Return whether somebody tells of themselves, without an instruction."""
    pieces = [text.raw[s.start : s.end] for s in talk]
    first_person = sum(bool(_FIRST_PERSON.search(piece)) for piece in pieces)
    instructed = any(instruction_verb(text, s) not in (None, "help", "tell", "give") for s in talk)
    return first_person >= 2 and first_person >= len(talk) / 2 and not instructed


def _start(text: Text, talk: Sequence[Span], personal: bool, rng: random.Random) -> Edit | None:
    """Greet, announce a question, or hesitate before the first word."""
    first = talk[0]
    opening = text.raw[first.start : first.end]
    if len(opening.split()) < _SHORTEST or text.raw[: first.start].strip():
        return None
    if _GREETED.match(opening) or _NO_GREETING.match(opening) or _ANGRY.search(opening):
        return None
    asks = is_request(text, first)
    if not (asks or personal or _FIRST_PERSON.search(opening)) or not _has_verb(text, first):
        return None
    if text.is_protected(first.start, first.start + 1):
        return None
    if opening[0].islower():
        return Edit(
            start=first.start, end=first.start, text=rng.choice(_phrases("small greeting")) + " "
        )
    if personal and _OPENED.match(opening) and opening.endswith(".") and rng.random() < 0.3:
        return _prefixed(text, first, rng.choice(_phrases("opener")))
    announces = opening.endswith("?") and _QUESTION.match(opening) and rng.random() < 0.3
    phrase = rng.choice(_phrases("announcement" if announces else "greeting"))
    return Edit(start=first.start, end=first.start, text=phrase + " ")


def _has_verb(text: Text, sentence: Span) -> bool:
    span = text.doc.char_span(sentence.start, sentence.end, alignment_mode="expand")
    return span is not None and any(t.pos_ in ("VERB", "AUX") for t in span)


def _please(text: Text, talk: Sequence[Span]) -> Edit | None:
    """Say "please" in the first instruction or plea."""
    if re.search(r"\b(?:please|pls|plz|kindly)\b", text.raw, re.IGNORECASE):
        return None
    for sentence in talk:
        opening = text.raw[sentence.start : sentence.end]
        asked = _ASKED_OF_YOU.match(opening)
        if _ABOUT_YOU.match(opening) and not asked:
            return None
        if asked:
            at = sentence.start + asked.end()
            return None if text.is_protected(sentence.start, at) else _inserted(at, " please")
        verb = instruction_verb(text, sentence)
        if verb is None:
            continue
        if verb in _NOT_PLEASED or not opening.lower().startswith(verb + " "):
            return None
        return _prefixed(text, sentence, "please" if opening[0].islower() else "Please")
    return None


def _inserted(at: int, phrase: str) -> Edit:
    return Edit(start=at, end=at, text=phrase)


def _prefixed(text: Text, sentence: Span, phrase: str) -> Edit | None:
    """Put a phrase before a sentence, whose capital it takes over."""
    start = sentence.start
    word = re.match(r"\w+", text.raw[start : sentence.end])
    if word is None or text.is_protected(start, start + 1):
        return None
    first = text.raw[start] if word.group() == "I" else text.raw[start].lower()
    return Edit(start=start, end=start + 1, text=f"{phrase} {first}")


def _hesitations(text: Text, talk: Sequence[Span], rng: random.Random) -> Iterator[Edit | None]:
    """Yield at most one hesitation of each sort, not in the first sentence."""
    candid = [
        s
        for before, s in pairwise(talk)
        if _CANDID.match(text.raw, s.start)
        and text.raw[s.start : s.end].endswith(".")
        and not _CANDID.match(text.raw, before.start)
    ]
    if candid and not re.search(r"\bhonest|\btruth|\bfrank", text.raw, re.IGNORECASE):
        yield _prefixed(text, rng.choice(candid), rng.choice(_phrases("candour")))
    asked = [s for s in talk if text.raw[s.start : s.end].endswith("?")]
    if asked and asked[0] != talk[0] and _INFORMAL.search(text.raw):
        before = talk[talk.index(asked[0]) - 1]
        is_statement = text.raw[before.start : before.end].endswith(".")
        joined = not re.search(r"[\r\n]", text.raw[before.end : asked[0].start])
        if is_statement and joined and _QUESTION.match(text.raw, asked[0].start):
            yield _prefixed(text, asked[0], rng.choice(_phrases("question")))


def _thanks(text: Text, talk: Sequence[Span], rng: random.Random) -> Edit | None:
    """Thank for an answer, where the prompt ends with the writer's own request."""
    last = text.sentences[-1]
    closing = text.raw[last.start : last.end]
    end = len(text.raw.rstrip())
    if last != talk[-1] or last.end != end or closing[-1] not in ".?!":
        return None
    if text.is_protected(end - 1, end) or _THANKED.search(text.raw):
        return None
    if (
        len(closing.split()) < _SHORTEST
        or not is_request(text, last)
        or _RHETORICAL.search(closing)
        or _ABOUT_YOU.match(closing)
    ):
        return None
    phrase = rng.choice(_phrases("thanks"))
    return _inserted(end, " " + (phrase.lower() if text.raw[talk[0].start].islower() else phrase))


def _apart(edits: Iterator[Edit] | Sequence[Edit]) -> list[Edit]:
    """Keep the first of edits at one place."""
    places: dict[int, Edit] = {}
    for edit in edits:
        places.setdefault(edit.start, edit)
    return list(places.values())
