"""Split of training and validation prompts, and the check that no prompt is on both sides."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.data.split import split
from harness.errors import DataError
from harness.records import Sample
from harness.text.embedding import Embed
from harness.text.normalise import normalise_prompt


class HeldOutSplit(NamedTuple):
    """Two sides with no prompt in common."""

    train: list[Sample]
    held_out: list[Sample]


class Overlap(NamedTuple):
    """Rows of a validation set whose prompt is in the training set.

    Attributes:
        exact: With the same text.
        normalised: With the same text except for case, punctuation and white space.
        total: Rows of the validation set.
        examples: Up to three such prompts, shortened.
    """

    exact: int
    normalised: int
    total: int
    examples: tuple[str, ...]

    @property
    def rows(self) -> int:
        """Return the number of overlapping rows of either kind."""
        return self.exact + self.normalised


def group_key(sample: Sample) -> str:
    """Return the normalised text of the whole conversation: equal for equal prompts.

    A conversation that shares only its last turn ("thanks!") with another is another prompt.
    """
    return "\n".join(
        f"{message.role}: {normalise_prompt(message.content)}"
        for message in sample.messages
        if message.role != "system"
    )


def grouped_split(
    samples: Sequence[Sample], fraction: float, seed: int, *, embed: Embed | None = None
) -> HeldOutSplit:
    """Hold out about ``fraction`` of the rows, near-duplicate prompts all on one side.

    Args:
        samples: The rows, in any order, which both sides preserve.
        fraction: Share of the rows to hold out, between 0 and 1.
        seed: Seed of the draw, which depends on the set of prompts and not on their order.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Raises:
        DataError: Too few distinct prompts for two sides.
    """
    shares = {"train": 1 - fraction, "held_out": fraction}
    parts = split(samples, shares, seed=seed, embed=embed).parts
    return HeldOutSplit(parts["train"], parts["held_out"])


def overlap(train: Sequence[Sample], held_out: Sequence[Sample]) -> Overlap:
    """Count the rows of ``held_out`` whose prompt is in ``train``."""
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


def refuse_overlap(overlapping: Overlap, *, train: str, held_out: str) -> None:
    """Stop where validation prompts are in the training data.

    Raises:
        DataError: One line with the count and what to do.
    """
    if overlapping.rows:
        raise DataError(
            f"{held_out}: {overlapping.rows} of {overlapping.total} validation rows have a prompt that is in"
            f" {train} ({overlapping.exact} exactly, {overlapping.normalised} but for case, punctuation or"
            f" spacing; e.g. {overlapping.examples[0]!r}): their loss measures memory. Remove them, use"
            " 'validation_data: {path: ..., only: clean}', or set allow_overlap: true"
        )
