"""Dictation: what a speech recogniser writes down, with hesitations, repetitions and homophones."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Span, Text
from perturbations.common import Level, check_level, end_of, lexicon_lines
from perturbations.layout import data_spans, is_english, speaks_of_words

_UNSPOKEN = re.compile(r"[()\[\]{}<>=*/\\|@#%&_~^\"“”«»;:…—–`$€£+]|\s-+\s|\.\.|[^\x00-\x7f’‘]")
"""Signs that nobody dictates: a prompt with one of them was written."""

_SUBJECTS = frozenset({"i", "he", "she", "we", "they", "it", "you", "my", "our", "there", "please"})
_PERSONS = frozenset({"i", "he", "she", "we", "they", "you"})
_JOINERS = frozenset({"and", "but", "so", "because"})
_AFTER_COMMA = _JOINERS | _SUBJECTS | {"or", "which", "who", "though", "although"}
_REPEATED = frozenset({"the", "i", "my", "a", "and", "we", "our"})
_HESITATIONS = ("um", "uh")


@dataclass(frozen=True)
class SpeechAmount:
    """How much like speech: whether stops go, and one of each slip in how many words (0: none)."""

    stops: bool
    hesitation: int
    repetition: int
    homophone: float


AMOUNTS: Mapping[Level, SpeechAmount] = {
    "light": SpeechAmount(stops=False, hesitation=0, repetition=0, homophone=0.0),
    "medium": SpeechAmount(stops=True, hesitation=40, repetition=60, homophone=0.2),
    "heavy": SpeechAmount(stops=True, hesitation=20, repetition=30, homophone=0.6),
}


class Voice:
    """The prompt as dictated: small letters, few stops and commas, "um", "the the", "there" for "their".

    Only for what a person may say: not with code, lists, quotations, brackets or signs. A stop stays
    where two sentences could be read as one; line breaks, numbers and names stay.

    Args:
        severity: Small letters and lost commas; also lost stops, a hesitation or repetition in
            about 25 words, a homophone; twice as many of these.
    """

    traits = PerturbationTraits(
        description="dictated: few stops, hesitations, homophones",
        version="1",
        limits=Limits(
            floor=0.5,
            words={"light": 0.1, "medium": 0.25, "heavy": 0.4},
            # Small letters; "I I", and "there" for "their", from a closed list.
            exempt=frozenset({"case", "pronouns"}),
        ),
    )

    def __init__(self, severity: Level = "medium") -> None:
        check_level(severity)
        self.amount = AMOUNTS[severity]

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where nobody would dictate this."""
        if not _is_speakable(text):
            return None
        drops = _unwritten(text, stops=self.amount.stops)
        starts = {edit.start: edit for edit in _small_starts(text)}
        repeated = _drawn(_repetitions(text), self.amount.repetition, text, rng)
        hesitant = _drawn(_clause_starts(text), self.amount.hesitation, text, rng)
        if self.amount.hesitation and not repeated and not hesitant:
            hesitant = rng.sample(_clause_starts(text)[:1], 1) if _clause_starts(text) else []
        for place in hesitant:
            start = starts.pop(place, None)
            letter = start.text if start else text.raw[place]
            starts[place] = Edit(
                start=place, end=place + 1, text=f"{rng.choice(_HESITATIONS)} {letter}"
            )
        edits = [*starts.values(), *drops]
        homophones = list(_homophones(text))
        homophone_edits = rng.sample(homophones, round(self.amount.homophone * len(homophones)))
        slips = [*repeated, *homophone_edits]
        taken = {e.start for e in edits}
        edits += (e for e in _apart(slips) if e.start not in taken)
        return sorted(edits, key=lambda e: e.start) or None


def _is_speakable(text: Text) -> bool:
    raw = text.raw.strip()
    letters = [c for c in raw if c.isalpha()]
    if not letters or sum(c.isupper() for c in letters) > len(letters) / 2 or text.danger:
        return False
    if _UNSPOKEN.search(raw) or any(p.kind in ("code", "url", "quote") for p in text.protected):
        return False
    return is_english(raw) and not speaks_of_words(raw) and not data_spans(text)


def _tokens(text: Text, sentence: Span) -> list[Any]:
    span = text.doc.char_span(sentence.start, sentence.end, alignment_mode="expand")
    return [] if span is None else [t for t in span if not t.is_space]


def _small_starts(text: Text) -> Iterator[Edit]:
    """Yield small letters for the first words of sentences, but for names and "I"."""
    for sentence in text.sentences:
        word = re.match(r"[A-Z][a-z'’]*\b", text.raw[sentence.start : sentence.end])
        if word is None or re.match(r"I\b", word.group()):
            continue
        end = sentence.start + word.end()
        tokens = _tokens(text, sentence)
        if tokens[0].tag_ not in ("NNP", "NNPS") and not text.is_protected(sentence.start, end):
            start = sentence.start
            yield Edit(start=start, end=start + 1, text=text.raw[start].lower())


