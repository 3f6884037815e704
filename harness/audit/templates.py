"""Wording that many prompts of a data set share at their start or end, such as an Alpaca template.

Left in, it would make any two short prompts near-duplicates, and would hide that a prompt is in
the training data where only one of the two files wraps it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple, TypeAlias

Words: TypeAlias = tuple[str, ...]

LEAST_WORDS = 6
LEAST_ROWS = 20
LEAST_SHARE = 0.1

FEWEST_ROWS = 3
"""In a data set of fewer than ``LEAST_ROWS``, where nearly all rows must share the wording."""

NEARLY_ALL = 0.8

COVERED = 0.8
"""A template goes on for as long as its common continuations make up this share of its rows: two
forms of one template do, the many ways in which an instruction can begin do not."""

LEAVING = 0.05
"""Share of the rows that go another way, from which this is where the prompts begin."""

OVERHANG = 6
"""Words by which a template may reach into prompts that happen to begin alike ("What is the ...")."""


class Unwrapped(NamedTuple):
    """A text without its template (empty where it has none); the core is never empty."""

    start: Words
    core: str
    end: Words

    def agrees(self, other: Unwrapped) -> bool:
        """Return whether both are wrapped alike, at each end, or one of them is not at all."""
        return (self.start == other.start or not self.start or not other.start) and (
            self.end == other.end or not self.end or not other.end
        )


class Templates:
    """Shared beginnings and ends, in words of normalised text.

    Args:
        starts: Beginnings.
        ends: Ends.
        after: For a beginning, ends that its rows share; these may be short.
        before: For an end, beginnings that its rows share; these may be short.
    """

    def __init__(
        self,
        starts: Iterable[Words] = (),
        ends: Iterable[Words] = (),
        after: Mapping[Words, Sequence[Words]] | None = None,
        before: Mapping[Words, Sequence[Words]] | None = None,
    ) -> None:
        self.starts = sorted(set(starts), key=_longest)
        self.ends = sorted(set(ends), key=_longest)
        self.after, self.before = (
            {words: sorted(set(beside), key=_longest) for words, beside in (others or {}).items()}
            for others in (after, before)
        )

    @classmethod
    def learn(cls, texts: Iterable[str]) -> Templates:
        """Find the templates of one data set in its normalised prompts; repeats count once."""
        rows = [tuple(text.split()) for text in dict.fromkeys(texts)]
        starts = _shared(rows)
        turned = [words[::-1] for words in rows]
        ends = _shared(turned)
        # Beside a long start a single word, "Response:", is known for a template, too; and so is
        # "Task:" before a long end.
        after = {start: _turned(_beside(start, rows)) for start in starts}
        before = {end[::-1]: _beside(end, turned) for end in ends}
        return cls(starts, _turned(ends), after, before)

    def __or__(self, other: Templates) -> Templates:
        return Templates(
            [*self.starts, *other.starts],
            [*self.ends, *other.ends],
            _both(self.after, other.after),
            _both(self.before, other.before),
        )

    def unwrap(self, text: str) -> Unwrapped:
        """Strip the longest template at either end of ``text``, unless nothing would be left."""
        if not self.starts and not self.ends:
            return Unwrapped((), text, ())
        words = tuple(text.split())
        start = next((known for known in self.starts if words[: len(known)] == known), ())
        words = words[len(start) :]
        ends = sorted([*self.ends, *self.after.get(start, ())], key=_longest)
        end = next((known for known in ends if words[-len(known) :] == known), ())
        words = words[: len(words) - len(end)]
        if not start:
            known_before = self.before.get(end, ())
            start = next((known for known in known_before if words[: len(known)] == known), ())
            words = words[len(start) :]
        core = " ".join(words)
        return Unwrapped(start, core, end) if core else Unwrapped((), text, ())

    def shifted(self, unwrapped: Unwrapped) -> Iterator[tuple[str, Words]]:
        """Yield other cores of a text, if a template reaches into the prompts it was learned from.

        Yields:
            A core, and the start that texts with this core must have; empty for none.
        """
        if unwrapped.start:
            for length in range(1, min(OVERHANG, len(unwrapped.start)) + 1):
                yield " ".join((*unwrapped.start[-length:], unwrapped.core)), ()
            return
        words = tuple(unwrapped.core.split())
        for start in dict.fromkeys((*self.starts, *chain.from_iterable(self.before.values()))):
            for length in range(1, min(OVERHANG, len(words) - 1) + 1):
                if words[:length] == start[-length:]:
                    yield " ".join(words[length:]), start


def _beside(start: Words, rows: Sequence[Words]) -> list[Words]:
    """Return what nearly all rows with this start share at their other end, read from there."""
    rests = [words[len(start) :][::-1] for words in rows if words[: len(start)] == start]
    return _shared(rests, words=1, by_all=True)


def _turned(sequences: Iterable[Words]) -> list[Words]:
    return [words[::-1] for words in sequences]


def _both(
    one: Mapping[Words, Sequence[Words]], other: Mapping[Words, Sequence[Words]]
) -> dict[Words, list[Words]]:
    return {key: [*one.get(key, ()), *other.get(key, ())] for key in {*one, *other}}


def _shared(
    rows: Sequence[Words], *, words: int = LEAST_WORDS, by_all: bool = False
) -> list[Words]:
    """Return beginnings that are long, frequent, and end where the rows continue differently."""
    if len(rows) < FEWEST_ROWS:
        return []
    if by_all or len(rows) < LEAST_ROWS:
        least = max(FEWEST_ROWS, math.ceil(NEARLY_ALL * len(rows)))
    else:
        least = max(LEAST_ROWS, math.ceil(LEAST_SHARE * len(rows)))
    leaving: dict[Words, float] = {}
    open_nodes: list[tuple[Words, list[Words]]] = [((), list(rows))]
    while open_nodes:
        start, members = open_nodes.pop()
        depth = len(start)
        following = Counter(row[depth] for row in members if len(row) > depth)
        common = [word for word, count in following.items() if count >= least]
        covered = sum(following[word] for word in common) / len(members)
        if depth >= words and covered < 1:
            leaving[start] = 1 - covered
        for word in common if covered >= COVERED else ():
            children = [row for row in members if row[depth : depth + 1] == (word,)]
            open_nodes.append(((*start, word), children))
    return [start for start in leaving if not _reaches_into_prompts(start, leaving)]


def _reaches_into_prompts(start: Words, leaving: Mapping[Words, float]) -> bool:
    """Return whether many rows leave a template shortly before its end, which then is not shared."""
    return any(
        leaving.get(start[: len(start) - back], 0) >= LEAVING for back in range(1, OVERHANG + 1)
    )


def _longest(words: Words) -> tuple[int, Words]:
    return -len(words), words
