"""Decode one batch of answers by ``generate``, so that an answer depends on its own request alone.

The reference for :mod:`harness.models.continuous`, and the way for what that cannot do: grammars, and
models with other caches. A step is an argmax (:mod:`harness.models.token_choice`); the smallest gap of
every row is reported, so that the caller can decode near ties again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.models.constrained import Constraint, Grammar
from harness.models.token_choice import gumbel, warpers
from harness.records import GenerationSettings


@dataclass(frozen=True)
class Decoder:
    """Model and settings that decode answers.

    Attributes:
        model: A Hugging Face causal model, in eval mode, with the wanted adapter active.
        tokenizer: Pads on the left.
        stops: Ids of tokens that end an answer.
        device: Where the model is.
        watch: Measure the gaps between the two best tokens.
        grammar: Restricts the tokens; None for no restriction.
    """

    model: Any
    tokenizer: Any
    stops: tuple[int, ...]
    device: str
    watch: bool = False
    grammar: Grammar | None = None


@dataclass(frozen=True)
class DecodedAnswer:
    """Decoded tokens of one row.

    Attributes:
        text: Without special tokens and cut before a stop string.
        tokens: Number of tokens written, the one that ended the answer included.
        stopped: It ended by itself; otherwise the token limit was reached.
        gap: Smallest difference between the two best scores over all its steps, in logits before
            temperature; infinite where it was not watched.
        broken: A score was not a number (fp16 overflow, a damaged adapter).
    """

    text: str
    tokens: int
    stopped: bool
    gap: float
    broken: bool


def decode(
    decoder: Decoder,
    prompts: Sequence[Sequence[int]],
    settings: GenerationSettings,
    seeds: Sequence[int],
) -> list[DecodedAnswer]:
    """Continue every prompt (token ids, one list a row) by up to ``max_new_tokens`` tokens.

    ``seeds``, one a row, have no effect when greedy.
    """
    import torch
    from transformers import GenerationConfig

    width = max(len(ids) for ids in prompts)
    pads = [width - len(ids) for ids in prompts]
    pad = decoder.tokenizer.pad_token_id
    ids = torch.tensor([[pad] * n + list(p) for n, p in zip(pads, prompts, strict=True)])
    mask = torch.tensor([[0] * n + [1] * len(p) for n, p in zip(pads, prompts, strict=True)])
    constraint = decoder.grammar.constraint(len(prompts), width) if decoder.grammar else None
    chooser = _Chooser(settings, seeds, pads, decoder.watch, constraint)
    stopper = _StopStrings(decoder.tokenizer, settings.stop, width, len(prompts))
    with torch.inference_mode():
        output = decoder.model.generate(
            input_ids=ids.to(decoder.device),
            attention_mask=mask.to(decoder.device),
            generation_config=GenerationConfig(
                max_new_tokens=settings.max_new_tokens,
                do_sample=False,
                eos_token_id=list(decoder.stops),
                pad_token_id=pad,
                use_cache=True,
            ),
            logits_processor=[chooser],
            stopping_criteria=[stopper] if settings.stop else [],
        )
    written = output[:, width:].tolist()
    return [
        cut_answer(decoder, row, settings, ended, steps)
        for row, ended, steps in zip(written, stopper.ended, chooser.rows(), strict=True)
    ]


class _Chooser:
    """Logits processor whose argmax is the next token; it records the gaps of every step."""

    def __init__(
        self,
        settings: GenerationSettings,
        seeds: Sequence[int],
        pads: Sequence[int],
        watch: bool,
        constraint: Constraint | None,
    ) -> None:
        import torch

        self._settings = settings
        self._watch = watch
        self._steps: list[tuple[Any, Any]] = []
        first = [] if constraint is None else [constraint]
        self._processors = [*first, *_processors(settings, pads)]
        self._generators = (
            [torch.Generator().manual_seed(seed) for seed in seeds]
            if settings.temperature > 0
            else []
        )

    def __call__(self, input_ids: Any, scores: Any) -> Any:
        """Return the scores; ``generate`` gives (rows, length) ids and (rows, vocabulary) logits."""
        scores = scores.float()
        for process in self._processors:
            scores = process(input_ids, scores)
        if self._generators:
            scores = scores + gumbel(self._generators, scores)
        if self._watch:
            best = scores.topk(2, dim=-1).values
            # The temperature has divided the rounding errors of the logits too: back to logits.
            gap = (best[:, 0] - best[:, 1]) * (self._settings.temperature or 1.0)
            self._steps.append((best[:, 0].isnan(), gap))
        else:
            self._steps.append((scores.amax(dim=-1).isnan(), None))
        return scores

    def rows(self) -> list[list[tuple[bool, float]]]:
        """Return (broken, gap) of every step, row by row."""
        import torch

        broken = torch.stack([broken for broken, _ in self._steps], dim=1).tolist()
        gaps = (
            torch.stack([gap for _, gap in self._steps], dim=1).tolist()
            if self._watch
            else [[math.inf] * len(row) for row in broken]
        )
        return [list(zip(b, g, strict=True)) for b, g in zip(broken, gaps, strict=True)]


def _processors(settings: GenerationSettings, pads: Sequence[int]) -> list[Any]:
    import torch
    from transformers import RepetitionPenaltyLogitsProcessor

    processors = warpers(settings)
    if settings.repetition_penalty != 1.0:
        # Padding is not part of the prompt: counting it would make a row depend on the batch.
        penalty = RepetitionPenaltyLogitsProcessor(
            settings.repetition_penalty, prompt_ignore_length=torch.tensor(list(pads))
        )
        processors.insert(0, penalty)
    return processors


class _StopStrings:
    """Stopping criterion that ends a row once its text contains a stop string."""

    def __init__(self, tokenizer: Any, stops: Sequence[str], width: int, rows: int) -> None:
        self.ended: list[int | None] = [None] * rows
        self._tokenizer = tokenizer
        self._stops = stops
        self._width = width
        self._reach = stop_reach(stops)

    def __call__(self, input_ids: Any, scores: Any, **_: Any) -> Any:
        """Return which rows are done; ``generate`` asks after every step."""
        import torch

        count = input_ids.shape[1] - self._width
        tails = input_ids[:, self._width :][:, -self._reach :].tolist()
        for i, tail in enumerate(tails):
            if self.ended[i] is None and holds_stop(self._tokenizer, tail, self._stops):
                self.ended[i] = count
        return torch.tensor([end is not None for end in self.ended], device=input_ids.device)


def stop_reach(stops: Sequence[str]) -> int:
    """Return how many of the last tokens must be read to see a stop string that just ended."""
    # A token is at least one byte.
    return max((len(stop.encode()) for stop in stops), default=0) + 8


def holds_stop(tokenizer: Any, tail: Sequence[int], stops: Sequence[str]) -> bool:
    """Return whether the text of these tokens contains a stop string."""
    return _cut(_text(tokenizer, tail), stops) is not None


def cut_answer(
    decoder: Decoder,
    row: Sequence[int],
    settings: GenerationSettings,
    ended: int | None,
    steps: Sequence[tuple[bool, float]],
) -> DecodedAnswer:
    """Cut written tokens where the answer ended.

    Args:
        decoder: Names the tokens that end an answer.
        row: Ids of the written tokens, padding after the end included.
        settings: Has the stop strings.
        ended: Number of tokens after which a stop string was there; None for none.
        steps: (broken, gap) of every token.
    """
    stop = next((i for i, token in enumerate(row) if token in decoder.stops), None)
    count = min(ended or len(row), len(row) if stop is None else stop + 1)
    at_token = stop is not None and stop + 1 == count
    text = _text(decoder.tokenizer, row[: count - 1] if at_token else row[:count])
    cut = _cut(text, settings.stop)
    taken = steps[:count]
    return DecodedAnswer(
        text=text if cut is None else text[:cut],
        tokens=count,
        stopped=at_token or cut is not None,
        gap=min((gap for _, gap in taken), default=math.inf),
        broken=any(broken for broken, _ in taken),
    )


def _text(tokenizer: Any, ids: Sequence[int]) -> str:
    return str(tokenizer.decode(ids, skip_special_tokens=True, clean_up_tokenization_spaces=False))


def _cut(text: str, stops: Sequence[str]) -> int | None:
    """Return where the first stop string begins; None for no stop string."""
    starts = [start for stop in stops if stop and (start := text.find(stop)) >= 0]
    return min(starts, default=None)