def _unwritten(text: Text, *, stops: bool) -> list[Edit]:
    """Return the commas and stops that get lost; one stays where the reading would suffer."""
    places = [t.idx for t in text.doc if t.text == "," and _loses_comma(t)]
    sentences = [tokens for s in text.sentences if (tokens := _tokens(text, s))]
    for tokens, after in pairwise(sentences):
        if stops and _is_asked(tokens) and _is_clear_boundary(tokens, after):
            places.append(tokens[-1].idx)
    if sentences and _is_asked(sentences[-1]):
        places.append(sentences[-1][-1].idx)
    return [
        Edit(start=at, end=at + 1, text="") for at in places if not text.is_protected(at, at + 1)
    ]


def _loses_comma(comma: Any) -> bool:
    """Return whether a comma stands before a new clause, in a sentence without an enumeration."""
    if comma.i + 1 >= len(comma.doc):
        return False
    behind = comma.nbor(1)
    listed = any(t.dep_ == "conj" and t.pos_ in ("NOUN", "PROPN", "ADJ") for t in comma.sent)
    return str(behind.lower_) in _AFTER_COMMA and not (listed and behind.lower_ in ("and", "or"))


def _is_asked(tokens: Sequence[Any]) -> bool:
    """Return whether a sentence ends in one stop, and shows by its order what it is."""
    last = tokens[-1].text
    if last in (".", "!"):
        return len(tokens) > 1 and tokens[-2].is_alpha
    return last == "?" and len(tokens) > 1 and tokens[-2].is_alpha and _is_inverted(tokens)


def _is_inverted(tokens: Sequence[Any]) -> bool:
    """Return whether a question is plain without its mark: a question word, or the verb, comes first."""
    first = tokens[1] if tokens[0].lower_ in _JOINERS and len(tokens) > 2 else tokens[0]
    if first.tag_ in ("WP", "WRB", "WDT"):
        return any(t.pos_ == "AUX" for t in tokens)
    return bool(first.pos_ == "AUX" and first.lower_ != "be")


def _is_clear_boundary(before: Sequence[Any], after: Sequence[Any]) -> bool:
    """Return whether two sentences stay two without the stop between them."""
    end, start = before[-2], after[0]
    if end.pos_ in ("NOUN", "PROPN") and start.lower_ in _PERSONS:
        # "I told some friends. I know this" would be "some friends I know".
        return len(after) > 1 and after[1].pos_ == "AUX"
    if end.pos_ not in ("NOUN", "PROPN", "ADJ") and end.lower_ not in ("me", "him", "them", "us"):
        return False
    if any(t.tag_ in ("WP", "WRB", "WDT") for t in before[-4:-1]):
        return False
    return start.lower_ in _SUBJECTS | _JOINERS - {"because"} or (
        after[-1].text == "?" and _is_inverted(after)
    )


def _clause_starts(text: Text) -> list[int]:
    """Return where a hesitation may stand: before sentences, and behind the conjunction of a clause."""
    places = [s.start for s in text.sentences if text.raw[s.start].isalpha()]
    for token in text.doc[:-1]:
        if token.lower_ in _JOINERS and token.nbor(1).dep_ in ("nsubj", "nsubjpass"):
            places.append(token.nbor(1).idx)
    return sorted(p for p in set(places) if not text.is_protected(p, p + 1))


def _repetitions(text: Text) -> list[Edit]:
    """Return small words said twice, once each."""
    return [
        Edit(start=t.idx, end=end_of(t), text=f"{t.text} {t.lower_ if t.text != 'I' else 'I'}")
        for before, t in pairwise(text.doc)
        if t.lower_ in _REPEATED and t.whitespace_ and before.whitespace_
        and before.lower_ != t.lower_ and not text.is_protected(t.idx, end_of(t))
    ]  # fmt: skip


@cache
def _confused() -> dict[tuple[str, str], tuple[str, str]]:
    rows = (line.split("\t") for line in lexicon_lines("homophones.tsv"))
    return {(word, tag): (written, behind) for word, written, tag, behind in rows}


def _homophones(text: Text) -> Iterator[Edit]:
    """Yield the words that a recogniser may write differently here."""
    for token in text.doc[:-1]:
        written, behind = _confused().get((token.text, token.tag_), ("", ""))
        fits = behind == "*" or token.nbor(1).pos_ == behind
        if written and fits and not text.is_protected(token.idx, end_of(token)):
            yield Edit(start=token.idx, end=end_of(token), text=written)


def _drawn(places: Sequence[Any], words_each: int, text: Text, rng: random.Random) -> list[Any]:
    """Draw one of ``places`` in so many words of the prompt."""
    if not words_each:
        return []
    wanted = round(len(text.words) / words_each)
    return rng.sample(list(places), min(wanted, len(places)))


def _apart(edits: Sequence[Edit]) -> list[Edit]:
    """Keep the edits whose place no earlier one has."""
    return list({edit.start: edit for edit in reversed(edits)}.values())
