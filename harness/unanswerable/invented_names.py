"""Names that nothing bears: invented, or marked as the predecessor marked them."""

from __future__ import annotations

import random
from typing import Literal, TypeAlias

from harness.text.lexicon import english_words

Style: TypeAlias = Literal["invented", "marked"]

_ONSETS = ("b", "br", "d", "dr", "f", "fl", "g", "gl", "k", "kr", "l", "m", "n", "p", "pl", "qu",
           "r", "s", "sk", "st", "t", "tr", "v", "vr", "z", "zv")  # fmt: skip
_VOWELS = ("a", "e", "i", "o", "u", "ae", "io")
_ENDS = ("b", "d", "g", "k", "l", "lm", "lt", "m", "n", "nd", "nt", "r", "rk", "rv", "s", "st",
         "th", "v", "x", "z")  # fmt: skip
_VERBS = ("apply", "bind", "collect", "fold", "load", "map", "merge", "pack", "resolve", "scan",
          "shift", "split", "stage", "trace", "walk", "wrap")  # fmt: skip


def invented_word(rng: random.Random) -> str:
    """Three syllables, ten letters or so, that are no English word."""
    while True:
        parts = [rng.choice(_ONSETS) + rng.choice(_VOWELS) for _ in range(3)]
        word = "".join(parts) + rng.choice(_ENDS)
        if len(word) >= 8 and word not in english_words():
            return word


def library(rng: random.Random, *, style: Style, code: bool) -> str:
    """Name of a library (in code) or of a programme, method or model (in prose)."""
    if style == "marked":
        return f"FakeLib{rng.randint(100, 999)}"
    word = invented_word(rng)
    return word if code else word.capitalize()


def identifier(rng: random.Random, *, style: Style, code: bool) -> str:
    """Name of a function (in code) or of a scale or condition (in prose)."""
    if style == "marked":
        return f"fake_fn_{rng.randint(1000, 9999)}"
    word = invented_word(rng)
    return f"{rng.choice(_VERBS)}_{word}" if code else word.capitalize()
