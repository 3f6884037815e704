"""No prompt on both sides: splits, and the check of two given files."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from harness.audit.similar import Embed
from harness.data.split import split
from harness.errors import DataError
from harness.records import Sample
from harness.text.normalise import normalise_prompt


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


def grouped_split(
    samples: Sequence[Sample], fraction: float, seed: int, *, embed: Embed | None = None
) -> Split:
    """Hold out about ``fraction`` of the rows, near-duplicate prompts all on one side.

    Args:
        samples: The rows, in any order; their order is kept on both sides.
        fraction: Share of the rows to hold out, between 0 and 1.
        seed: Seed of the draw, which depends on the set of prompts and not on their order.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Raises:
        DataError: Too few distinct prompts for two sides.
    """
    shares = {"train": 1 - fraction, "held_out": fraction}
    parts = split(samples, shares, seed=seed, embed=embed).parts
    return Split(parts["train"], parts["held_out"])


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
