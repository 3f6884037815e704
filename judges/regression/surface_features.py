"""What can be counted on the surface of an answer, for the fitted judge.

Embeddings see what is said; they are nearly blind to whether it is said in sentences, said twice,
or said by giving the question back. The length stands among these figures for one reason: so that
a fit can take out again what the embeddings carry of it.
"""

from __future__ import annotations

import math
import re

from harness.text.wordlists import BASIC_FUNCTION_WORDS

NAMES = (
    "copied",
    "repeated",
    "function_words",
    "function_words_off",
    "finished",
    "overlap",
    "sentence_length",
    "log_length",
)

_WORD = re.compile(r"[\w']+")
_SENTENCE_END = re.compile(r"[.!?\n]+")
_FINISHED = re.compile(r"[.!?…\"')\]]\s*$")


def surface(question: str, answer: str) -> tuple[float, ...]:
    """The figures named by ``NAMES``, each of a magnitude around 1.

    ``copied`` and ``repeated`` are shares of the answer's word trigrams that stand in the question,
    and that stood in the answer before; ``function_words_off`` is how far their share is from a
    half, as keyword lists and word salad are; ``overlap`` is the share of content words taken from
    the question; ``log_length`` is the logarithm of the words, held between 5 and 250.
    """
    words = _WORD.findall(answer.lower())
    asked = _WORD.findall(question.lower())
    trigrams = list(zip(words, words[1:], words[2:], strict=False))
    known = set(zip(asked, asked[1:], asked[2:], strict=False))
    grams = max(1, len(trigrams))
    function = sum(word in BASIC_FUNCTION_WORDS for word in words) / max(1, len(words))
    content = set(words) - BASIC_FUNCTION_WORDS
    parts = [part.strip() for part in _SENTENCE_END.split(answer.lower()) if part.strip()]
    said = sum(len(_WORD.findall(part)) for part in dict.fromkeys(parts))
    return (
        sum(gram in known for gram in trigrams) / grams,
        1 - len(set(trigrams)) / grams if trigrams else 0.0,
        function,
        abs(function - 0.5),
        float(bool(_FINISHED.search(answer[-100:].rstrip()))),
        len(content & set(asked)) / max(1, len(content)),
        min(len(words) / max(1, len(parts)), 40.0) / 40,
        math.log(min(max(said, 5), 250)),
    )
