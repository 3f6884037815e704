"""Splits without leaks: all rows of one prompt, exact or normalised, stay on one side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.data import normalise_prompt
from harness.digest import derived_rng
from harness.errors import DataError
from harness.records import Sample


class Split(NamedTuple):
    """Two sides with no prompt in common."""

    train: list[Sample]
    held_out: list[Sample]


class Overlap(NamedTuple):
    """Rows of a validation set whose prompt stands in the training set.

    Attributes:
        exact: With the very same text.
        normalised: With the same text but for case, punctuation and white space.
        total: Rows of the validation set.
        examples: Up to three such prompts, shortened.
    """

    exact: int
    normalised: int
    total: int
    examples: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Overlapping rows of either kind."""
        return self.exact + self.normalised


def group_key(sample: Sample) -> str:
    """What makes two samples the same prompt: the normalised text of the whole conversation.

    A conversation that shares only its last turn ("thanks!") with another is another prompt.
    """
    return "\n".join(
        f"{message.role}: {normalise_prompt(message.content)}"
        for message in sample.messages
        if message.role != "system"
    )


def grouped_split(samples: Sequence[Sample], fraction: float, seed: int) -> Split:
    """Hold out about ``fraction`` of the distinct prompts, with all their rows.

    Args:
        samples: The rows, in any order; their order is kept on both sides.
        fraction: Share of the prompts to hold out, between 0 and 1; at least one is.
        seed: Seed of the draw, which depends on the set of prompts and not on their order.

    Raises:
        DataError: Fewer than two distinct prompts.
    """
    groups = sorted({group_key(sample) for sample in samples})
    if len(groups) < 2:
        raise DataError(
            f"cannot split {len(samples)} rows with {len(groups)} distinct prompts: all rows of one"
            " prompt belong on one side"
        )
    wanted = min(max(1, round(len(groups) * fraction)), len(groups) - 1)
    held = set(derived_rng(seed, "split").sample(groups, wanted))
    train = [sample for sample in samples if group_key(sample) not in held]
    return Split(train, [sample for sample in samples if group_key(sample) in held])


def overlap(train: Sequence[Sample], held_out: Sequence[Sample]) -> Overlap:
    """Count the rows of ``held_out`` whose prompt stands in ``train``."""
    exact_keys = {tuple(sample.messages) for sample in train}
    keys = {group_key(sample) for sample in train}
    exact = [sample for sample in held_out if tuple(sample.messages) in exact_keys]
    same = [
        sample
        for sample in held_out
        if tuple(sample.messages) not in exact_keys and group_key(sample) in keys
    ]
    examples = tuple(sample.prompt[:60] for sample in [*exact, *same][:3])
    return Overlap(len(exact), len(same), len(held_out), examples)


def refuse_overlap(found: Overlap, *, train: str, held_out: str) -> None:
    """Stop where validation prompts stand in the training data.

    Raises:
        DataError: One line with the count and what to do.
    """
    if found.rows:
        raise DataError(
            f"{held_out}: {found.rows} of {found.total} validation rows have a prompt that stands in"
            f" {train} ({found.exact} exactly, {found.normalised} but for case, punctuation or"
            f" spacing; e.g. {found.examples[0]!r}): their loss measures memory. Remove them, use"
            " 'validation_data: {path: ..., only: clean}', or set allow_overlap: true"
        )
