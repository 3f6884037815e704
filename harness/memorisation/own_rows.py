"""Which training rows are a prompt's own: what an answer has from them is no other sample's."""

from __future__ import annotations

from collections.abc import Sequence

from harness.memorisation.prompt_choice import Item
from harness.records import Message, Sample
from harness.text.normalise import normalise_prompt


def own_rows(samples: Sequence[Sample], items: Sequence[Item]) -> dict[str, tuple[int, ...]]:
    """Rows whose conversation is that of a probed training sample, after normalisation.

    Nearly the same prompts are not searched for, which may take minutes in a large data set: where
    their responses are alike, too, the answer's own response already accounts for the runs.

    Args:
        samples: Every row that was trained on.
        items: What is probed.

    Returns:
        Rows, counted from 0, by the id of each training sample among the items.
    """
    wanted = {item.sample_id for item in items if item.group == "training"}
    if not wanted:
        return {}
    rows: dict[tuple[str, ...], list[int]] = {}
    key_of: dict[str, tuple[str, ...]] = {}
    for row, sample in enumerate(samples):
        key = _key(sample.messages)
        rows.setdefault(key, []).append(row)
        if sample.id in wanted:
            key_of[sample.id] = key
    return {sample_id: tuple(rows[key]) for sample_id, key in key_of.items()}


def _key(messages: Sequence[Message]) -> tuple[str, ...]:
    return tuple(f"{message.role} {normalise_prompt(message.content)}" for message in messages)
