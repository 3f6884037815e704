"""nlpaug's text augmenters by name, seeded by us and put through our gate.

They re-join tokens, so line breaks, double spaces and contractions are often lost; the gate then
says so. They are here for those who want them and as the peer in our tables.
"""

from __future__ import annotations

import importlib
import inspect
import random
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from harness.protocols import Limits, PerturbationTraits
from harness.text.parse import Text
from harness.util.suggestions import did_you_mean
from perturbations.common import Level, check_level

# Share of words (and of letters, for those that work on letters).
SHARES: Mapping[Level, float] = {"light": 0.05, "medium": 0.1, "heavy": 0.3}

# Augmenter to its module. Those that fetch a model on construction say so themselves.
_MODULES = {
    "KeyboardAug": "char.keyboard",
    "OcrAug": "char.ocr",
    "RandomCharAug": "char.random",
    "AntonymAug": "word.antonym",
    "BackTranslationAug": "word.back_translation",
    "ContextualWordEmbsAug": "word.context_word_embs",
    "RandomWordAug": "word.random",
    "ReservedAug": "word.reserved",
    "SpellingAug": "word.spelling",
    "SplitAug": "word.split",
    "SynonymAug": "word.synonym",
    "TfIdfAug": "word.tfidf",
    "WordEmbsAug": "word.word_embs",
    "AbstSummAug": "sentence.abst_summ",
    "ContextualWordEmbsForSentenceAug": "sentence.context_word_embs_sentence",
    "LambadaAug": "sentence.lambada",
    "RandomSentAug": "sentence.random",
}
_NEEDS_WORDNET = ("SynonymAug", "AntonymAug")


class Nlpaug:
    """One of nlpaug's augmenters by name: ``nlpaug: {augmenter: KeyboardAug, aug_char_p: 0.1}``.

    Args:
        augmenter: Name of the class in nlpaug.
        severity: Share of words changed, 5, 10 or 30 %, where the augmenter takes one and the
            options do not say.
        options: What the augmenter itself takes.
    """

    traits = PerturbationTraits(
        description="an augmenter of nlpaug",
        version="1",
        limits=Limits(floor=0.7),
        packages=("nlpaug",),
        example="{augmenter: KeyboardAug}",
    )

    def __init__(self, augmenter: str, severity: Level = "medium", **options: Any) -> None:
        check_level(severity)
        self.traits = replace(Nlpaug.traits, label=f"nlpaug.{augmenter}")
        kind = _augmenter(augmenter)
        for share in ("aug_p", "aug_word_p"):
            if share in inspect.signature(kind.__init__).parameters:
                options.setdefault(share, SHARES[severity])
        with seeded(random.Random(0)):
            self._augmenter = kind(**options)

    def __call__(self, text: Text, rng: random.Random) -> str | None:
        """Propose the whole new text, or None where there is nothing to change."""
        if not text.raw.strip():
            return None
        with seeded(rng):
            augmented = self._augmenter.augment(text.raw)
        first = augmented[0] if isinstance(augmented, list) and augmented else augmented
        return first if isinstance(first, str) else None


def _augmenter(name: str) -> Any:
    if name not in _MODULES:
        raise ValueError(
            f"nlpaug has no text augmenter {name!r}.{did_you_mean(name, list(_MODULES))}"
        )
    if name in _NEEDS_WORDNET and not _has_wordnet():
        raise ValueError(
            f"{name} needs NLTK's WordNet, which is not installed and is never fetched:"
            " put corpora/wordnet and a tagger on NLTK_DATA, or use our own `synonym`"
        )
    try:
        module = importlib.import_module(f"nlpaug.augmenter.{_MODULES[name]}")
    except ImportError as error:
        raise ValueError(f"{name} cannot be imported: {error}; pip install nlpaug") from error
    return getattr(module, name)


def _has_wordnet() -> bool:
    import nltk

    try:
        nltk.data.find("corpora/wordnet")
    except LookupError:
        return False
    return True


@contextmanager
def seeded(rng: random.Random) -> Iterator[None]:
    """Run nlpaug, which draws from the global generators, on seeds of ``rng``; then restore them."""
    import numpy as np

    python, numeric = random.getstate(), np.random.get_state()
    random.seed(rng.getrandbits(64))
    np.random.seed(rng.getrandbits(32))
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numeric)
