"""Casual writing: small letters, lost apostrophes and full stops, chat spellings, stretched words."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.parse import Span, Text
from perturbations.common import Level, check_level, lexicon_lines, match_case, word_set
from perturbations.layout import is_english, own_sentences, speaks_of_words

HABITS: Mapping[str, float] = {"stops": 0.28, "small": 0.13, "apostrophes": 0.09}
"""Share of real posts on support forums that end without a full stop, write a lower-case "i", drop
apostrophes; here the weights with which habits are drawn."""

_WORDS_PER_SPELLING = 6
"""At most one chat spelling in so many words, or the text is no longer easy to read."""

_QUESTION_WORDS = "what|how|if|why|where|when|who|whether|which|and|but|so|or|anymore|yet|any more"
_BEHIND: Mapping[str, str] = {
    "any": r"",
    "end": r"(?=\s*(?:[.,;!?]|$|(?:and|but|so|because|or|since|though)\b))",
    "conjunction": r"(?!\s+of\b)(?=\s+\w)",
    "noun": r"(?=\s+(?:a|an|the|my|your|his|her|our|their|him|them|me|us|this|these)\b)",
    "unknown": rf"(?=\s*(?:[.,;!?]|$)|\s+(?:{_QUESTION_WORDS})\b)",
    "infinitive": r"(?=\s+[a-z]+)",
    "quality": r"(?=\s+[a-z]+)",
}


@dataclass(frozen=True)
class CasualAmount:
    """How casual: how many habits, which share of the chat spellings that fit, stretched words."""

    habits: int
    spellings: float
    stretched: bool


AMOUNTS: Mapping[Level, CasualAmount] = {
    "light": CasualAmount(1, 0.0, stretched=False),
    "medium": CasualAmount(2, 0.4, stretched=False),
    "heavy": CasualAmount(3, 1.0, stretched=True),
}


class Register:
    """Casual writing as people really write: "i", no full stop, "dont", "u", "idk", "sooo".

    Only towards the casual, only English, never in code, quotations, names, lists or texts that are
    to be worked on. One writer has one habit: what is written in a new way is so everywhere.

    Args:
        severity: One habit; two, and some chat spellings; all habits, all spellings that fit, and a
            stretched word.
    """

    traits = PerturbationTraits(
        description="casual writing: small letters, chat spellings",
        version="1",
        limits=Limits(
            floor=0.5,
            words={"light": 0.25, "medium": 0.35, "heavy": 0.5},
            # "i" for "I"; "u" and "ur", from a closed list.
            exempt=frozenset({"case", "pronouns"}),
        ),
    )

    def __init__(self, severity: Level = "medium") -> None:
        check_level(severity)
        self.amount = AMOUNTS[severity]

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where there is nothing to write more casually."""
        if not text.sentences or not is_english(text.raw) or speaks_of_words(text.raw):
            return None
        talk = own_sentences(text)
        if not talk or _shouted(text.raw) or text.danger:  # half a message would change its habits
            return None
        drawn = _drawn_habits(text, talk, self.amount.habits, rng)
        edits = list(_spellings(text, talk, self.amount.spellings, rng))
        if self.amount.stretched:
            edits += _stretched(text, talk, rng)
        if "small" in drawn:
            starts = {s.start for s in talk}
            edits = [
                e.model_copy(update={"text": e.text[0].lower() + e.text[1:]})
                if e.start in starts
                else e
                for e in edits
            ]
        for habit in drawn:
            edits = _joined(edits, _HABIT_EDITS[habit](text, talk))
        return sorted(edits, key=lambda e: e.start) or None


def _drawn_habits(text: Text, talk: Sequence[Span], count: int, rng: random.Random) -> list[str]:
    """Draw habits that would show here, the more usual ones more often."""
    usable = [habit for habit in HABITS if any(True for _ in _HABIT_EDITS[habit](text, talk))]
    drawn: list[str] = []
    while usable and len(drawn) < count:
        (habit,) = rng.choices(usable, [HABITS[h] for h in usable])
        usable.remove(habit)
        drawn.append(habit)
    return drawn


def _joined(first: Sequence[Edit], second: Iterator[Edit]) -> list[Edit]:
    """Put edits together; where two change one word, the word gets both changes."""
    joined = {(e.start, e.end): e for e in first}
    for edit in second:
        other = joined.get((edit.start, edit.end))
        if other is not None:
            joined[edit.start, edit.end] = edit.model_copy(
                update={"text": _both(other.text, edit.text)}
            )
        elif not any(s < edit.end and edit.start < e for s, e in joined):
            joined[edit.start, edit.end] = edit
    return list(joined.values())


def _both(one: str, other: str) -> str:
    """Return a word with the small letter of one form and the lost apostrophe of the other."""
    word = one if len(one) <= len(other) else other
    return word[0].lower() + word[1:] if one[0].islower() or other[0].islower() else word


def _words(text: Text, talk: Sequence[Span]) -> Iterator[tuple[Span, str]]:
    """Yield the unprotected words of the writer's own sentences."""
    for word in text.words:
        inside = any(s.start <= word.start and word.end <= s.end for s in talk)
        if inside and not text.is_protected(word.start, word.end):
            yield word, text.raw[word.start : word.end]


