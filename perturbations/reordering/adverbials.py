"""Adverbials of time and place moved to the other end of their sentence."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Any

from harness.text.parse import Text
from perturbations.common import end_of, lexicon_lines, word_set
from perturbations.reordering.clauses import EMBEDDED, back, coordinated, front, last_main
from perturbations.reordering.evidence import denied, surely_noun
from perturbations.reordering.moves import (
    Move,
    Sentence,
    prose,
    third_person,
)

_DOSE = re.compile(
    r"\b\d[\d.,/]*\s?(?:mgs?|mcgs?|µg|ug|g|grams?|milligrams?|micrograms?|ml|mls|cc|iu|units?|tablets?|tabs?"
    r"|pills?|capsules?|drops?|puffs?|doses?)\b|\b(?:dos(?:e|age)|times) (?:a|per|every|each)\b",
    re.IGNORECASE,
)
"""How much of something, with which the time after it says how often."""

_MOST_PHRASES = 2
"""With more phrases behind the verb, a time at the end may be taken for the last one's."""

_STAYING = frozenset({"in", "at", "within"})
"""Openings of phrases, of place and of habit, that sound stiff in front: "In the morning, I ..."."""

_HEAVY_IN_FRONT = frozenset({"because", "due", "without", "despite", "since", "during", "for"})
"""Openings of phrases of cause, lack and length: they close a sentence, and open it with emphasis."""

_PLACING = frozenset(
    {"in", "at", "on", "during", "over", "after", "before", "throughout", "around"}
)


def adverbials(text: Text) -> Iterator[Move]:
    """Yield moves like "I lost my job last month." ↔ "Last month, I lost my job."."""
    for sentence in prose(text, ".!"):
        move = (
            _final_adverbial(text, sentence)
            or _initial_adverbial(text, sentence)
            or _opening_phrase(text, sentence)
        )
        if move is not None:
            yield move


@lru_cache(maxsize=1)
def _adverbial() -> re.Pattern[str]:
    """Return the pattern of adverbials of time that may stand at either end of a sentence."""
    return re.compile("|".join(f"(?:{p})" for p in lexicon_lines("adverbials.txt")), re.IGNORECASE)


_EMPTY = frozenset(("it", "this", "that", "there"))
"""Subjects of sentences that tell of the time itself."""


def _final_adverbial(text: Text, sentence: Sentence) -> Move | None:
    raw = text.raw[sentence.start : sentence.stop]
    match = next((m for m in _adverbial().finditer(raw) if m.end() == len(raw)), None)
    if match is None or not raw[: match.start()].endswith(" "):
        return None
    at = sentence.start + match.start()
    inside = [t for t in sentence.tokens if at <= t.idx < sentence.stop]
    heads = {t.head for t in inside if t.head not in inside}
    if len(heads) != 1:
        return None
    (head,) = heads
    if head.i == sentence.root.i and not coordinated(sentence):
        main = [t for t in sentence.tokens if t.idx < at]
    else:
        main = [t for t in last_main(sentence, head) if t.idx < at]
    if (
        len(main) < 3
        or inside[0].lower_ in _STAYING | _HEAVY_IN_FRONT
        or not text.raw[sentence.start].isalpha()
        or main[0].tag_ in ("WRB", "WP", "WDT", "MD", "VB")
        or main[-1].lower_ in word_set("focus.txt")
        or main[-1].pos_ in ("ADV", "ADP", "AUX")
        or denied(sentence.tokens)
        or _DOSE.search(raw)
        or third_person(t for t in inside if t.dep_ != "det")
        or (main[0].lower_ in _EMPTY and head.lemma_ == "be")  # "It was my birthday today"
        or any(t.text == "," for t in main)
        or _adverbial().search(text.raw[main[0].idx : at]) is not None
        or main[-1].is_punct
        or any(t.lower_ == "just" for t in main)  # "I just met him a month ago": only a month ago
        or _embeds(main, head)
    ):
        return None
    return replace(front(text, sentence, at, main[0]), moved=_words(inside))


