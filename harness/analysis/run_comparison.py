"""Several runs side by side, on the prompts that they share by content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from harness.analysis.estimates import Measure
from harness.analysis.summary import AnalysisSettings, summarise
from harness.analysis.summary_schema import Summary
from harness.analysis.table import RunRecords, prompt_cluster
from harness.analysis.test_family import BootstrapSettings
from harness.errors import DataError
from harness.judging.traits import JudgeInfo
from harness.records import Generation, Score
from harness.util.digest import digest
from harness.util.formatting import listing, plural

MIN_SHARED = 10
"""Fewer shared prompts than this are refused: paired tests on them say next to nothing."""


AnswerT = TypeVar("AnswerT", Generation, Score)


@dataclass(frozen=True)
class ComparedRun:
    """What a comparison needs of one run; the name is unique.

    ``deterministic`` lists the subjects whose noise floor is zero by construction; ``margins`` says
    how small a difference counts as none, by measure.
    """

    name: str
    records: RunRecords
    judges: Sequence[JudgeInfo]
    deterministic: Sequence[str] = ()
    margins: Mapping[Measure, float] = field(default_factory=dict)

    @property
    def judge_names(self) -> list[str]:
        """Return the labels of its judges."""
        return [judge.label for judge in self.judges]


@dataclass(frozen=True)
class MergedRuns:
    """Records of several runs as if one run had asked all subjects.

    Attributes:
        records: Of all runs, on the prompts that they share. A subject is named
            ``run: subject``, or plainly where its name is used only once.
        judges: The judges that all runs share.
        deterministic: See ``ComparedRun``.
        notes: What was left out.
        margins: Those that all runs share.
    """

    records: RunRecords
    judges: Sequence[JudgeInfo]
    deterministic: Sequence[str]
    notes: Sequence[str]
    margins: Mapping[Measure, float] = field(default_factory=dict)

    def summary(self, *, seed: int, resamples: int = 10_000) -> Summary:
        """Analyse the comparison as a run is analysed."""
        settings = AnalysisSettings(
            BootstrapSettings(seed, resamples), self.deterministic, self.notes, margins=self.margins
        )
        return summarise(self.records, self.judges, settings)


def merge(runs: Sequence[ComparedRun], *, baseline: str | None = None) -> MergedRuns:
    """Put runs together on the prompts they share.

    Args:
        runs: Two or more.
        baseline: The subject that all others are compared with, as the comparison names it; by
            default the first run's baseline.

    Raises:
        DataError: Too few shared prompts; or the variants, the judges' versions, rubrics or scales
            differ; or there is no such baseline. The line says what differs.
    """
    if len(runs) < 2:
        raise DataError("a comparison takes two runs or more")
    judges, notes = _shared_judges(runs)
    ids = [_first_ids(run) for run in runs]
    shared = _shared_prompts(runs, ids)
    contents = [
        {of_run[content]: content for content in of_run if content in shared} for of_run in ids
    ]
    _same_references(runs, contents)
    _same_variants(runs, contents)
    names = _subject_names(runs)
    baseline = baseline or names[0][runs[0].records.baseline]
    subjects = [name for by_run in names for name in by_run.values()]
    if baseline not in subjects:
        raise DataError(f"baseline {baseline!r} is none of the subjects: {', '.join(subjects)}")
    new_ids = [{id_: ids[0][content] for id_, content in of_run.items()} for of_run in contents]
    labels = {judge.label for judge in judges}
    first = runs[0].records
    renamed = list(zip(runs, new_ids, names, strict=True))
    totals = [
        f"{run.name}: {plural(len(of_run), 'prompt')}"
        for run, of_run in zip(runs, ids, strict=True)
    ]
    shared_note = (
        f"compared on {plural(len(shared), 'prompt')} that all runs share ({listing(totals)})"
    )
    return MergedRuns(
        records=RunRecords(
            samples=[s for s in first.samples if s.id in contents[0]],
            variants=[v for v in first.variants if v.sample_id in contents[0]],
            generations=[
                generation
                for run, of_run, name in renamed
                for generation in _renamed(run.records.generations, of_run, name)
            ],
            scores=[
                score
                for run, of_run, name in renamed
                for score in _renamed(run.records.scores, of_run, name)
                if score.judge in labels
            ],
            subjects=subjects,
            baseline=baseline,
        ),
        judges=judges,
        deterministic=[name[s] for run, _, name in renamed for s in run.deterministic],
        notes=[*notes, shared_note],
        margins=dict(set.intersection(*(set(run.margins.items()) for run in runs))),
    )


def _first_ids(run: ComparedRun) -> dict[str, str]:
    """Return the id of the first sample of every prompt, by the prompt's content."""
    ids: dict[str, str] = {}
    for sample in run.records.samples:
        ids.setdefault(prompt_cluster(sample), sample.id)
    return ids


