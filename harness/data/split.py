"""Train, validation and test without leaks: near-duplicates stay together.

Prompts that are the same, or nearly (see ``harness.audit.similar``), form a cluster, and a cluster
goes to one part as a whole. Clusters are assigned stratum by stratum, the largest first and
otherwise in an order drawn by the seed from their content, each to the part that lacks most rows:
so every stratum comes out in the wanted shares. The order of the rows in the file does not matter.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from harness.audit.clusters import cluster_rows
from harness.audit.leakage import prompt_text
from harness.errors import DataError
from harness.records import Sample
from harness.text.embedding import Embed
from harness.util.digest import digest
from harness.util.suggestions import did_you_mean

LENGTH_CLASSES = 4
TOPIC = "topic"
LENGTH = "length"


class Partition(NamedTuple):
    """The parts of a data set, with their counts.

    Attributes:
        parts: Rows by part, in the order of the data.
        clusters: Clusters by part.
        strata: Rows by stratum and part.
        largest: Rows in the largest cluster.
        undecided: Similar pairs that were too many to decide; each pair is in one part.
        crowded: Groups of rows that were skipped, see ``minhash.Candidates``.
    """

    parts: dict[str, list[Sample]]
    clusters: dict[str, int]
    strata: dict[str, dict[str, int]]
    largest: int
    undecided: int
    crowded: int


class _Group(NamedTuple):
    rows: list[int]
    stratum: str
    order: str


def split(
    samples: Sequence[Sample],
    shares: Mapping[str, float],
    *,
    by: str | None = None,
    seed: int = 0,
    embed: Embed | None = None,
) -> Partition:
    """Divide a data set.

    Args:
        samples: All rows.
        shares: Wanted share of the rows by part; they add up to 1.
        by: ``length`` (quarters by words of the prompt), a field of the rows such as ``topic``,
            or None for no strata.
        seed: Of the draw.
        embed: Texts to unit vectors; the process-wide MiniLM by default.

    Raises:
        DataError: The shares do not add up to 1, a field is missing, or a part gets no row.
        MissingPackage: Some pairs need the embedding model, which is not installed.
    """
    wanted = {part: share for part, share in shares.items() if share > 0}
    if any(share < 0 for share in shares.values()) or abs(sum(wanted.values()) - 1) > 1e-6:
        given = ", ".join(f"{part} {share:g}" for part, share in shares.items())
        raise DataError(f"the shares must be 0 or more and add up to 1, not {given}")
    clusters = cluster_rows(samples, embed=embed)
    groups = _groups(samples, clusters.of_row, strata(samples, by), seed)
    part_of = _assign(groups, wanted)
    rows_of: dict[str, list[int]] = {part: [] for part in wanted}
    by_stratum: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(wanted, 0))
    for group, part in zip(groups, part_of, strict=True):
        rows_of[part] += group.rows
        by_stratum[group.stratum][part] += len(group.rows)
    if empty := [part for part, rows in rows_of.items() if not rows]:
        raise DataError(
            f"{empty[0]} would get no row: {len(samples)} rows form only {len(groups)} clusters of"
            " near-duplicate prompts; choose other shares or get more data"
        )
    counts = Counter(part_of)
    return Partition(
        {part: [samples[row] for row in sorted(rows)] for part, rows in rows_of.items()},
        {part: counts[part] for part in wanted},
        dict(sorted(by_stratum.items())),
        max(len(group.rows) for group in groups),
        len(clusters.search.undecided),
        clusters.search.crowded,
    )


def default_field(samples: Sequence[Sample]) -> str:
    """Return ``topic`` if every row has one, else ``length``."""
    return TOPIC if all(sample.metadata.get(TOPIC) is not None for sample in samples) else LENGTH


def strata(samples: Sequence[Sample], by: str | None) -> list[str]:
    """Return the stratum of each row (see ``split``); raise DataError if one lacks the field."""
    if by is None:
        return ["all"] * len(samples)
    if by == LENGTH:
        words = [len(sample.prompt.split()) for sample in samples]
        ordered = sorted(words)
        edges = [ordered[len(words) * k // LENGTH_CLASSES] for k in range(1, LENGTH_CLASSES)]
        classes = [sum(count >= edge for edge in edges) for count in words]
        return [f"length {number + 1} of {LENGTH_CLASSES}" for number in classes]
    for row, sample in enumerate(samples, 1):
        if sample.metadata.get(by) is None:
            raise DataError(
                f"row {row} has no field {by!r} to split by."
                f"{did_you_mean(by, [LENGTH, *sample.metadata])}"
            )
    return [str(sample.metadata[by]) for sample in samples]


def _groups(
    samples: Sequence[Sample], of_row: Sequence[int], stratum_of: Sequence[str], seed: int
) -> list[_Group]:
    """Return clusters in the order in which they are assigned."""
    rows_of: dict[int, list[int]] = defaultdict(list)
    for row, number in enumerate(of_row):
        rows_of[number].append(row)
    groups = []
    for rows in rows_of.values():
        frequent = Counter(sorted(stratum_of[row] for row in rows))
        # The content, not the row, decides the draw: ids may count the rows.
        content = sorted(digest(prompt_text(samples[row])) for row in rows)
        stratum = frequent.most_common(1)[0][0]  # the first by name of the most frequent
        groups.append(_Group(rows, stratum, digest([seed, "split", content])))
    largest: dict[str, int] = defaultdict(int)
    for group in groups:
        largest[group.stratum] = max(largest[group.stratum], len(group.rows))

    def place(group: _Group) -> tuple[int, str, int, str]:
        # Small clusters come last and even out the parts.
        return -largest[group.stratum], group.stratum, -len(group.rows), group.order

    return sorted(groups, key=place)


def _assign(groups: Sequence[_Group], wanted: Mapping[str, float]) -> list[str]:
    """Assign a part to each group, so that after each one the counts are closest to the shares.

    The squared distance from ``share * assigned rows`` grows least where most rows are lacking.
    """
    counts = dict.fromkeys(wanted, 0)
    chosen = []
    for group in groups:
        assigned = sum(counts.values()) + len(group.rows)
        lacking = {part: wanted[part] * assigned - counts[part] for part in wanted}
        _, part = min((-round(rows, 6), part) for part, rows in lacking.items())
        counts[part] += len(group.rows)
        chosen.append(part)
    return chosen
