"""The prompts that estimates are about: all of them, clean or leaked ones, those of a topic."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from harness.analysis.estimates import ScopeName
from harness.analysis.summary_schema import AuditCount
from harness.analysis.table import Mask, Table, prompt_cluster
from harness.records import Sample
from harness.stats.closed_forms import Floats

MIN_SCOPE = 10
"""Fewest prompts for which a part of the run (clean, leaked, a topic) is estimated on its own."""

MAX_TOPICS = 30

_WORSE_LAST = ("clean", "unchecked", "leaked")


@dataclass(frozen=True)
class Scope:
    """The prompts that a set of estimates is about, shape (clusters,); of one topic or of all."""

    name: ScopeName
    prompts: Mask
    topic: str | None = None

    def only(self, values: Floats) -> Floats:
        """Return ``values`` with the prompts out of scope made missing."""
        return np.where(self.prompts, values, np.nan)


def count_audit(table: Table, samples: Sequence[Sample]) -> AuditCount:
    """Count source prompts by the audit's verdict; one leaked sample makes its prompt leaked."""
    verdicts = _verdicts(samples)
    counts = Counter(verdicts[content] for content in table.clusters)
    return AuditCount(**{name: counts[name] for name in _WORSE_LAST})


def _verdicts(samples: Sequence[Sample]) -> dict[str, str]:
    verdicts: dict[str, str] = {}
    for sample in samples:
        content = prompt_cluster(sample)
        verdicts[content] = max(verdicts.get(content, "clean"), sample.audit, key=_WORSE_LAST.index)
    return verdicts


def scopes_of(table: Table, samples: Sequence[Sample]) -> list[Scope]:
    """Return all prompts; where some leaked, also those that did not and those that did."""
    scopes = [Scope("all", np.ones(len(table.clusters), dtype=np.bool_))]
    verdicts = _verdicts(samples)
    leaked = np.array([verdicts[c] == "leaked" for c in table.clusters], dtype=np.bool_)
    if not leaked.any():
        return scopes
    if (~leaked).sum() >= MIN_SCOPE:
        scopes.append(Scope("clean", ~leaked))
    scopes.append(Scope("leaked", leaked))
    return scopes


def main_scope(scopes: Sequence[Scope]) -> Scope:
    """Return what the finding rests on: the clean prompts where some leaked, else all."""
    return next((scope for scope in scopes if scope.name == "clean"), scopes[0])


def topics_of(table: Table, key: str) -> list[Scope]:
    """Return one scope for each topic with enough prompts, the largest first.

    ``key`` is the field of a sample's metadata that names its topic.
    """
    values = (sample.metadata.get(key) for sample in table.samples)
    topics = np.array(["" if value is None else str(value) for value in values], dtype=np.str_)
    counts = Counter(map(str, topics[topics != ""]))
    if len(counts) < 2:
        return []
    ranked = sorted(counts, key=lambda name: (-counts[name], name))
    return [
        Scope("all", topics == name, name)
        for name in ranked[:MAX_TOPICS]
        if counts[name] >= MIN_SCOPE
    ]
