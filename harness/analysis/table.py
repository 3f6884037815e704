"""Records to arrays: which variant belongs to which prompt and kind, and who scored what on it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from harness.analysis.estimates import Measure
from harness.audit.clusters import connected
from harness.judging.derived import OVERALL, overall_parts
from harness.judging.traits import JudgeInfo
from harness.records import (
    IDENTITY,
    ORIGINAL,
    Dimension,
    Generation,
    Sample,
    Score,
    Variant,
    VariantKey,
)
from harness.stats.closed_forms import Floats
from harness.text.normalise import normalise_prompt
from harness.util.digest import digest

ALL = "(all kinds)"

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class RunRecords:
    """The records of a run that are analysed.

    Attributes:
        samples: The prompts under test.
        variants: What was made of them, originals included, and what could not be made.
        generations: The answers; read once.
        scores: The judgements; read once.
        subjects: All subjects, in the order of the suite.
        baseline: The subject that the others are compared with.
    """

    samples: Sequence[Sample]
    variants: Sequence[Variant]
    generations: Iterable[Generation]
    scores: Iterable[Score]
    subjects: Sequence[str]
    baseline: str


def prompt_cluster(sample: Sample) -> str:
    """Digest what makes two samples the same source prompt: what is asked, not the id.

    Prompts that differ only in case, white space, punctuation or Unicode form count as one, as they do
    in the audit: their answers are not independent. A system text or an earlier turn makes another.
    """
    return digest([[m.role, normalise_prompt(m.content)] for m in sample.messages])


@dataclass
class Table:
    """Every valid variant as a row, every subject as a column, one array a measure.

    Attributes:
        subjects: Names in the order of the suite.
        kinds: Perturbations in the order in which they first appear, ``identity`` last; without
            ``original``.
        clusters: Digests of the source prompts, see ``prompt_cluster``.
        samples: One sample of each cluster, that with the least id.
        families: Number of each cluster's family, shape (clusters,): source prompts that are nearly
            the same, or that the suite's ``group_by`` puts together. What is resampled whole.
        groups: Value of ``group_by`` of each cluster; None where the suite names none.
        cluster: Source prompt of each row, shape (rows,).
        kind: Perturbation of each row.
        severity: Severity of each row.
        filler: Whether a row was added only to reach the wanted number.
        dimensions: Scale of each measure.
        values: Mean value of each measure over repeats, shape (rows, subjects); NaN is missing.
        expected: Where a value was to be expected, same shape.
        llm: Names of the judges that are language models.
        learned: Names of the judges that were learned from people's labels.
        parts: For a measure made here from others, those others.
        row_of: Row of each variant.
        notes: What was left out of the table, a line each.
    """

    subjects: list[str]
    kinds: list[str]
    clusters: list[str]
    samples: list[Sample]
    families: NDArray[np.int64]
    groups: list[str] | None
    cluster: NDArray[np.int64]
    kind: NDArray[np.str_]
    severity: NDArray[np.str_]
    filler: Mask
    dimensions: dict[Measure, Dimension]
    values: dict[Measure, Floats]
    expected: dict[Measure, Mask]
    llm: frozenset[str]
    learned: frozenset[str] = frozenset()
    parts: dict[Measure, list[Measure]] = field(default_factory=dict)
    row_of: dict[VariantKey, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def real_kinds(self) -> list[str]:
        """Return the kinds that change the prompt."""
        return [kind for kind in self.kinds if kind != IDENTITY]

    def rows(self, kind: str) -> Mask:
        """Return the rows of one kind, or of all that change the prompt, shape (rows,)."""
        return np.isin(self.kind, self.real_kinds if kind == ALL else [kind])

    def per_prompt(self, series: Floats, rows: Mask) -> Floats:
        """Average a series over the chosen rows of each source prompt, shape (clusters,)."""
        chosen = rows & ~np.isnan(series)
        size = len(self.clusters)
        sums = np.bincount(self.cluster[chosen], weights=series[chosen], minlength=size)
        counts = np.bincount(self.cluster[chosen], minlength=size)
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray(np.where(counts > 0, sums / counts, np.nan), dtype=np.float64)

    def on_kind(self, series: Floats, kind: str) -> Floats:
        """Average each prompt on a kind; on ``ALL``, average its means on each kind.

        On ``original``, answers to ``identity`` count as well: the same prompt asked again.
        """
        if kind == ORIGINAL:
            return self._originals(series)
        if kind != ALL:
            return self.per_prompt(series, self.rows(kind))
        kinds = self.real_kinds
        if not kinds:
            return np.full(len(self.clusters), np.nan)
        each = np.stack([self.per_prompt(series, self.rows(k)) for k in kinds])
        present = ~np.isnan(each)
        counts = present.sum(axis=0)
        sums = np.where(present, each, 0.0).sum(axis=0)
        return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)

    def _originals(self, series: Floats) -> Floats:
        """Average the answers to each original and its ``identity``, where the original has a value.

        A measure made of two answers has none on an original.
        """
        again = np.isin(self.kind, (ORIGINAL, IDENTITY))
        bare = self.per_prompt(series, self.rows(ORIGINAL))
        return np.where(np.isnan(bare), np.nan, self.per_prompt(series, again))

    def wide(self, series: Floats, rows: Mask) -> Floats:
        """Lay the values of the chosen rows beside their prompt, shape (clusters, most), NaN-padded."""
        chosen = np.flatnonzero(rows & ~np.isnan(series))
        chosen = chosen[np.argsort(self.cluster[chosen], kind="stable")]
        cluster = self.cluster[chosen]
        counts = np.bincount(cluster, minlength=len(self.clusters))
        place = np.arange(len(chosen)) - np.repeat(np.cumsum(counts) - counts, counts)
        grid = np.full((len(self.clusters), int(counts.max(initial=0))), np.nan)
        grid[cluster, place] = series[chosen]
        return grid

    def baseline_for(self, measure: Measure) -> str:
        """Return the kind that a measure's variants are compared with.

        The originals; a measure made of two answers of the same subject has no value on the
        original, and asking the same again (``identity``) is its ceiling.
        """
        return IDENTITY if "original_answer" in self.dimensions[measure].needs else ORIGINAL

    def sign(self, measure: Measure) -> int:
        """Return 1 where higher is better, -1 where lower is, 0 where neither is."""
        better = self.dimensions[measure].higher_is_better
        return 0 if better is None else (1 if better else -1)

    def scale(self, measure: Measure) -> tuple[float, float]:
        """Return the least and the greatest value of a measure."""
        return self.dimensions[measure].low, self.dimensions[measure].high

    def span(self, measure: Measure) -> float:
        """Return the width of a measure's scale."""
        low, high = self.scale(measure)
        return high - low

    def is_rate(self, measure: Measure) -> bool:
        """Return whether every answer was scored 0 or 1 on a 0-to-1 scale."""
        dimension = self.dimensions[measure]
        values = self.values[measure]
        present = values[~np.isnan(values)]
        return bool(
            (dimension.low, dimension.high) == (0, 1)
            and present.size
            and np.isin(present, (0, 1)).all()
        )

    def label(self, measure: Measure) -> str:
        """Return a measure's name for people: ``semantic closeness``, ``ROUGE-L``."""
        judge, dimension = measure
        name = self.dimensions[measure].label
        if name:
            alike = Counter(one.label for one in self.dimensions.values())
            return name if alike[name] == 1 else f"{name} ({judge})"
        return (judge if judge == dimension else f"{judge} {dimension}").replace("_", " ")


