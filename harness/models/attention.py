"""Attention for steps of one token, in which the queries that share a key head are one product.

``scaled_dot_product_attention`` on a CPU treats every sequence and head by itself where there is one
query position, so that a batch gains nothing. As one matrix product over the queries of a key head it
does. Longer queries go to PyTorch's own.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

GROUPED = "jostle_grouped"


def grouped_attention(
    module: Any,
    query: Any,
    key: Any,
    value: Any,
    attention_mask: Any,
    scaling: float | None = None,
    **kwargs: Any,
) -> tuple[Any, None]:
    """Attend, as a function of transformers' ``AttentionInterface``.

    Args:
        module: The layer's attention module.
        query: Shape (rows, query heads, tokens, head size).
        key: Shape (rows, key heads, positions, head size).
        value: Shape (rows, key heads, positions, head size).
        attention_mask: True where a query may look, shape (rows, 1, tokens, positions).
        scaling: Factor of the scores.
        **kwargs: What the layer gives besides.

    Returns:
        Shape (rows, tokens, query heads, head size), and None for the weights.
    """
    import torch
    from transformers.integrations.sdpa_attention import sdpa_attention_forward

    rows, heads, tokens, size = query.shape
    if tokens > 1:
        return sdpa_attention_forward(  # type: ignore[no-any-return]
            module, query, key, value, attention_mask, scaling=scaling, **kwargs
        )
    groups = key.shape[1]
    grouped = query.reshape(rows, groups, heads // groups, size)
    scores = torch.matmul(grouped, key.transpose(2, 3)) * (scaling or size**-0.5)
    scores = scores.masked_fill(~attention_mask, float("-inf"))
    weights = scores.softmax(dim=-1, dtype=torch.float32).to(value.dtype)
    output = torch.matmul(weights, value)
    return output.reshape(rows, 1, heads, size), None


@contextmanager
def grouped(model: Any) -> Iterator[None]:
    """Let a model attend by :func:`grouped_attention` in this context."""
    from transformers import AttentionInterface

    AttentionInterface.register(GROUPED, grouped_attention)
    config = model.config.get_text_config()
    before = config._attn_implementation
    config._attn_implementation = GROUPED
    try:
        yield
    finally:
        config._attn_implementation = before
