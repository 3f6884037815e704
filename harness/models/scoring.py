"""Log-probabilities of given continuations, token by token, in bounded memory."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any

from harness.models.batching import BatchRow
from harness.records import TokenLogprobs

_CHUNK = 64  # Positions whose whole distribution is in memory in fp32 at a time.


def rate(
    net: Any,
    batch: Sequence[BatchRow],
    pad: int,
    device: str,
    others: Mapping[int, Sequence[int]],
) -> list[list[TokenLogprobs]]:
    """Return the log-probabilities of the last ``row.room`` tokens of every row, given those before.

    Args:
        net: A Hugging Face causal model, in eval mode, with the wanted adapter active.
        batch: ``ids`` are prompt and continuation; ``room`` counts the continuation's tokens.
        pad: Id to pad with, on the left.
        device: Where the model is.
        others: By a row's index, further tokens to rate in the place of its single last one.

    Returns:
        For every row its ratings, then those of its ``others``.
    """
    import torch

    width = max(len(row.ids) for row in batch)
    positions = max(row.room for row in batch) + 1
    ids = torch.tensor([[pad] * (width - len(row.ids)) + row.ids for row in batch])
    mask = torch.tensor([[0] * (width - len(row.ids)) + [1] * len(row.ids) for row in batch])
    # A model that cannot leave out the prompt's logits gives them all.
    takes = inspect.signature(net.forward).parameters
    short = {"logits_to_keep": positions} if "logits_to_keep" in takes else {}
    with torch.inference_mode():
        logits = net(
            input_ids=ids.to(device),
            attention_mask=mask.to(device),
            position_ids=(mask.cumsum(-1) - 1).clamp_min(0).to(device),
            use_cache=False,
            **short,
        ).logits[:, -positions:]
        return [
            [
                _row(logits[i, positions - 1 - row.room : positions - 1], targets)
                for targets in (
                    row.ids[len(row.ids) - row.room :],
                    *([token] for token in others.get(row.index, ())),
                )
            ]
            for i, row in enumerate(batch)
        ]


def _row(logits: Any, targets: list[int]) -> TokenLogprobs:
    """Rate targets from (tokens, vocabulary) logits, each row of which predicts one of them."""
    import torch

    values: list[float] = []
    means: list[float] = []
    stds: list[float] = []
    for start in range(0, len(targets), _CHUNK):
        logp = logits[start : start + _CHUNK].float().log_softmax(dim=-1)
        wanted = torch.tensor(targets[start : start + _CHUNK], device=logp.device)
        values += logp.gather(1, wanted[:, None])[:, 0].tolist()
        p = logp.exp()
        mean = torch.where(p > 0, p * logp, 0.0).sum(dim=-1)
        spread = torch.where(p > 0, p * (logp - mean[:, None]) ** 2, 0.0).sum(dim=-1)
        means += mean.tolist()
        stds += spread.sqrt().tolist()
    return TokenLogprobs(
        token_ids=tuple(targets), logprobs=tuple(values), means=tuple(means), stds=tuple(stds)
    )
