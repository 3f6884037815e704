"""The training responses, and which of them an answer copies: copying from other samples.

Responses are indexed by hashes of their runs of ``RUN`` words, in two sorted arrays. Where there are
more runs than ``MOST_RUNS``, only those with the lowest hashes are kept, of responses and answers
alike, so that memory is bounded and the share of common runs stays an unbiased estimate.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.audit.trained_answers import common_from
from harness.memorisation.copying import longest_span
from harness.memorisation.prompt_choice import ProbedPrompt
from harness.records import Sample
from harness.text.normalise import normalise_prompt
from harness.text.word_runs import RUN, Hashes, RunHasher, in_runs, word_count, words
from harness.util.digest import digest

MOST_RUNS = 20_000_000
LEAST_OWN = 4
"""Own words of a response from which reciting them says something."""

TAUGHT_SHARE = 0.2
"""Share of the training responses from which a word in them belongs to a form, not to a response."""

CANDIDATES = 3
"""Rows with the most runs in common, whose longest copied span is measured."""


class NearestResponse(NamedTuple):
    """A training response, and how much of it an answer holds.

    Attributes:
        row: Row of the training data, counted from 0.
        span: Words in the longest run that both have and that no allowed text has.
        share: Share of the answer's runs of ``RUN`` words that it holds, in [0, 1].
    """

    row: int
    span: float
    share: float


class ResponseIndex:
    """Training responses, one a row, indexed to look up which of them an answer copies.

    At most ``most_runs`` runs are in memory, of 12 bytes each. Empty responses are never returned.
    """

    def __init__(self, responses: Sequence[str], most_runs: int = MOST_RUNS) -> None:
        self._responses = responses
        self._hash_at_each_word = RunHasher()
        self._bar = np.uint64(2**64 - 1)
        hashes: list[Hashes] = []
        rows: list[NDArray[np.uint32]] = []
        held = 0
        for row, response in enumerate(responses):
            runs = self._hashes(response)
            hashes.append(runs)
            rows.append(np.full(len(runs), row, dtype=np.uint32))
            held += len(runs)
            if held > 2 * most_runs:
                hashes, rows = self._thin(hashes, rows, most_runs)
                held = len(hashes[0])
        if held > most_runs:
            hashes, rows = self._thin(hashes, rows, most_runs)
        every = np.concatenate([np.empty(0, dtype=np.uint64), *hashes])
        order = np.argsort(every, kind="stable")
        self._sorted = every[order]
        self._rows = np.concatenate([np.empty(0, dtype=np.uint32), *rows])[order]

    def common(self, text: Sequence[str], most: int) -> NDArray[np.bool_]:
        """Mark the runs of a text, from each word on, that more than ``most`` responses hold.

        A run over the bar of a thinned index counts as rare.
        """
        hashes = self._hash_at_each_word(text)
        left = np.searchsorted(self._sorted, hashes, side="left")
        return (np.searchsorted(self._sorted, hashes, side="right") - left) > most

    def nearest(self, answer: str, allowed: Sequence[str] = ()) -> NearestResponse | None:
        """Return the row with the longest run in common; None where no run of ``RUN`` is shared.

        The runs of ``allowed`` texts are left out of account, because they need not have been copied
        from a row that holds them too.
        """
        answer_words = words(answer)
        at = self._hash_at_each_word(answer_words)
        allowed_runs = [self._hash_at_each_word(words(text)) for text in allowed]
        free = ~np.isin(at, np.concatenate(allowed_runs or [at[:0]]))
        runs = np.unique(at[at <= self._bar])
        searched = np.unique(at[free & (at <= self._bar)])
        left = np.searchsorted(self._sorted, searched, side="left")
        right = np.searchsorted(self._sorted, searched, side="right")
        hits = [self._rows[a:b] for a, b in zip(left, right, strict=True) if b > a]
        if not hits:
            return None
        rows, counts = np.unique(np.concatenate(hits), return_counts=True)
        best = np.lexsort((rows, -counts))[:CANDIDATES]
        parts = list(_stretches(answer_words, free))
        candidates = [
            NearestResponse(
                int(rows[i]),
                max(longest_span(words(self._responses[int(rows[i])]), part) for part in parts),
                min(1.0, float(counts[i]) / runs.size),
            )
            for i in best
        ]
        return max(candidates, key=lambda response: (response.span, response.share, -response.row))

    def _hashes(self, text: str) -> Hashes:
        """Return the hashes of the distinct runs of a text that lie under the bar."""
        hashes = self._hash_at_each_word(words(text))
        return np.unique(hashes[hashes <= self._bar])

    def _thin(
        self, hashes: list[Hashes], rows: list[NDArray[np.uint32]], most: int
    ) -> tuple[list[Hashes], list[NDArray[np.uint32]]]:
        every, of = np.concatenate(hashes), np.concatenate(rows)
        self._bar = np.partition(every, most - 1)[most - 1]
        kept = every <= self._bar
        return [every[kept]], [of[kept]]


def _stretches(text: Sequence[str], free: NDArray[np.bool_]) -> Iterator[Sequence[str]]:
    """Yield the parts of a text in which every run of ``RUN`` words is free."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], free, [False]]).astype(np.int8)))
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        yield text[first : last + RUN - 1]