def build(records: RunRecords, judges: Sequence[JudgeInfo]) -> Table:
    """Lay out a run's records as arrays.

    Scores of judges, dimensions, subjects or variants that the run does not know are left out and
    counted in ``notes``.
    """
    # By id and content: no figure may depend on the order of the rows in a file.
    samples = {sample.id: sample for sample in sorted(records.samples, key=lambda s: s.id)}
    contents = {id_: prompt_cluster(sample) for id_, sample in samples.items()}
    first: dict[str, Sample] = {}
    for id_, content in contents.items():
        first.setdefault(content, samples[id_])
    first = dict(sorted(first.items()))
    place = {content: number for number, content in enumerate(first)}
    valid = [v for v in records.variants if v.status == "valid" and v.sample_id in samples]
    kinds = dict.fromkeys(v.perturbation for v in valid if v.perturbation != ORIGINAL)
    valid.sort(key=lambda variant: variant.variant_key)
    families = families_of(records.samples)
    groups = [sample.group for sample in first.values() if sample.group is not None]
    ordered = [k for k in kinds if k != IDENTITY] + ([IDENTITY] if IDENTITY in kinds else [])
    table = Table(
        subjects=list(records.subjects),
        kinds=ordered,
        clusters=list(first),
        samples=list(first.values()),
        families=np.array([families[s.id] for s in first.values()], dtype=np.int64),
        groups=groups if len(groups) == len(first) else None,
        cluster=np.array([place[contents[v.sample_id]] for v in valid], dtype=np.int64),
        kind=np.array([v.perturbation for v in valid], dtype=np.str_),
        severity=np.array([v.severity for v in valid], dtype=np.str_),
        filler=np.array([v.filler for v in valid], dtype=np.bool_),
        dimensions={Measure(j.label, d.name): d for j in judges for d in j.dimensions},
        values={},
        expected={},
        llm=frozenset(j.label for j in judges if j.llm),
        learned=frozenset(j.label for j in judges if j.learned),
        row_of={v.variant_key: i for i, v in enumerate(valid)},
    )
    references = (samples[v.sample_id].reference for v in valid)
    has_reference = np.array([text is not None for text in references], dtype=np.bool_)
    seen = _fill(table, records.scores)
    for measure, dimension in table.dimensions.items():
        applies = np.ones(len(valid), dtype=np.bool_)
        if "reference" in dimension.needs:
            applies &= has_reference
        if "original_answer" in dimension.needs:
            applies &= table.kind != ORIGINAL
        if "opponent" in dimension.needs:
            # The suite chooses the opponents: only what was asked can be missing.
            applies[:] = False
        table.expected[measure] = applies[:, None] | seen[measure]
    _add_overall(table)
    return table


