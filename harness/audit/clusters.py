"""Groups of rows whose prompts are the same or nearly the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from harness.audit.corpus import Corpus
from harness.audit.leakage import Question, questions
from harness.audit.lookup import near_pairs
from harness.audit.similar import NearPairs
from harness.audit.trained_answers import find_responses
from harness.errors import MissingPackage
from harness.records import Sample
from harness.text.embedding import Embed


class Clusters(NamedTuple):
    """Rows by cluster.

    Attributes:
        of_row: For each row its cluster, numbered in order of first appearance.
        search: The near-duplicates that tie them, and what could not be looked at.
    """

    of_row: list[int]
    search: NearPairs

    @property
    def total(self) -> int:
        """Return the number of clusters."""
        return max(self.of_row, default=-1) + 1


def cluster(corpus: Corpus, *, tie_undecided: bool = False, embed: Embed | None = None) -> Clusters:
    """Put rows together whose keys say the same, or are tied by a chain of near-duplicates.

    With ``tie_undecided``, pairs that were too many to decide are tied, too.
    """
    search = near_pairs(corpus, embed=embed)
    ties = [*corpus.same(), *((pair.left, pair.right) for pair in search.pairs)]
    if tie_undecided:
        ties += search.undecided
    root = connected(len(corpus.keys), ties)
    return Clusters(_numbered(root[key] for key in corpus.key_of), search)


def cluster_rows(samples: Sequence[Sample], *, embed: Embed | None = None) -> Clusters:
    """Put rows together of which one would leak into the other, see ``leakage.leakage``.

    Pairs that were too many to decide are tied: apart, they could leak. For rows of one turn that is
    ``cluster``. A conversation is also tied to rows that ask what one of its earlier turns asks, and
    a row to the one that holds its answer.
    """
    asked = questions(samples, all_turns=True)
    final = {part[:2] for part in questions(samples)}
    texts = [part.text for part in asked]
    clusters = cluster(Corpus.of_prompts(texts), tie_undecided=True, embed=embed)
    ties = [
        (parts[0].row, part.row)
        for parts in _members(asked, clusters).values()
        # Two conversations that both begin with "Hello" ask nothing alike.
        if any(part[:2] in final for part in parts)
        for part in parts[1:]
    ]
    answers = find_responses(samples, samples, within=True)
    ties += [(match.row, row) for row, match in enumerate(answers) if match is not None]
    return Clusters(_numbered(connected(len(samples), ties)), clusters.search)


class Families(NamedTuple):
    """Prompts under test with the family of each.

    Attributes:
        samples: In the order given.
        undecided: Similar pairs that were too many to decide; they are not tied.
        by_letters: Why meanings were not compared: what only they could tell apart is then tied, so
            that intervals err on the wide side. None where they were.
    """

    samples: list[Sample]
    undecided: int
    by_letters: str | None = None


def mark_families(samples: Sequence[Sample], *, embed: Embed | None = None) -> Families:
    """Mark every prompt with its family of near-duplicates: answers within one are not independent.

    Only what is asked counts, the conversation or its last turn. The name of a family is the least id
    in it, so that it does not depend on the order of the rows.
    """
    asked = questions(samples)
    corpus, by_letters = Corpus.of_prompts([part.text for part in asked]), None
    try:
        clusters = cluster(corpus, embed=embed)
    except MissingPackage as error:
        by_letters = str(error)
        clusters = cluster(corpus, embed=lambda texts: np.ones((len(texts), 1), np.float32))
    members = _members(asked, clusters).values()
    root = connected(len(samples), [(p[0].row, part.row) for p in members for part in p[1:]])
    name: dict[int, str] = {}
    for row, sample in zip(root, samples, strict=True):
        name[row] = min(name.get(row, sample.id), sample.id)
    marked = [
        sample.model_copy(update={"family": name[row]})
        for row, sample in zip(root, samples, strict=True)
    ]
    return Families(marked, len(clusters.search.undecided), by_letters)


def _members(asked: Sequence[Question], clusters: Clusters) -> dict[int, list[Question]]:
    """Return the questions of each cluster."""
    members: dict[int, list[Question]] = defaultdict(list)
    for part, number in zip(asked, clusters.of_row, strict=True):
        members[number].append(part)
    return members


def _numbered(items: Iterable[int]) -> list[int]:
    """Number equal items alike, in order of first appearance."""
    numbers: dict[int, int] = {}
    return [numbers.setdefault(item, len(numbers)) for item in items]


def connected(size: int, ties: Sequence[tuple[int, int]]) -> list[int]:
    """Return the least member of each item's connected component (union by least, path halving)."""
    parent = list(range(size))

    def find(item: int) -> int:
        while parent[item] != item:
            parent[item] = parent[parent[item]]
            item = parent[item]
        return item

    for a, b in ties:
        low, high = sorted((find(a), find(b)))
        parent[high] = low
    return [find(item) for item in range(size)]
