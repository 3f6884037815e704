"""The American and British spelling of a word: a table, the endings in "-ize", and parts of words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import Literal

from harness.text.lexicon import english_words
from perturbations.common import lexicon_lines, word_set

Direction = Literal["us-uk", "uk-us"]

_IZE = re.compile(
    r"(?P<stem>[a-z]{2,})i(?P<end>[sz])"
    r"(?P<rest>e|es|ed|er|ers|ing|ingly|ations?|ational|ationally|able|ability)"
)
# "Size" and "prize" have their "z" everywhere; "exercise" and "surprise" their "s", though the
# dictionary knows old spellings with "z".
_NO_SUFFIX = re.compile(
    r"(?:down|re|over|up|right|mid|super|under|out|cap|as|pint)?s|(?:ap|dis|mis|over)?pr|m|w|be?|c?am"
    r"|fr|(?:dis)?se|[bm]a|tabr|kirgh|pf"
    r"|advert|exerc|telev|improv|surpr|compr|(?:mis)?adv|dev|(?:pre|re|super)v|circumc|exc|inc|desp"
    r"|disgu|enterpr|(?:en|dis)?franch|merchand|chast|(?:com)?prom|prem|dem|prec"
    r"|expert|hypostas"
)
_PART = re.compile(r"(?P<before>.*)<(?P<us>\w+)\|(?P<uk>\w+)>(?P<behind>.*)")


@lru_cache(maxsize=65536)
def other_spelling(word: str, direction: Direction) -> str | None:
    """Return how the other dialect spells a word in small letters, or None where it is the same."""
    if other := _table(direction).get(word):
        return other
    turned = _parts_turned(word, direction)
    turned = _ending_turned(turned, direction)
    return turned if turned != word else None


def _ending_turned(word: str, direction: Direction) -> str:
    """Turn "-ize" into "-ise" and the reverse in a word that the dictionary knows with a "z"."""
    match = _IZE.fullmatch(word)
    source, target = ("z", "s") if direction == "us-uk" else ("s", "z")
    if not match or match["end"] != source or _NO_SUFFIX.fullmatch(match["stem"]):
        return word
    american = f"{match['stem']}iz{match['rest']}"
    return f"{match['stem']}i{target}{match['rest']}" if american in english_words() else word


def _parts_turned(word: str, direction: Direction) -> str:
    for pattern, other in _parts(direction):
        word = pattern.sub(rf"\g<before>{other}\g<behind>", word)
    return word


@cache
def _parts(direction: Direction) -> tuple[tuple[re.Pattern[str], str], ...]:
    """Return the parts of words with two spellings, as patterns with what to write instead."""
    parts = []
    for line in lexicon_lines("us_uk_morphemes.txt"):
        part = _PART.fullmatch(line)
        if not part:
            raise ValueError(f"{line!r} is not 'before<American|British>behind'")
        source, other = (part["us"], part["uk"])[:: 1 if direction == "us-uk" else -1]
        pattern = f"(?P<before>{part['before']}){source}(?P<behind>{part['behind']})"
        parts.append((re.compile(pattern), other))
    return tuple(parts)


@cache
def _denied() -> frozenset[str]:
    denied = word_set("dialect_denied.txt") | {"practice", "license"}
    return denied | {f"{word}{end}" for word in ("practice", "license") for end in ("d", "s")}


@cache
def _table(direction: Direction) -> Mapping[str, str]:
    """Return Breame's pairs, without the denied ones and those that do not lead back, and our own."""
    from breame.data.spelling_constants import (
        AMERICAN_ENGLISH_SPELLINGS,
        BRITISH_ENGLISH_SPELLINGS,
    )

    pairs = {
        us: uk
        for us, uk in AMERICAN_ENGLISH_SPELLINGS.items()
        if BRITISH_ENGLISH_SPELLINGS.get(uk) == us and us not in _denied()
    }
    one_way = set()
    for line in lexicon_lines("us_uk_spellings.tsv"):
        us, uk = line.removeprefix("-> ").split("\t")
        pairs[us] = uk
        if line.startswith("->"):
            one_way.add(us)
    if direction == "us-uk":
        return pairs
    return {uk: us for us, uk in pairs.items() if us not in one_way}
