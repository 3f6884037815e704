"""Identifies languages, offline by py3langid, and answers that leave the language of the question."""

from __future__ import annotations

import functools
import re
from typing import Any

from harness.text.code_spans import FENCED

WINDOW = 300
"""Characters classified at a time, so that a switch in the middle is found."""

MIN_LETTERS = 40
"""Shorter pieces are not classified: their language is uncertain."""

CONFIDENCE = 0.95

_CODE = re.compile(rf"{FENCED.pattern}|`[^`\n]*`|https?://\S+", re.DOTALL)
_DENSE_SCRIPTS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
_LETTER = re.compile(r"[^\W\d_]")

_NAMES = {
    "ar": "arabic",
    "cs": "czech",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "he": "hebrew",
    "hi": "hindi",
    "it": "italian",
    "ja": "japanese",
    "ko": "korean",
    "la": "latin",
    "nl": "dutch",
    "no": "norwegian",
    "pl": "polish",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
    "tr": "turkish",
    "uk": "ukrainian",
    "vi": "vietnamese",
    "zh": "chinese",
}


@functools.cache
def _identifier() -> Any:
    from py3langid import langid

    return langid.LanguageIdentifier.from_model_file(langid.MODEL_FILE, norm_probs=True)


def language(text: str) -> str | None:
    """Return the ISO 639 code of the language of ``text``; None if it is short or uncertain."""
    letters = len(_LETTER.findall(text))
    if letters < (MIN_LETTERS // 3 if _DENSE_SCRIPTS.search(text) else MIN_LETTERS):
        return None
    code, confidence = _identifier().classify(text)
    # "zxx" is the identifier's name for text that is no language (code, tables).
    return str(code) if confidence >= CONFIDENCE and code != "zxx" else None


def switched(question: str, answer: str) -> str | None:
    """Look for a stretch of the answer in another language than the question.

    Code, addresses and short stretches are ignored, and so is a language that the question names
    ("How do I say this in French?").

    Returns:
        The evidence in words, or None.
    """
    asked = language(_prose(question))
    if asked is None:
        return None
    text = _prose(answer)
    for start in range(0, len(text), WINDOW):
        answered = language(text[start : start + WINDOW])
        if answered not in (None, asked) and not _named(str(answered), question):
            return f"asked in {_NAMES.get(asked, asked)}, {_NAMES.get(str(answered), answered)} in the answer"
    return None


def _prose(text: str) -> str:
    # No-break spaces are part of the spelling of some languages and would favour them.
    return _CODE.sub(" ", text).replace("\u00a0", " ").replace("’", "'")


def _named(code: str, question: str) -> bool:
    lower = question.lower()
    return "translat" in lower or _NAMES.get(code, "\0") in lower