def families_of(samples: Collection[Sample]) -> dict[str, int]:
    """Return the number of every sample's family, by sample id.

    Two are of one family where they ask the same, or share a family of near-duplicates or a group, or
    are tied by a chain of such. The numbers do not depend on the order of the samples.
    """
    ordered = sorted(samples, key=lambda sample: sample.id)
    first: dict[tuple[str, str], int] = {}
    ties = []
    for number, sample in enumerate(ordered):
        # A family is named after a member, so a prompt whose family is not known is its own.
        names = [("prompt", prompt_cluster(sample)), ("family", sample.family or sample.id)]
        if sample.group is not None:
            names.append(("group", sample.group))
        ties += [(first.setdefault(name, number), number) for name in names]
    roots = connected(len(ordered), ties)
    return {sample.id: root for sample, root in zip(ordered, roots, strict=True)}


def _fill(table: Table, scores: Iterable[Score]) -> dict[Measure, Mask]:
    """Put mean values over repeats into the table; return where any judgement was recorded."""
    row_of, shape = table.row_of, (len(table.row_of), len(table.subjects))
    column_of = {name: i for i, name in enumerate(table.subjects)}
    sums = {m: np.zeros(shape) for m in table.dimensions}
    counts = {m: np.zeros(shape, dtype=np.int64) for m in table.dimensions}
    seen = {m: np.zeros(shape, dtype=np.bool_) for m in table.dimensions}
    strangers = Counter[str]()
    for score in scores:
        measure = Measure(score.judge, score.dimension)
        row = row_of.get(score.variant_key)
        column = column_of.get(score.subject)
        if measure not in sums or row is None or column is None:
            what = (
                f"judge {score.judge!r}, dimension {score.dimension!r}"
                if measure not in sums
                else f"subject {score.subject!r}"
                if column is None
                else "variants that the run does not hold"
            )
            strangers[what] += 1
            continue
        seen[measure][row, column] = True
        if score.status == "scored" and score.value is not None:
            sums[measure][row, column] += score.value
            counts[measure][row, column] += 1
    for measure, total in sums.items():
        n = counts[measure]
        table.values[measure] = np.where(n > 0, total / np.maximum(n, 1), np.nan)
    table.notes += [
        f"{count} scores of {what} were left out: the suite does not know them"
        for what, count in sorted(strangers.items())
    ]
    return seen


def _add_overall(table: Table) -> None:
    """Give each judge that rates like people, with several like dimensions, their mean as one more.

    The mean is taken answer by answer and only where every dimension was scored.
    """
    rating = table.llm | table.learned
    for judge in sorted({judge for judge, _ in table.dimensions} & rating):
        dimensions = [d for (name, _), d in table.dimensions.items() if name == judge]
        parts = [Measure(judge, part.name) for part in overall_parts(dimensions)]
        overall = Measure(judge, OVERALL)
        if not parts or overall in table.dimensions:
            continue
        names = ", ".join(part.dimension for part in parts)
        table.dimensions[overall] = table.dimensions[parts[0]].model_copy(
            update={
                "name": OVERALL,
                "description": f"Mean of {names}, answer by answer.",
                "role": None,
                "label": "",
                "headline": None,
            }
        )
        # NaN in any dimension makes the answer's mean NaN.
        table.values[overall] = np.mean([table.values[m] for m in parts], axis=0)
        table.parts[overall] = parts
        table.expected[overall] = np.any([table.expected[m] for m in parts], axis=0)
