"""Preference pairs: a prompt with a better and a worse answer, and their token ids."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.errors import ConfigError, DataError
from harness.models.prompting import Renderer
from harness.records import Message, Sample
from training.masking import EncodingCounts, fit


class PreferencePair(NamedTuple):
    """A conversation with a better and a worse answer."""

    messages: tuple[Message, ...]
    chosen: str
    rejected: str


class PairIds(NamedTuple):
    """Token ids of a prompt and of its two answers."""

    prompt: list[int]
    chosen: list[int]
    rejected: list[int]


def pairs(samples: Sequence[Sample]) -> list[PreferencePair]:
    """Return the pairs of rows ``{"prompt", "chosen", "rejected"}``.

    Raises:
        DataError: A row without the two texts, or with the same text twice.
    """
    preferences = []
    for sample in samples:
        texts = {}
        for field in ("chosen", "rejected"):
            text = sample.metadata.get(field)
            if not isinstance(text, str) or not text.strip():
                raise DataError(
                    f"sample {sample.id} (prompt begins {sample.prompt[:60]!r}): field {field!r} must"
                    " be a text; a preference row is {prompt, chosen, rejected}"
                )
            texts[field] = text
        if texts["chosen"].strip() == texts["rejected"].strip():
            raise DataError(
                f"sample {sample.id} (prompt begins {sample.prompt[:60]!r}): chosen and rejected are"
                " the same text: there is nothing to prefer; remove the row"
            )
        preferences.append(PreferencePair(sample.messages, **texts))
    return preferences


def encode_pairs(
    preferences: Sequence[PreferencePair], renderer: Renderer, max_length: int
) -> tuple[list[PairIds], EncodingCounts]:
    """Encode pairs as evaluation renders them; both answers follow the same prompt.

    Raises:
        ConfigError: No pair fits.
    """
    counts = EncodingCounts()
    encoded = []
    for pair in preferences:
        answers = [pair.chosen, pair.rejected]
        fitted = fit(pair.messages, answers, renderer, max_length, counts)
        if fitted is not None:
            encoded.append(PairIds(fitted[0], *fitted[1]))
    if not encoded:
        raise ConfigError(f"max_length {max_length} leaves no room for an answer; raise it")
    counts.rows = len(encoded)
    counts.response_tokens = sum(len(ids.chosen) + len(ids.rejected) for ids in encoded)
    counts.tokens = counts.response_tokens + 2 * sum(len(ids.prompt) for ids in encoded)
    return encoded, counts
