"""Choose the next token of every sequence: the best one, after noise of its own where sampled.

Sampling takes the best token after each sequence's own Gumbel noise has been added (the Gumbel-max
trick: that is a draw from the softmax), so that a step is always an argmax, and the other sequences
of a batch can only matter where the two best tokens are nearly tied.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.records import GenerationSettings


class Choice(NamedTuple):
    """Next tokens of a batch; one value a row in each.

    Attributes:
        tokens: Ids.
        gaps: Difference between the two best scores in logits before temperature; infinite where
            they are not watched.
        broken: A score was not a number.
    """

    tokens: list[int]
    gaps: list[float]
    broken: list[bool]


class TokenChoice:
    """Sampling settings of one batch, whose rows come and go.

    A row's state (noise stream, tokens seen) lies under its slot.
    """

    def __init__(self, settings: GenerationSettings, slots: int, watch: bool) -> None:
        self._settings = settings
        self._watch = watch
        self._warpers = warpers(settings)
        self._generators: list[Any] = [None] * slots
        self._seen: Any = None
        self._penalised = settings.repetition_penalty != 1.0

    def admit(self, slot: int, ids: Sequence[int], seed: int, vocabulary: int) -> None:
        """Begin a row: its prompt counts as seen for the repetition penalty."""
        import torch

        if self._settings.temperature > 0:
            self._generators[slot] = torch.Generator().manual_seed(seed)
        if self._penalised:
            if self._seen is None:
                self._seen = torch.zeros((len(self._generators), vocabulary), dtype=torch.bool)
            self._seen[slot] = False
            self._seen[slot, list(ids)] = True

    def move(self, source: int, target: int) -> None:
        """Move a row's state to another slot."""
        self._generators[target] = self._generators[source]
        if self._penalised:
            self._seen[target] = self._seen[source]

    def choose(self, logits: Any, slots: Sequence[int]) -> Choice:
        """Choose from logits of shape (rows, vocabulary), whose rows have these slots."""
        import torch

        scores = logits.float()
        if self._penalised:
            seen = self._seen[list(slots)].to(scores.device)
            penalty = self._settings.repetition_penalty
            changed = torch.where(scores < 0, scores * penalty, scores / penalty)
            scores = torch.where(seen, changed, scores)
        for warp in self._warpers:
            scores = warp(None, scores)
        if self._settings.temperature > 0:
            scores = scores + gumbel([self._generators[slot] for slot in slots], scores)
        if self._watch:
            best, ids = scores.topk(2, dim=-1)
            # The temperature has divided the rounding errors of the logits too: back to logits.
            gaps = ((best[:, 0] - best[:, 1]) * (self._settings.temperature or 1.0)).tolist()
            best, ids = best[:, 0], ids[:, 0]
        else:
            best, ids = scores.max(dim=-1)
            gaps = [math.inf] * len(slots)
        tokens = ids.tolist()
        if self._penalised:
            self._seen[list(slots), tokens] = True
        return Choice(tokens, gaps, best.isnan().tolist())


def warpers(settings: GenerationSettings) -> list[Any]:
    """Return transformers' warpers of the sampling settings; none when greedy."""
    from transformers import TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    if settings.temperature == 0:
        return []
    chosen: list[Any] = []
    if settings.temperature != 1.0:
        chosen.append(TemperatureLogitsWarper(settings.temperature))
    if settings.top_k > 0:
        chosen.append(TopKLogitsWarper(settings.top_k))
    if settings.top_p < 1.0:
        chosen.append(TopPLogitsWarper(settings.top_p))
    return chosen


def gumbel(generators: Sequence[Any], scores: Any) -> Any:
    """Draw Gumbel noise like ``scores``, each row from its own stream, on the CPU everywhere."""
    import torch

    draws = torch.stack(
        [
            torch.empty(scores.shape[-1]).exponential_(generator=generator)
            for generator in generators
        ]
    )
    return -draws.clamp_min(torch.finfo(draws.dtype).tiny).log().to(scores.device)
