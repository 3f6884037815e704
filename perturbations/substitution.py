"""Replacing words by the entries of a lexicon of substitutions, re-inflected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from harness.records import Edit
from harness.text.lexicon import Replacement, Substitution, Substitutions
from harness.text.parse import Text
from perturbations.common import article_edit, end_of, match_case, token_edit, word_set


@dataclass(frozen=True)
class Site:
    """A place where an entry applies: its tokens, in order of place, and the fitting options."""

    entry: Substitution
    tokens: tuple[Any, ...]
    options: tuple[Replacement, ...]

    @property
    def start(self) -> int:
        """Return the offset of the first character."""
        return int(self.tokens[0].idx)

    @property
    def end(self) -> int:
        """Return the offset after the last character."""
        return end_of(self.tokens[-1])


def sites(text: Text, lexicon: Substitutions) -> list[Site]:
    """Return all places of ``text`` where an entry of ``lexicon`` applies, without overlap."""
    places: list[Site] = []
    used: set[int] = set()
    for token in text.doc:
        if token.i in used or not token.is_alpha:
            continue
        for site in _sites_at(token, text, lexicon):
            if used.isdisjoint(t.i for t in site.tokens):
                used.update(t.i for t in site.tokens)
                places.append(site)
                break
    return places


def replace(text: Text, site: Site, option: Replacement) -> list[Edit]:
    """Return the edits that put ``option`` in the place of ``site``, with article and case."""
    first = site.tokens[0]
    if site.entry.pos == "PHRASE":
        words = match_case(first.text, _joined(option.words, [t.text for t in site.tokens]))
        edits = [Edit(start=first.idx, end=site.end, text=words)]
    else:
        edits = _inflected_edits(text, site, option)
    article = article_edit(text.raw, first.idx, edits[0].text)
    return [article, *edits] if article else edits


def _joined(words: Sequence[str], source: Sequence[str]) -> str:
    """Join the words of a phrase; "I" is written as the source writes it."""
    small = "i" in source
    joined = " ".join("i" if small and word == "I" else word for word in words)
    return joined.replace(" '", "'").replace(" ,", ",")


def _inflected_edits(text: Text, site: Site, option: Replacement) -> list[Edit]:
    first, *rest = site.tokens
    words = list(option.words)
    at = len(words) - 1 if site.entry.pos == "NOUN" else 0
    words[at] = inflect(words[at], first.tag_)
    keeps_gap = bool(rest) and rest[0].i != first.i + 1  # "figure it out" → "work it out"
    if keeps_gap and len(words) == 2:
        return [
            token_edit(first, match_case(first.text, words[0])),
            token_edit(rest[0], words[1]),
        ]
    edits = [token_edit(first, match_case(first.text, " ".join(words)))]
    for particle in rest:
        start = len(text.raw[: particle.idx].rstrip(" "))
        edits.append(Edit(start=start, end=end_of(particle), text=""))
    return edits


@lru_cache(maxsize=4096)
def inflect(lemma: str, tag: str) -> str:
    """Inflect ``lemma`` to the form of a Penn tag."""
    if tag not in ("VBD", "VBN", "VBG", "VBZ", "NNS", "JJR", "JJS", "RBR", "RBS"):
        return lemma
    from lemminflect import getInflection

    forms = getInflection(lemma, tag)
    return str(forms[0]) if forms else lemma


def _sites_at(token: Any, text: Text, lexicon: Substitutions) -> Iterator[Site]:
    for entry in lexicon.get((token.lower_, "PHRASE"), ()):
        tokens = _phrase(token, entry.words)
        if tokens:
            yield from _site(entry, tokens, text)
    if token.tag_ in ("JJR", "JJS", "RBR", "RBS", "NNP", "NNPS"):
        return
    particles = [c for c in token.rights if c.dep_ == "prt"] if token.pos_ == "VERB" else []
    for entry in lexicon.get((token.lemma_.lower(), token.pos_), ()):
        if len(entry.words) == 1 and not particles and not _in_compound(token):
            yield from _site(entry, (token,), text)
        elif len(entry.words) == 2 and [p.lower_ for p in particles] == [entry.words[1]]:
            yield from _site(entry, (token, particles[0]), text)


def _site(entry: Substitution, tokens: tuple[Any, ...], text: Text) -> Iterator[Site]:
    if (
        any(text.is_protected(t.idx, end_of(t)) for t in tokens)
        or not all(condition(tokens) for condition in entry.when)
        or (entry.pos != "PHRASE" and _in_idiom(tokens[0]))
    ):
        return
    options = tuple(o for o in entry.options if all(c(tokens) for c in o.when))
    if options:
        yield Site(entry, tokens, options)


def _phrase(token: Any, words: Sequence[str]) -> tuple[Any, ...]:
    """Return the tokens of a fixed phrase that starts here, or none."""
    span = token.doc[token.i : token.i + len(words)]
    joined = token.doc[span.end : span.end + 1].text == "-"
    return tuple(span) if [t.lower_ for t in span] == [*words] and not joined else ()


def _in_compound(token: Any) -> bool:
    """Return whether a token is part of a compound or hyphenated word."""
    beside = token.doc[max(0, token.i - 1) : token.i + 2]
    return (
        token.dep_ == "compound"
        or any(c.dep_ == "compound" for c in token.lefts)
        or any(t.text in ("-", "/") for t in beside)
    )


@lru_cache(maxsize=1)
def _idioms() -> Mapping[str, list[list[str]]]:
    """Map each word to the fixed expressions with it."""
    idioms: defaultdict[str, list[list[str]]] = defaultdict(list)
    for phrase in word_set("idioms.txt"):
        for word in phrase.split():
            idioms[word].append(phrase.split())
    return dict(idioms)


def _in_idiom(token: Any) -> bool:
    return any(
        [t.lower_ for t in token.doc[token.i - at : token.i - at + len(words)]] == words
        for words in _idioms().get(token.lower_, ())
        for at in range(min(token.i + 1, len(words)))
    )
