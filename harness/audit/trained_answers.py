"""Leaks by the response: an answer under test that was trained on, whatever prompt it stood under.

A paraphrase of a training prompt shares few letters with it and passes every check of prompts; its
answer, word for word that of the training row, gives it away. An answer leaked where the words that
are its *own* stand in one training answer: all of it, a part, or a lightly edited copy, alone or
within a longer answer.

Own words are those in no boilerplate. Boilerplate is every run of ``RUN`` words that more than a few
training rows hold (``common_from``), or many of the answers under test: disclaimers, answer forms,
the skeleton of a program. So an answer that many rows share, and one made from a
template, have few own words, and with fewer than ``LEAST_WORDS`` (as any short answer) nothing is said.

The answers under test are indexed and the training rows pass by in blocks: memory grows with the
former, and with the runs that the two share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.audit import wording
from harness.audit.similar import Kind
from harness.records import Sample
from harness.text.code_spans import largely_code
from harness.text.normalise import normalise_prompt
from harness.text.word_runs import RUN, Hashes, RunHasher, in_runs, word_count, words

LEAST_WORDS = 8
"""Own words from which an equal answer is a leak; shorter ones are equal by chance."""

LEAST_WORDS_NEAR = 12
"""The same for one that is not equal."""

LEAST_SHARE = 0.5
"""Share of the own words in runs that a training answer holds, from which it is near to it. Editing one
word in ten leaves 0.85, one in five 0.6; two answers to one question share less than 0.2."""

LEAST_SHARE_CODE = 0.8
"""The same for code, whose words are few and follow from the task; under ``wording.ONE_WORD_COUNTS``
words only equal code is a leak."""

COMMON_SHARE, LEAST_COMMON, MOST_COMMON = 0.05, 3, 10
"""A run is boilerplate beyond this share of the rows, within these bounds: a training set that holds
a response under several paraphrases of its prompt must not pass it off as boilerplate."""

CANDIDATES = 4
"""Training answers that share most runs with one under test, which are decided."""

_WORDS_AT_ONCE = 1 << 19
_HITS_AT_ONCE = 1 << 22

Numbers = NDArray[np.int64]


class ResponseMatch(NamedTuple):
    """A training row that holds an answer under test.

    Attributes:
        row: Of the training data, counted from 0.
        kind: Word for word, after normalisation, or nearly: edited, a part, or within a longer one.
        share: Share of the answer's own words that stand there, in [0, 1].
    """

    row: int
    kind: Kind
    share: float


def common_from(rows: int) -> int:
    """Return in how many of ``rows`` rows a run of words may be and not yet be boilerplate."""
    return min(MOST_COMMON, max(LEAST_COMMON, int(COMMON_SHARE * rows)))


def find_responses(
    asked: Sequence[Sample], trained: Sequence[Sample], *, within: bool = False
) -> list[ResponseMatch | None]:
    """Find the answer of every row of ``asked`` among all answers of ``trained``.

    Every answer of a training conversation counts, because all are trained on; of a row under test,
    the reference. ``within`` says that both are one data set: no row is then a match of itself.

    Returns:
        The best match of each row, None where there is none.
    """
    numbers: dict[str, int] = {}
    of_row = [
        numbers.setdefault(sample.reference, len(numbers)) if sample.reference else -1
        for sample in asked
    ]
    if not numbers:
        return [None] * len(asked)
    index = _AskedIndex(list(numbers))
    matched = index.matches(_answers(trained), common_from(len(trained)))
    return [
        None if number < 0 else _best(matched[number], row if within else -1)
        for row, number in enumerate(of_row)
    ]


def _best(matches: Sequence[ResponseMatch], own_row: int) -> ResponseMatch | None:
    return next((match for match in matches if match.row != own_row), None)


class _Answer(NamedTuple):
    """One training answer, with the prompt that it was given to."""

    row: int
    prompt: str
    text: str


def _answers(samples: Sequence[Sample]) -> Iterator[_Answer]:
    """Yield every answer that is trained on."""
    for row, sample in enumerate(samples):
        if sample.reference:
            yield _Answer(row, sample.prompt, sample.reference)
        for before, message in pairwise(sample.messages):
            if message.role == "assistant" and message.content:
                yield _Answer(row, before.content, message.content)


class _Hits(NamedTuple):
    """Runs that training answers share with those under test, a pair each."""

    run: Numbers
    answer: Numbers

    def only(self, kept: NDArray[np.bool_]) -> _Hits:
        return _Hits(self.run[kept], self.answer[kept])


class _AskedIndex:
    """Distinct answers under test by their runs of words."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._hasher = RunHasher()
        self._texts = texts
        self._words = [words(text) for text in texts]
        hashes = [self._hasher(text) for text in self._words]
        self._runs = np.unique(np.concatenate(hashes))
        self._ids: list[Numbers] = [np.searchsorted(self._runs, one) for one in hashes]
        distinct = [np.unique(ids) for ids in self._ids]
        self._asked_with = np.bincount(np.concatenate(distinct), minlength=len(self._runs))
        # Where each run occurs: answers under test, run by run.
        runs = np.concatenate(distinct)
        owners = np.repeat(np.arange(len(texts)), [len(ids) for ids in distinct])
        order = np.argsort(runs, kind="stable")
        self._owners = owners[order]
        self._first = np.concatenate([[0], np.cumsum(self._asked_with)])

    def matches(self, answers: Iterable[_Answer], common: int) -> list[list[ResponseMatch]]:
        """Return the matches of every answer under test, the closest first."""
        seen: list[_Answer] = []
        hits, trained_with = self._collect(answers, common, seen)
        # A test set may hold many versions of one answer.
        asked_common = max(MOST_COMMON, COMMON_SHARE * len(self._texts))
        personal_run = (trained_with <= common) & (self._asked_with <= asked_common)
        hits = hits.only(personal_run[hits.run])
        matched: list[list[ResponseMatch]] = [[] for _ in self._texts]
        for number, candidates in self._candidates(hits):
            ids = self._ids[number]
            personal = ~in_runs(~personal_run[ids], len(self._words[number]))
            long_enough = self._own_words(number, personal)
            if long_enough < LEAST_WORDS:
                continue
            for place, runs in candidates:
                covered = in_runs(np.isin(ids, runs), len(personal)) & personal
                share = float(covered.sum() / personal.sum())
                kind = self._decide(number, seen[place].text, share, long_enough)
                if kind is not None:
                    matched[number].append(ResponseMatch(seen[place].row, kind, round(share, 4)))
            matched[number].sort(key=_closest)
        return matched

    def _own_words(self, number: int, marked: NDArray[np.bool_]) -> float:
        return word_count([self._words[number][at] for at in np.flatnonzero(marked)])

    def _collect(
        self, answers: Iterable[_Answer], common: int, seen: list[_Answer]
    ) -> tuple[_Hits, Numbers]:
        """Read the training answers, each with its prompt once, into ``seen``.

        Returns:
            Shared runs, without most of those that are boilerplate; and for each run the number of
            training answers that hold it.
        """
        trained_with = np.zeros(len(self._runs), dtype=np.int64)
        parts: list[_Hits] = []
        held = 0
        for block in self._blocks(answers, seen):
            trained_with += np.bincount(block.run, minlength=len(self._runs))
            parts.append(block)
            held += len(block.run)
            if held > _HITS_AT_ONCE:
                whole = _joined(parts)
                parts = [whole.only(trained_with[whole.run] <= common)]
                held = len(parts[0].run)
        return _joined(parts), trained_with

    def _blocks(self, answers: Iterable[_Answer], seen: list[_Answer]) -> Iterator[_Hits]:
        known: set[int] = set()
        flat, owners = list[str](), list[int]()
        for answer in answers:
            # A row that is there several times says nothing about boilerplate.
            if (key := hash(answer[1:])) in known:
                continue
            known.add(key)
            text = words(answer.text)
            flat += text
            owners += [len(seen)] * len(text)
            seen.append(answer)
            if len(flat) >= _WORDS_AT_ONCE:
                yield self._hits(self._hasher(flat), np.array(owners))
                flat, owners = [], []
        if flat:
            yield self._hits(self._hasher(flat), np.array(owners))

    def _hits(self, hashes: Hashes, owners: Numbers) -> _Hits:
        """Look the runs of many answers up that follow one another; ``owners`` has one a word."""
        if not len(hashes) or not len(self._runs):
            return _Hits(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
        inside = owners[: len(hashes)] == owners[RUN - 1 :]
        at = np.minimum(np.searchsorted(self._runs, hashes), len(self._runs) - 1)
        hit = inside & (self._runs[at] == hashes)
        pairs = np.unique(owners[: len(hashes)][hit] * len(self._runs) + at[hit])
        return _Hits(pairs % len(self._runs), pairs // len(self._runs))

    def _candidates(self, hits: _Hits) -> Iterator[tuple[int, list[tuple[int, Numbers]]]]:
        """Yield for each answer under test the training answers with most runs in common, and these."""
        counts = self._first[hits.run + 1] - self._first[hits.run]
        within = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        owner = self._owners[np.repeat(self._first[hits.run], counts) + within]
        run, answer = np.repeat(hits.run, counts), np.repeat(hits.answer, counts)
        order = np.lexsort((answer, owner))
        owner, run, answer = owner[order], run[order], answer[order]
        changes = (np.diff(owner) != 0) | (np.diff(answer) != 0)
        starts = np.concatenate([[0], np.flatnonzero(changes) + 1, [len(owner)]])
        by_owner: dict[int, list[tuple[int, Numbers]]] = {}
        for first, last in pairwise(starts.tolist()):
            if last > first:
                pair = int(answer[first]), run[first:last]
                by_owner.setdefault(int(owner[first]), []).append(pair)
        for number, pairs in by_owner.items():
            pairs.sort(key=lambda pair: (-len(pair[1]), pair[0]))
            yield number, pairs[:CANDIDATES]

    def _decide(self, number: int, other: str, share: float, own_words: float) -> Kind | None:
        text = self._texts[number]
        if text == other:
            return "exact"
        code = largely_code(text)
        if share < (LEAST_SHARE_CODE if code else LEAST_SHARE):
            return None
        if share == 1 and normalise_prompt(text) == normalise_prompt(other):
            return "normalised"
        if own_words < (wording.ONE_WORD_COUNTS if code else LEAST_WORDS_NEAR):
            return None
        if own_words < wording.ONE_WORD_COUNTS and self._told_apart(number, other):
            return None
        return "near"

    def _told_apart(self, number: int, other: str) -> bool:
        """Return whether numbers, denials or opposites make two short answers say different things.

        Compared is the part of the other from where the first shared run would have the answer begin
        to where the last one would have it end.
        """
        asked, trained = self._words[number], words(other)
        runs, trained_runs = self._hasher(asked), self._hasher(trained)
        at = np.flatnonzero(np.isin(runs, trained_runs))
        trained_at = np.flatnonzero(np.isin(trained_runs, runs))
        first = max(0, int(trained_at[0] - at[0]))
        part = trained[first : int(trained_at[-1]) + len(asked) - int(at[-1])]
        return wording.difference(" ".join(asked), " ".join(part)) is None


def _closest(match: ResponseMatch) -> tuple[int, float, int]:
    return ("exact", "normalised", "near").index(match.kind), -match.share, match.row


def _joined(parts: Sequence[_Hits]) -> _Hits:
    if not parts:
        return _Hits(np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64))
    return _Hits(np.concatenate([p.run for p in parts]), np.concatenate([p.answer for p in parts]))
