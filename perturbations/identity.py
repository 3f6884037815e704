"""The prompt asked again unchanged: the noise floor."""

from __future__ import annotations

import random
from collections.abc import Sequence

from harness.protocols import PerturbationTraits
from harness.records import Edit
from harness.text.parse import Text


class Identity:
    """Asks the same prompt again, in another batch and past the cache: the noise floor."""

    traits = PerturbationTraits(
        description="the same prompt asked again: the noise",
        version="1",
        same_text=True,
    )

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit]:
        """Propose no edits."""
        return ()
