"""Content words by words of the same sense, from a hand-vetted lexicon."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.lexicon import Replacement, substitutions
from harness.text.parse import Text
from perturbations.common import Level, check_level
from perturbations.left_alone import left_alone
from perturbations.substitution import Site, replace, sites

SHARES: Mapping[Level, float] = {"light": 0.2, "medium": 0.5, "heavy": 1.0}

MOST: Mapping[Level, int] = {"light": 2, "medium": 4, "heavy": 12}
"""The most places changed: each change has its own small risk, and a long prompt has many places."""

# Two changes side by side read as one phrase that nobody would write: so many tokens lie between.
_APART = 4


class Synonym:
    """Words and phrases by others of the same sense: "I'm scared of it" → "I'm afraid of it".

    Only entries of the hand-vetted lexicon (``synonyms.lexicon``) whose conditions on the context
    hold, re-inflected. Negations, names, quotations, numbers, code, clinical terms,
    and emphasised or repeated words are never touched; no two changes stand side by side.

    Args:
        severity: Share of the places that an entry fits: 20, 50 or 100 %, and at most 2, 4 or 12.
        share: The share itself, in place of the severity's.
    """

    traits = PerturbationTraits(
        description="other words of the same sense",
        version="3",
        limits=Limits(floor=0.7, words={"light": 0.2, "medium": 0.35, "heavy": 0.6}),
        packages=("lemminflect",),
    )

    def __init__(self, severity: Level = "medium", share: float | None = None) -> None:
        check_level(severity)
        if share is not None and not 0 < share <= 1:
            raise ValueError(f"share {share} is not between 0 and 1")
        self.share = SHARES[severity] if share is None else share
        self.most = MOST[severity]

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where no entry fits."""
        edits: list[Edit] = []
        chosen: dict[str, tuple[str, ...]] = {}
        places = _places(text)
        for site in _draw(places, min(self.most, _wanted(self.share, len(places))), rng):
            before = [o for o in site.options if o.words == chosen.get(site.entry.key)]
            option = before[0] if before else rng.choice(site.options)
            chosen[site.entry.key] = option.words
            edits += replace(text, site, option)
        return edits or None


def _places(text: Text) -> list[Site]:
    """Return the places that may change, each with the options that its sentence does not have."""
    places = []
    nouns = Counter(token.lemma_.lower() for token in text.doc if token.pos_ == "NOUN")
    for site in sites(text, substitutions("synonyms.lexicon")):
        if nouns[site.tokens[0].lemma_.lower()] > 1:
            continue  # one thing by two names would be two things
        options = tuple(o for o in site.options if not _repeats(site, o))
        if options and not left_alone(site, text):
            places.append(Site(site.entry, site.tokens, options))
    return places


def _wanted(share: float, places: int) -> int:
    return max(1, round(share * places))


def _draw(places: Sequence[Site], wanted: int, rng: random.Random) -> list[Site]:
    """Draw places, none beside another or under the same word, in their order."""
    drawn: list[Site] = []
    for site in rng.sample(places, len(places)):
        if len(drawn) == wanted:
            break
        if all(_apart(site, other) for other in drawn):
            drawn.append(site)
    return sorted(drawn, key=lambda site: site.start)


def _apart(one: Site, other: Site) -> bool:
    first, second = sorted((one, other), key=lambda site: site.start)
    return bool(second.tokens[0].i - first.tokens[-1].i > _APART)


def _repeats(site: Site, option: Replacement) -> bool:
    """Return whether the sentence already has the replacement's words beside the place itself."""
    if site.entry.pos == "PHRASE":
        return False
    replaced = {t.i for t in site.tokens}
    others = (t for t in site.tokens[0].sent if t.i not in replaced)
    forms = {form for t in others for form in (t.lower_, t.lemma_.lower())}
    return set(option.words) <= forms