def _bare(word: str) -> str:
    return word.replace("'", "").replace("’", "")


def _small(text: Text, talk: Sequence[Span]) -> Iterator[Edit]:
    """Write "i", and small letters where sentences start."""
    starts = {s.start for s in talk}
    names = {t.idx for t in text.doc if t.tag_ in ("NNP", "NNPS")}
    pronouns = {t.idx for t in text.doc if t.tag_ in ("PRP", "PRP$")}
    for span, word in _words(text, talk):
        is_i = re.fullmatch(r"I(?:['’]\w+)?", word) and span.start in pronouns
        opens = span.start in starts and re.fullmatch(r"[A-Z][a-z'’]*", word)
        if word[0].isupper() and (is_i or (opens and span.start not in names and word[:2] != "I'")):
            yield Edit(start=span.start, end=span.end, text=word[0].lower() + word[1:])


def _apostrophes(text: Text, talk: Sequence[Span]) -> Iterator[Edit]:
    """Leave out apostrophes where no other word comes out."""
    for span, word in _words(text, talk):
        if word.lower().replace("’", "'") in word_set("bare_contractions.txt"):
            yield Edit(start=span.start, end=span.end, text=_bare(word))


def _stops(text: Text, talk: Sequence[Span]) -> Iterator[Edit]:
    """Leave out the full stop at the end of the prompt and of its paragraphs."""
    for sentence in talk:
        end = sentence.end
        closes = not text.raw[end:].strip() or re.match(r"[^\S\r\n]*[\r\n]", text.raw[end:])
        if closes and re.search(r"\w\.$", text.raw[:end]) and not text.is_protected(end - 1, end):
            yield Edit(start=end - 1, end=end, text="")


_HABIT_EDITS = {"stops": _stops, "small": _small, "apostrophes": _apostrophes}


@cache
def _chat() -> tuple[tuple[re.Pattern[str], str, str], ...]:
    """Return the chat spellings: pattern, how it is written, and where."""
    rows = [line.split("\t") for line in lexicon_lines("casual.tsv")]
    return tuple(
        (
            re.compile(
                rf"(?<![\w'’-]){re.escape(words).replace(chr(39), '[' + chr(39) + '’]')}(?![\w'’-]){_BEHIND[where]}",
                re.IGNORECASE,
            ),
            written,
            where,
        )
        for words, written, where in rows
    )


def _spellings(
    text: Text, talk: Sequence[Span], share: float, rng: random.Random
) -> Iterator[Edit]:
    """Yield the sites of some chat spellings, each everywhere or nowhere."""
    usable = [
        (written, sites)
        for pattern, written, where in _chat()
        if (sites := list(_sites(text, talk, pattern, where)))
    ]
    rng.shuffle(usable)
    wanted = round(share * len(usable)) if share < 1 else len(usable)
    left = sum(1 for _ in _words(text, talk)) // _WORDS_PER_SPELLING
    taken: list[Span] = []
    for written, sites in usable[: max(wanted, 1 if share else 0)]:
        free = [s for s in sites if not any(s.start < t.end and t.start < s.end for t in taken)]
        if len(free) < len(sites) or len(free) > left:
            continue
        left -= len(free)
        taken += free
        for span in free:
            first = text.raw[span.start]
            opens = first.isupper() and text.raw[span.start : span.end][:2] != "I "
            casual = match_case(first, written) if opens else written
            yield Edit(start=span.start, end=span.end, text=casual)


def _sites(
    text: Text, talk: Sequence[Span], pattern: re.Pattern[str], where: str
) -> Iterator[Span]:
    for sentence in talk:
        for match in pattern.finditer(text.raw, sentence.start, sentence.end):
            span = Span(*match.span())
            if not text.is_protected(*span) and _fits(text, span, where):
                yield span


def _fits(text: Text, span: Span, where: str) -> bool:
    """Return whether the parse has behind ``span`` what the condition wants."""
    if where not in ("infinitive", "quality"):
        return True
    behind = next((t for t in text.doc if t.idx >= span.end and not t.is_space), None)
    if behind is None:
        return False
    return bool(behind.tag_ == "VB" if where == "infinitive" else behind.pos_ == "ADJ")


def _stretched(text: Text, talk: Sequence[Span], rng: random.Random) -> list[Edit]:
    """Stretch one "so" in front of an adjective that stands behind a verb."""
    sites = [
        t
        for t in text.doc
        if t.text == "so"
        and t.dep_ == "advmod"
        and t.head.pos_ in ("ADJ", "ADV")
        and t.head.i == t.i + 1
        and any(s.start <= t.idx < s.end for s in talk)
        and not text.is_protected(t.idx, t.idx + 2)
    ]
    if not sites:
        return []
    token = rng.choice(sites)
    return [Edit(start=token.idx, end=token.idx + 2, text="s" + "o" * rng.randint(3, 4))]


def _shouted(raw: str) -> bool:
    """Return whether most letters are capitals: small letters would show no habit then."""
    letters = [c for c in raw if c.isalpha()]
    return sum(c.isupper() for c in letters) > len(letters) / 2
