"""The second gate: how likely a strict reader would pass a rewording, learned from read pairs.

It knows nothing of the rules that made the rewording: it sees two parses of the sentences that the
edits touch (``edit_features.py``) and MiniLM's view of every word in them (``context_features.py``),
which the similarity floor computes anyway. Boosted trees in ``acceptability.json`` turn
these into a probability; each kind that the gate pays for has a threshold there, and only those are
scored. How it was fitted and what it is worth: ``tests/support/fit_acceptability.py`` and
``perturbations/README.md``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from harness.text.embedding import TokenStates
from harness.text.parse import nlp, parsable
from harness.util.digest import digest
from harness.variants.alignment import align
from harness.variants.checks import Passage
from harness.variants.context_features import context_features, windows
from harness.variants.edit_features import features

WEIGHTS = Path(__file__).with_name("acceptability.json")


class TreeNode(NamedTuple):
    """One node of a tree: a test with two branches, or a leaf.

    Attributes:
        feature: Index of the number that is tested; -1 for a leaf.
        threshold: Up to it the left branch is taken.
        left: Index of the node on the left.
        right: Index of the node on the right.
        value: What a leaf adds to the log-odds.
    """

    feature: int
    threshold: float
    left: int
    right: int
    value: float


class AcceptabilityModel(BaseModel):
    """Boosted trees over the features of an edit, and what they were fitted on.

    Attributes:
        features: Names of the numbers, in the order that the trees count them; the kinds follow.
        kinds: Kinds of rewording that were read; others get no score.
        thresholds: Least score by kind, where the gate pays; a kind without one is not scored.
        intercept: Log-odds before any tree.
        trees: Nodes of each tree, the root first.
        pairs: How many read pairs it was fitted on.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    features: tuple[str, ...]
    kinds: tuple[str, ...]
    thresholds: Mapping[str, float]
    intercept: float
    trees: tuple[tuple[TreeNode, ...], ...]
    pairs: int

    @cached_property
    def fingerprint(self) -> str:
        """Return the digest of everything that decides."""
        return digest(self.model_dump(mode="json"))

    def score(self, values: Mapping[str, float], kind: str) -> float:
        """Return the probability that the pair is good, to four decimals."""
        row = [values[name] for name in self.features] + [float(k == kind) for k in self.kinds]
        log_odds = self.intercept + sum(_leaf(tree, row) for tree in self.trees)
        return round(1 / (1 + math.exp(-log_odds)), 4)


def _leaf(tree: Sequence[TreeNode], row: Sequence[float]) -> float:
    node = tree[0]
    while node.feature >= 0:
        node = tree[node.left if row[node.feature] <= node.threshold else node.right]
    return node.value


@lru_cache(maxsize=1)
def shipped() -> AcceptabilityModel:
    """Return the model that comes with the package."""
    return AcceptabilityModel.model_validate_json(WEIGHTS.read_text(encoding="utf-8"))


def numbers(passage: Passage, doc: Any, states: Mapping[str, TokenStates]) -> dict[str, float]:
    """Return everything that the gate looks at, by name."""
    alignment = align(passage, doc)
    return features(passage, alignment) | context_features(passage, alignment, states)


class Acceptance(NamedTuple):
    """The second gate's view of one candidate.

    Attributes:
        score: Probability that it is good; None for a kind without a threshold.
        reason: Why it is rejected, or None.
    """

    score: float | None
    reason: str | None


def texts(
    passages: Sequence[tuple[Passage, str]], model: AcceptabilityModel | None = None
) -> list[str]:
    """Return the distinct texts whose token states ``accept`` needs."""
    model = model or shipped()
    read = (passage for passage, kind in passages if _kind(kind) in model.thresholds)
    return list(dict.fromkeys(t for passage in read for pair in windows(passage) for t in pair))


def _kind(name: str) -> str:
    return "+" if "+" in name else name


def accept(
    passages: Sequence[tuple[Passage, str]],
    states: Mapping[str, TokenStates],
    model: AcceptabilityModel | None = None,
) -> list[Acceptance]:
    """Score candidates, each with its kind, and hold them to the thresholds.

    ``states`` holds the token states of ``texts(passages)``. Compositions, named ``a+b``, count as one kind, ``+``; their steps went through the gate each by
    itself. Each distinct text is parsed once.
    """
    model = model or shipped()
    kinds = [_kind(kind) for _, kind in passages]
    changed = dict.fromkeys(
        passage.after
        for (passage, _), kind in zip(passages, kinds, strict=True)
        if kind in model.thresholds
    )
    docs = dict(zip(changed, nlp().pipe(map(parsable, changed), batch_size=64), strict=True))
    outcomes = []
    for (passage, _), kind in zip(passages, kinds, strict=True):
        if kind not in model.thresholds:
            outcomes.append(Acceptance(None, None))
            continue
        score = model.score(numbers(passage, docs[passage.after], states), kind)
        least = model.thresholds[kind]
        fails = f"acceptability: {score:.2f} is below {least:.2f}" if score < least else None
        outcomes.append(Acceptance(score, fails))
    return outcomes
