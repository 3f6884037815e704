"""Figures of the searches for worst cases: drops, differences from the baseline, examples.

For one prompt, the drop is how much worse the worst rewording found is than the original, 0 where
none is worse; both subjects' searches had the same budget. Means are over source prompts by content,
with the intervals of every other estimate. No test is made: the searches stay out of the family.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.analysis.estimates import Interval
from harness.analysis.table import families_of, prompt_cluster
from harness.analysis.test_family import BootstrapSettings, Quantity, number, solve
from harness.analysis.worst_found_schema import (
    FoundCase,
    FoundDifference,
    FoundExample,
    FoundWorst,
    WorstFound,
)
from harness.records import Dimension, Sample, Search, Severity
from harness.stats.closed_forms import Floats
from harness.stats.ratios import clustered_wilson

EXAMPLES = 6


class Searched(NamedTuple):
    """Names what was searched: all subjects' searches of one are compared."""

    kind: str
    severity: Severity
    judge: str
    dimension: str
    budget: int

    @classmethod
    def of(cls, search: Search) -> Searched:
        """Return what a search belongs to."""
        return cls(
            search.perturbation, search.severity, search.judge, search.dimension, search.budget
        )

    def fields(self, subject: str) -> dict[str, Any]:
        """Return the fields that name a row."""
        return {
            "subject": subject,
            "kind": self.kind,
            "severity": self.severity,
            "judge": self.judge,
            "dimension": self.dimension,
        }


@dataclass(frozen=True)
class FoundRecords:
    """The searches of a run, and what they are to be compared by."""

    samples: Sequence[Sample]
    searches: Sequence[Search]
    subjects: Sequence[str]
    baseline: str
    dimensions: Mapping[Searched, Dimension]


def worst_found(records: FoundRecords, settings: BootstrapSettings) -> WorstFound:
    """Estimate what the searches found; those of another suite than this one are left out."""
    groups: dict[tuple[Searched, str], list[Search]] = {}
    for search in records.searches:
        groups.setdefault((Searched.of(search), search.subject), []).append(search)
    clusters = _clusters(records.samples)
    family_of_sample = families_of(records.samples)
    families = np.zeros(len(set(clusters.values())), dtype=np.int64)
    for id_, place in clusters.items():
        families[place] = family_of_sample[id_]
    rows, contrasts = [], []
    for searched, dimension in records.dimensions.items():
        span = dimension.high - dimension.low
        drops = {
            subject: _drops(groups.get((searched, subject), ()), clusters)
            for subject in records.subjects
        }
        others = [subject for subject in records.subjects if subject != records.baseline]
        levels = {s: Quantity(values, (0.0, span)) for s, values in drops.items()}
        differences = {
            s: Quantity(drops[s] - drops[records.baseline], (-span, span)) for s in others
        }
        solved = solve([*levels.values(), *differences.values()], settings, families)
        for subject in records.subjects:
            estimate = solved[levels[subject]]
            of_subject = groups.get((searched, subject), [])
            ends = Counter(search.ended for search in of_subject)
            rows.append(
                FoundWorst(
                    **searched.fields(subject),
                    budget=searched.budget,
                    n=estimate.n,
                    drop=estimate if estimate.n else None,
                    harmed=_share(drops[subject], families),
                    calls=sum(s.calls for s in of_subject) / max(len(of_subject), 1),
                    settled=ends["settled"],
                    spent=ends["budget"],
                    no_candidate=ends["no_candidate"],
                    not_scored=ends["not_scored"],
                )
            )
        for subject in others:
            estimate = solved[differences[subject]]
            contrasts.append(
                FoundDifference(
                    **searched.fields(subject),
                    against=records.baseline,
                    n=estimate.n,
                    difference=estimate if estimate.n else None,
                )
            )
    examples = _examples(records, groups)
    return WorstFound(rows=tuple(rows), contrasts=tuple(contrasts), examples=tuple(examples))


def _clusters(samples: Sequence[Sample]) -> dict[str, int]:
    """Return the source prompt of every sample: those of the same content are one."""
    known: dict[str, int] = {}
    # By id: no figure may depend on the order of the rows in a file.
    ordered = sorted(samples, key=lambda sample: sample.id)
    return {sample.id: known.setdefault(prompt_cluster(sample), len(known)) for sample in ordered}


def _drops(searches: Sequence[Search], clusters: Mapping[str, int]) -> Floats:
    """Average the drops of every source prompt; NaN where it has none."""
    by_cluster: dict[int, list[float]] = {}
    for search in searches:
        if search.drop is not None and search.sample_id in clusters:
            by_cluster.setdefault(clusters[search.sample_id], []).append(search.drop)
    values = np.full(len(set(clusters.values())), np.nan)
    for cluster, drops in by_cluster.items():
        values[cluster] = np.mean(drops)
    return values


def _share(drops: Floats, families: NDArray[np.int64]) -> Interval | None:
    present = ~np.isnan(drops)
    if not present.any():
        return None
    harmed = (drops[present] > 0).astype(np.float64)
    low, high = clustered_wilson(harmed, len(harmed), clusters=families[present])
    return Interval(
        mean=number(float(harmed.mean())),
        low=None if low is None else number(low),
        high=None if high is None else number(high),
    )


def _examples(
    records: FoundRecords, groups: Mapping[tuple[Searched, str], Sequence[Search]]
) -> list[FoundExample]:
    """Return the prompts on which a compared subject fell most, one example a prompt."""
    prompts = {sample.id: sample.prompt for sample in records.samples}
    compared = [s for s in records.subjects if s != records.baseline] or list(records.subjects)
    fallen = [
        (search, searched)
        for searched in records.dimensions
        for subject in compared
        for search in groups.get((searched, subject), ())
        if search.worst is not None and search.sample_id in prompts
    ]
    fallen.sort(key=lambda pair: (-(pair[0].drop or 0.0), pair[0].key))
    chosen: dict[str, Searched] = {}
    for search, searched in fallen:
        chosen.setdefault(prompts[search.sample_id], searched)
    by_place = {
        (searched, search.subject, prompts.get(search.sample_id)): search
        for (searched, _), of_group in groups.items()
        for search in of_group
    }
    examples = []
    for prompt, searched in list(chosen.items())[:EXAMPLES]:
        places = [(searched, subject, prompt) for subject in records.subjects]
        of_prompt = [by_place[place] for place in places if place in by_place]
        fields = searched.fields("")
        del fields["subject"]
        examples.append(
            FoundExample(
                **fields,
                sample_id=of_prompt[0].sample_id,
                prompt=prompt,
                cases=tuple(_case(search) for search in of_prompt if search.before is not None),
            )
        )
    return examples


def _case(search: Search) -> FoundCase:
    assert search.before is not None
    return FoundCase(
        subject=search.subject,
        before=search.before,
        after=search.before if search.after is None else search.after,
        edits=() if search.worst is None else search.worst.edits,
        answer=search.answer,
    )
