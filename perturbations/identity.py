"""The prompt asked again unchanged: the noise floor."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.records import Edit

if TYPE_CHECKING:
    from harness.text.parse import Text


class Identity:
    """Asks the same prompt again, in another batch and past the cache: the noise floor."""

    same_text = True

    def __call__(self, text: Text, rng: random.Random) -> Sequence[Edit]:
        """No edits."""
        return ()