def _renamed(
    records: Iterable[AnswerT], ids: Mapping[str, str], names: Mapping[str, str]
) -> Iterator[AnswerT]:
    for record in records:
        if record.sample_id in ids and record.subject in names:
            new = {"sample_id": ids[record.sample_id], "subject": names[record.subject]}
            yield record.model_copy(update=new)


def _shared_judges(runs: Sequence[ComparedRun]) -> tuple[list[JudgeInfo], list[str]]:
    """Return the judges that all runs have, after checking that they are the same, and notes.

    Their versions are the same in all runs, so the first run's facts about them hold.
    """
    everywhere = [j for j in runs[0].judges if all(j.label in run.judge_names for run in runs)]
    if not everywhere:
        raise DataError(
            "the runs share no judge: "
            + "; ".join(f"{run.name} has {', '.join(run.judge_names)}" for run in runs)
        )
    differences = []
    for judge in everywhere:
        for what, describe in (("versions", _versions), ("scales", _scales)):
            by_run = {run.name: describe(run, judge.label) for run in runs}
            if len(set(by_run.values())) > 1:
                values = ", ".join(f"{name} has {value}" for name, value in by_run.items())
                differences.append(f"{what} of judge {judge.label!r} ({values})")
    if differences:
        raise DataError(
            f"the runs cannot be compared: they differ in {'; '.join(differences)};"
            " judge them again with the same judges (jostle judge RUN)"
        )
    shared = {judge.label for judge in everywhere}
    return everywhere, [
        f"only {run.name} has judge {', '.join(others)}: left out"
        for run in runs
        if (others := [label for label in run.judge_names if label not in shared])
    ]


def _versions(run: ComparedRun, label: str) -> str:
    versions = {score.version for score in run.records.scores if score.judge == label}
    return ", ".join(sorted(versions)) or "no score"


def _scales(run: ComparedRun, label: str) -> str:
    dimensions = (d for judge in run.judges if judge.label == label for d in judge.dimensions)
    return ", ".join(
        f"{d.name} {d.low:g} to {d.high:g} ({d.higher_is_better})"
        for d in sorted(dimensions, key=lambda d: d.name)
    )


def _shared_prompts(runs: Sequence[ComparedRun], ids: Sequence[Mapping[str, str]]) -> set[str]:
    """Return content digests of the prompts that every run has."""
    shared = set.intersection(*map(set, ids))
    if len(shared) < MIN_SHARED:
        sizes = ", ".join(
            f"{run.name} has {len(of_run)}" for run, of_run in zip(runs, ids, strict=True)
        )
        raise DataError(
            f"the runs share {plural(len(shared), 'prompt')} ({sizes}), at least {MIN_SHARED} are"
            " needed; use suites with the same data, limit and seed"
        )
    return shared


def _same_references(runs: Sequence[ComparedRun], contents: Sequence[Mapping[str, str]]) -> None:
    """Refuse different references: judges that read them would measure against different ones."""
    first, *others = (
        {content[s.id]: s.reference for s in run.records.samples if s.id in content}
        for run, content in zip(runs, contents, strict=True)
    )
    for run, other in zip(runs[1:], others, strict=True):
        differing = sum(other[content] != first[content] for content in first)
        if differing:
            raise DataError(
                f"the runs cannot be compared: the reference answers of {differing} of"
                f" {len(first)} shared prompts differ between {runs[0].name} and {run.name};"
                " use the same data set"
            )


def _same_variants(runs: Sequence[ComparedRun], contents: Sequence[Mapping[str, str]]) -> None:
    first, *others = map(_variant_texts, runs, contents)
    for run, other in zip(runs[1:], others, strict=True):
        differing = [k for k in first.keys() | other.keys() if first.get(k) != other.get(k)]
        if not differing:
            continue
        prompts = {content for content, *_ in differing}
        kinds = Counter(kind for _, kind, *_ in differing)
        counts = listing([f"{n} of kind {kind!r}" for kind, n in sorted(kinds.items())])
        raise DataError(
            f"the runs cannot be compared: variants of {len(prompts)} of {len(contents[0])} shared"
            f" prompts differ between {runs[0].name} and {run.name} ({counts}); use the same"
            " perturbations, seed and version of Jostle"
        )


def _variant_texts(
    run: ComparedRun, content: Mapping[str, str]
) -> dict[tuple[str, str, str, int], str]:
    """Digest every valid variant of the shared prompts, by content, kind, severity, replicate."""
    return {
        (content[v.sample_id], v.perturbation, v.severity, v.replicate): digest(
            [[m.role, m.content] for m in v.messages]
        )
        for v in run.records.variants
        if v.status == "valid" and v.sample_id in content
    }


def _subject_names(runs: Sequence[ComparedRun]) -> list[dict[str, str]]:
    """Map each run's subjects to their names in the comparison."""
    uses = Counter(subject for run in runs for subject in run.records.subjects)
    return [
        {s: s if uses[s] == 1 else f"{run.name}: {s}" for s in run.records.subjects} for run in runs
    ]
