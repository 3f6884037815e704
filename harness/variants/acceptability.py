"""The second gate: how likely a strict reader would pass a rewording, learned from read pairs.

It knows nothing of the rules that made the rewording: only two parses of the sentences that the
edits touch and the numbers of ``edit_features.py``. Boosted trees in ``acceptability.json`` turn
these into a probability; each kind that the gate pays for has a threshold there. How it was fitted
and what it costs: ``tests/support/fit_acceptability.py``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict

from harness.text.parse import nlp, parsable
from harness.util.digest import digest
from harness.variants.alignment import align
from harness.variants.checks import Passage
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
        thresholds: Least score by kind, where the gate pays; a kind without one is only scored.
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


class Acceptance(NamedTuple):
    """The second gate's view of one candidate.

    Attributes:
        score: Probability that it is good; None for a kind of which no pairs were read.
        reason: Why it is rejected, or None.
    """

    score: float | None
    reason: str | None


def accept(
    passages: Sequence[tuple[Passage, str]], model: AcceptabilityModel | None = None
) -> list[Acceptance]:
    """Score candidates, each with its kind, and hold them to the thresholds.

    Compositions, named ``a+b``, count as one kind, ``+``; their steps went through the gate each by
    itself. Each distinct text is parsed once.
    """
    model = model or shipped()
    kinds = ["+" if "+" in kind else kind for _, kind in passages]
    texts = dict.fromkeys(
        passage.after
        for (passage, _), kind in zip(passages, kinds, strict=True)
        if kind in model.kinds
    )
    docs = dict(zip(texts, nlp().pipe(map(parsable, texts), batch_size=64), strict=True))
    outcomes = []
    for (passage, _), kind in zip(passages, kinds, strict=True):
        if kind not in model.kinds:
            outcomes.append(Acceptance(None, None))
            continue
        score = model.score(features(passage, align(passage, docs[passage.after])), kind)
        least = model.thresholds.get(kind, 0.0)
        fails = f"acceptability: {score:.2f} is below {least:.2f}" if score < least else None
        outcomes.append(Acceptance(score, fails))
    return outcomes
