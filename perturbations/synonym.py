"""Content words by words of the same sense, from a hand-vetted lexicon."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence

from harness.protocols import Limits, PerturbationTraits
from harness.records import Edit
from harness.text.lexicon import Replacement, substitutions
from harness.text.parse import Text
from perturbations.common import Level, check_level, pick
from perturbations.substitution import Site, replace, sites

SHARES: Mapping[Level, float] = {"light": 0.2, "medium": 0.45, "heavy": 1.0}


class Synonym:
    """Words and phrases by others of the same sense: "I'm scared of it" → "I'm afraid of it".

    Only entries of the hand-vetted lexicon (``synonyms.lexicon``) whose conditions on the context
    hold, re-inflected. Negations, names, quotations, numbers, code and clinical terms
    are never touched.

    Args:
        severity: Share of the places that an entry fits: 20, 45 or 100 %.
        share: The share itself, in place of the severity's.
    """

    traits = PerturbationTraits(
        description="other words of the same sense",
        version="1",
        limits=Limits(floor=0.7, words={"light": 0.2, "medium": 0.35, "heavy": 0.6}),
        packages=("lemminflect",),
    )

    def __init__(self, severity: Level = "medium", share: float | None = None) -> None:
        check_level(severity)
        if share is not None and not 0 < share <= 1:
            raise ValueError(f"share {share} is not between 0 and 1")
        self.share = SHARES[severity] if share is None else share

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit] | None:
        """Propose edits, or None where no entry fits."""
        edits: list[Edit] = []
        chosen: dict[str, tuple[str, ...]] = {}
        for site in pick(sites(text, substitutions("synonyms.lexicon")), self.share, rng):
            options = [o for o in site.options if not _repeats(site, o)]
            if not options:
                continue
            before = [o for o in options if o.words == chosen.get(site.entry.key)]
            option = before[0] if before else rng.choice(options)
            chosen[site.entry.key] = option.words
            edits += replace(text, site, option)
        return edits or None


def _repeats(site: Site, option: Replacement) -> bool:
    """Return whether the sentence already has the replacement's words."""
    if site.entry.pos == "PHRASE":
        return False
    forms = {form for t in site.tokens[0].sent for form in (t.lower_, t.lemma_.lower())}
    return set(option.words) <= forms
