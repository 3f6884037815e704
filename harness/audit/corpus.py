"""A collection of texts, by normalised form, without their templates."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from itertools import combinations

from harness.audit import minhash
from harness.audit.templates import Templates, Unwrapped
from harness.text.normalise import normalise_prompt

_NUMBERING = re.compile(
    r"\A\W*(?:(?:question|exercise|problem|task|prompt|no|nr|q)\b\.?\s*|q)?#?\d{1,6}\s*[.):]+\s+(?=\S)(?=.*\w)",
    re.IGNORECASE | re.DOTALL,
)
_MARK = (
    r"(?:<\|(?:im_start|start_header_id|start)\|>\s*(?:system|user|assistant)\b"
    r"|<start_of_turn>\s*(?:user|model)\b|<end_of_turn>"
    r"|<\|[\w ]{1,30}\|>|\[/?INST\]|<</?SYS>>|</?s>)"
)
_CHAT = re.compile(
    # Only around lines: within one, a marker is what is asked about.
    rf"^[ \t]*(?:{_MARK}[ \t]*){{1,8}}|(?:{_MARK}[ \t]*){{1,8}}$"
    r"|\A[\s#]*(?:user|human)\s*:(?=\s)|(?<=[\s#])(?:assistant|ai)\s*:\s*\Z",
    re.IGNORECASE | re.MULTILINE,
)


def normalised(text: str) -> str:
    """Normalise a text, and drop chat markers and its number in a list ("12.", "Question 3:")."""
    bare = _CHAT.sub("", text)
    return normalise_prompt(_NUMBERING.sub("", bare, count=1) if bare.strip() else text)


class Corpus:
    """Texts with their normalised forms; equal forms are one *key*.

    Args:
        texts: Any number of texts, none of them empty.
        templates: Shared wording that is left out of account.

    Attributes:
        keys: The distinct normalised forms, in order of first appearance.
        key_of: For each text the number of its key.
        unwrapped: Each key without its template.
        cores: What remains of each key.
    """

    def __init__(self, texts: Sequence[str], templates: Templates | None = None) -> None:
        self.texts = texts
        self.templates = templates or Templates()
        numbers: dict[str, int] = {}
        known: dict[str, int] = {}  # repeats are frequent and normalising is not free
        for text in texts:
            if text not in known:
                known[text] = numbers.setdefault(normalised(text), len(numbers))
        self.key_of = [known[text] for text in texts]
        self.keys = list(numbers)
        self.unwrapped: list[Unwrapped] = [self.templates.unwrap(key) for key in self.keys]
        self.cores = [unwrapped.core for unwrapped in self.unwrapped]

    @classmethod
    def of_prompts(cls, texts: Sequence[str]) -> Corpus:
        """Read prompts without the templates that they share."""
        return cls(texts, Templates.learn(map(normalised, texts)))

    @cached_property
    def with_core(self) -> dict[str, list[int]]:
        """Group the numbers of the keys by core."""
        numbers: dict[str, list[int]] = defaultdict(list)
        for number, core in enumerate(self.cores):
            numbers[core].append(number)
        return dict(numbers)

    @cached_property
    def rows_of(self) -> list[list[int]]:
        """Return for each key the rows that have it, in order."""
        rows: list[list[int]] = [[] for _ in self.keys]
        for row, key in enumerate(self.key_of):
            rows[key].append(row)
        return rows

    @cached_property
    def signatures(self) -> minhash.Signatures:
        """Return the MinHash signatures of the cores, in order."""
        return minhash.signatures(self.cores)

    def same(self) -> list[tuple[int, int]]:
        """Return pairs of keys that differ only in that one of them is wrapped in a template."""
        return [
            (a, b)
            for numbers in self.with_core.values()
            for a, b in combinations(numbers, 2)
            if self.unwrapped[a].agrees(self.unwrapped[b])
        ]

    def equal_in(self, left: Corpus, number: int) -> list[int]:
        """Return keys of another corpus with the same templates that say the same as one of these."""
        bare = self.unwrapped[number]
        same = left.with_core.get(bare.core, ())
        return [key for key in same if left.unwrapped[key].agrees(bare)] or [
            key
            for core, start in self.templates.shifted(bare)
            for key in left.with_core.get(core, ())
            if left.unwrapped[key].start == start
        ]
