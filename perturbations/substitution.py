"""Replacing words by the entries of a lexicon of substitutions, re-inflected."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from harness.records import Edit
from harness.text.lexicon import Replacement, Substitution, Substitutions
from perturbations.common import article_edit, match_case, word_set

if TYPE_CHECKING:
    from harness.text.parse import Text


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
        last = site.tokens[-1]
        words = match_case(first.text, " ".join(option.words).replace(" '", "'"))
        edits = [Edit(start=first.idx, end=last.idx + len(last.text), text=words)]
    else:
        edits = _inflected_edits(text, site, option)
    article = article_edit(text.raw, first.idx, edits[0].text)
    return [article, *edits] if article else edits


def _inflected_edits(text: Text, site: Site, option: Replacement) -> list[Edit]:
    first, *rest = site.tokens
    words = list(option.words)
    at = len(words) - 1 if site.entry.pos == "NOUN" else 0
    words[at] = inflect(words[at], first.tag_)
    keeps_gap = bool(rest) and rest[0].i != first.i + 1  # "figure it out" → "work it out"
    if keeps_gap and len(words) == 2:
        particle = rest[0]
        return [
            Edit(
                start=first.idx,
                end=first.idx + len(first.text),
                text=match_case(first.text, words[0]),
            ),
            Edit(start=particle.idx, end=particle.idx + len(particle.text), text=words[1]),
        ]
    whole = match_case(first.text, " ".join(words))
    edits = [Edit(start=first.idx, end=first.idx + len(first.text), text=whole)]
    for particle in rest:
        start = particle.idx
        while start > 0 and text.raw[start - 1] == " ":
            start -= 1
        edits.append(Edit(start=start, end=particle.idx + len(particle.text), text=""))
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
    first = tokens[0]
    if any(text.is_protected(t.idx, t.idx + len(t.text)) for t in tokens):
        return
    if not all(condition(tokens) for condition in entry.when):
        return
    if entry.pos != "PHRASE" and _in_idiom(first):
        return
    options = tuple(o for o in entry.options if all(c(tokens) for c in o.when))
    if options:
        yield Site(entry, tokens, options)


def _phrase(token: Any, words: Sequence[str]) -> tuple[Any, ...]:
    """Return the tokens of a fixed phrase that starts here, or none."""
    doc = token.doc
    span = doc[token.i : token.i + len(words)]
    if len(span) == len(words) and all(t.lower_ == w for t, w in zip(span, words, strict=True)):
        following = doc[span.end] if span.end < len(doc) else None
        if following is None or following.text != "-":
            return tuple(span)
    return ()


def _in_compound(token: Any) -> bool:
    """Return whether a token is part of a compound or hyphenated word."""
    doc = token.doc
    if token.dep_ == "compound" or any(c.dep_ == "compound" for c in token.lefts):
        return True
    before = doc[token.i - 1].text if token.i else ""
    after = doc[token.i + 1].text if token.i + 1 < len(doc) else ""
    return before in ("-", "/") or after in ("-", "/")


@lru_cache(maxsize=1)
def _idioms() -> Mapping[str, tuple[tuple[str, ...], ...]]:
    """Map each word to the fixed expressions with it."""
    idioms: dict[str, tuple[tuple[str, ...], ...]] = {}
    for phrase in word_set("idioms.txt"):
        words = tuple(phrase.split())
        for word in words:
            idioms[word] = (*idioms.get(word, ()), words)
    return idioms


def _in_idiom(token: Any) -> bool:
    doc = token.doc
    for words in _idioms().get(token.lower_, ()):
        for at, word in enumerate(words):
            start = token.i - at
            if word != token.lower_ or start < 0 or start + len(words) > len(doc):
                continue
            if all(doc[start + k].lower_ == w for k, w in enumerate(words)):
                return True
    return False