def rows_of_same_prompt(
    samples: Sequence[Sample], prompts: Sequence[ProbedPrompt]
) -> dict[str, tuple[int, ...]]:
    """Find the rows whose conversation is that of a probed training sample, after normalisation.

    Nearly the same prompts are not searched for, which may take minutes in a large data set: where
    their responses are alike, too, the prompt's own response already accounts for the runs.

    Returns:
        Rows, counted from 0, by the id of each probed training sample.
    """
    probed = {prompt.sample_id for prompt in prompts if prompt.group == "training"}
    if not probed:
        return {}
    rows: dict[tuple[str, ...], list[int]] = defaultdict(list)
    key_of: dict[str, tuple[str, ...]] = {}
    for row, sample in enumerate(samples):
        key = tuple(f"{m.role} {normalise_prompt(m.content)}" for m in sample.messages)
        rows[key].append(row)
        if sample.id in probed:
            key_of[sample.id] = key
    return {sample_id: tuple(rows[key]) for sample_id, key in key_of.items()}


def _parts(word: str) -> list[str]:
    """Return the parts of an identifier, ``read_file`` as ``read`` and ``file``; a word is its own."""
    return [part for part in word.split("_") if part]


def _taught_words(responses: Sequence[str]) -> frozenset[str]:
    """Return the words, and parts of identifiers, that a good share of all responses hold."""
    counts: Counter[str] = Counter()
    for response in responses:
        counts.update({part for word in words(response) for part in _parts(word)})
    least = max(2.0, TAUGHT_SHARE * len(responses))
    return frozenset(part for part, count in counts.items() if count > least)


class TrainingResponses:
    """The training rows as answers are compared with them.

    Attributes:
        content: Digest of the rows.
        rows_of: By the id of a probed training sample, the rows with the same prompt: an answer that
            repeats them copies from no *other* sample.
    """

    def __init__(self, samples: Sequence[Sample], prompts: Sequence[ProbedPrompt]) -> None:
        self._responses = [sample.reference or "" for sample in samples]
        self._index = ResponseIndex(self._responses)
        self._hasher = RunHasher()
        self._taught = _taught_words(self._responses)
        self.content = digest([sample.made_from for sample in samples])
        self.rows_of = rows_of_same_prompt(samples, prompts)

    def own_recitation(self, rest: str, continuation: str, prompt: str) -> dict[str, float]:
        """Measure how much of a response's own words a continuation recites.

        Own words stand neither in the prompt nor in what many training responses say: a model that
        was taught a form writes the rest of every response word for word and has seen none. That holds
        for runs, and word by word for a form that the prompt's own words fill ("def PROMPT(value)").

        Returns:
            ``own_words``; and ``own_share``, the share of them in runs that the continuation has,
            where there are ``LEAST_OWN`` or more.
        """
        expected = words(rest)
        hashes = self._hasher(expected)
        explained = self._index.common(expected, common_from(len(self._responses)))
        explained |= np.isin(hashes, self._hasher(words(prompt)))
        marked = ~in_runs(explained, len(expected))
        given = self._taught | {part for word in words(prompt) for part in _parts(word)}
        marked &= np.array(
            [not given.issuperset(_parts(word)) for word in expected], dtype=np.bool_
        )
        count = word_count([expected[at] for at in np.flatnonzero(marked)])
        if count < LEAST_OWN:
            return {"own_words": count}
        written = self._hasher(words(continuation)[: 2 * len(expected)])
        recited = in_runs(np.isin(hashes, written), len(expected)) & marked
        return {"own_words": count, "own_share": float(recited.sum() / marked.sum())}

    def nearest(self, answer: str, reference: str, rows: Collection[int]) -> NearestResponse | None:
        """Return the row of another sample that an answer copies most from.

        Repeating the prompt's response (``reference``), or the responses of the ``rows`` with the same
        prompt, is no copying from another sample.
        """
        return self._index.nearest(answer, [reference, *(self._responses[row] for row in rows)])