def _initial_adverbial(text: Text, sentence: Sentence) -> Move | None:
    raw = text.raw[sentence.start : sentence.stop]
    match = _adverbial().match(raw)
    if not match or coordinated(sentence):
        return None
    if raw[match.end() : match.end() + 2] != ", " and not _subject_follows(sentence, match.end()):
        return None
    end = sentence.start + match.end()
    inside = [t for t in sentence.tokens if t.idx < end]
    rest = [t for t in sentence.tokens if t.idx > end and not t.is_punct]
    if sum(t.dep_ == "prep" for t in rest) > _MOST_PHRASES:
        return None
    if len(rest) < 3 or rest[0].pos_ == "CCONJ" or len(raw) > 160 or _embeds(rest, sentence.root):
        return None
    if denied(rest) or raw.count(",") > 1 or rest[-1].pos_ in ("ADV", "ADP", "AUX", "PRON"):
        return None
    if rest[0].dep_ not in ("nsubj", "nsubjpass", "det", "poss") or third_person(
        t for t in inside if t.dep_ != "det"
    ):
        return None
    if _adverbial().search(text.raw[end : sentence.stop]) is not None:
        return None
    return replace(back(text, sentence, inside[0], inside[-1], rest[0]), moved=_words(inside))


def _opening_phrase(text: Text, sentence: Sentence) -> Move | None:
    """Return the move to the end of a phrase of place or time: "In crowds, I get nervous."."""
    prep = sentence.tokens[0]
    inside = [t for t in prep.subtree if not t.is_space]
    rest = [t for t in sentence.tokens if t.i > inside[-1].i and not t.is_punct]
    things = [t for t in inside if t.dep_ == "pobj"]
    if (
        prep.lower_ not in _PLACING
        or prep.dep_ != "prep"
        or prep.head.i != sentence.root.i
        or coordinated_beyond(sentence, prep)
        or not 2 <= len(inside) <= 7
        or len(things) != 1
        or not surely_noun(things[0])
        or things[0].lower_ in word_set("discourse_nouns.txt")
        or text.raw[end_of(inside[-1]) : end_of(inside[-1]) + 2] != ", "
        or not 3 <= len(rest) <= 14
        or rest[0].dep_ not in ("nsubj", "nsubjpass", "det", "poss")
        or any(t.text == "," for t in sentence.tokens if t.i > rest[0].i)
        or _embeds(rest, sentence.root)
        or denied(sentence.tokens)
        or third_person(sentence.tokens)
        or rest[-1].pos_ in ("ADV", "ADP", "AUX", "PRON")
        or any(t.dep_ in ("prep", "npadvmod") and t.head.i == sentence.root.i for t in rest)
    ):
        return None
    return replace(back(text, sentence, prep, inside[-1], rest[0]), moved=_words(inside))


def coordinated_beyond(sentence: Sentence, prep: Any) -> bool:
    """Return whether several main clauses forbid moves, whatever links the first word may make."""
    root = sentence.root
    return (
        any(c.dep_ in ("conj", "cc") for c in root.children)
        or root.pos_ not in ("VERB", "AUX")
        or prep.i != sentence.tokens[0].i
    )


def _words(tokens: list[Any]) -> frozenset[str]:
    return frozenset(t.lower_ for t in tokens)


def _noun_of(first: Any) -> Any:
    """Return the noun of a possessive, "my" of "my wife", or the pronoun itself."""
    return first.head if first.dep_ == "poss" else first


def _subject_follows(sentence: Sentence, length: int) -> bool:
    """Return whether the subject, a pronoun, comes right behind: "Yesterday I lost it"."""
    following = next((t for t in sentence.tokens if t.idx == sentence.start + length + 1), None)
    return (
        following is not None
        and (
            following.tag_ == "PRP"
            or (following.tag_ == "PRP$" and following.i + 1 == _noun_of(following).i)
        )
        and _noun_of(following).dep_ in ("nsubj", "nsubjpass")
        and _noun_of(following).head.i == sentence.root.i
    )


def _embeds(tokens: list[Any], head: Any) -> bool:
    """Return whether a further clause among ``tokens`` might claim what is moved past it."""
    return any(t.dep_ in EMBEDDED or t.dep_ == "xcomp" for t in tokens if t.i != head.i)
