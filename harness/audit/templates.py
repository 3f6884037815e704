"""Wording that many prompts of a data set share at their start or end, such as an Alpaca template.

Left in, it would make any two short prompts near-duplicates, and would hide that a prompt stands in
the training data where only one of the two files wraps it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeAlias

Words: TypeAlias = tuple[str, ...]

LEAST_WORDS = 6
LEAST_ROWS = 20
LEAST_SHARE = 0.1
COVERED = 0.8
"""A template goes on for as long as its common continuations make up this share of its rows: two
forms of one template do, the many ways in which an instruction can begin do not."""


class Templates:
    """Shared beginnings and ends, in words of normalised text."""

    def __init__(self, starts: Iterable[Words] = (), ends: Iterable[Words] = ()) -> None:
        self.starts = sorted(set(starts), key=lambda words: (-len(words), words))
        self.ends = sorted(set(ends), key=lambda words: (-len(words), words))

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Templates:
        """Find the templates of one data set.

        Args:
            texts: Normalised prompts; repeats count once.
        """
        rows = [tuple(text.split()) for text in dict.fromkeys(texts)]
        backwards = [words[::-1] for words in rows]
        return cls(_shared(rows), [words[::-1] for words in _shared(backwards)])

    def __or__(self, other: Templates) -> Templates:
        return Templates([*self.starts, *other.starts], [*self.ends, *other.ends])

    def strip(self, text: str) -> str:
        """``text`` without its longest template at either end; as it is if nothing were left."""
        if not self.starts and not self.ends:
            return text
        words = tuple(text.split())
        for start in self.starts:
            if words[: len(start)] == start:
                words = words[len(start) :]
                break
        for end in self.ends:
            if words[-len(end) :] == end:
                words = words[: -len(end)]
                break
        return " ".join(words) or text


def _shared(rows: Sequence[Words]) -> list[Words]:
    """Beginnings that are long, frequent, and end where the rows go different ways."""
    least = max(LEAST_ROWS, LEAST_SHARE * len(rows))
    if len(rows) < LEAST_ROWS:
        return []
    found: list[Words] = []
    open_nodes: list[tuple[Words, list[Words]]] = [((), list(rows))]
    while open_nodes:
        start, members = open_nodes.pop()
        depth = len(start)
        following = Counter(words[depth] for words in members if len(words) > depth)
        common = [word for word, count in following.items() if count >= least]
        if sum(following[word] for word in common) < COVERED * len(members):
            if depth >= LEAST_WORDS:
                found.append(start)
            continue
        for word in common:
            children = [words for words in members if words[depth : depth + 1] == (word,)]
            open_nodes.append(((*start, word), children))
    return found
