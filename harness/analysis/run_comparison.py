"""Several runs side by side, on the prompts that they share by content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from harness.analysis.summary import AnalysisSettings, summarise
from harness.analysis.summary_schema import Summary
from harness.analysis.table import RunRecords, prompt_cluster
from harness.analysis.test_family import BootstrapSettings
from harness.errors import DataError
from harness.judging.traits import JudgeInfo
from harness.util.digest import digest
from harness.util.formatting import listing, plural

MIN_SHARED = 10
"""Fewer shared prompts than this are refused: paired tests on them say next to nothing."""


@dataclass(frozen=True)
class ComparedRun:
    """What a comparison needs of one run.

    Attributes:
        name: Its name in the comparison, unique.
        records: Its records.
        judges: Its judges, with the calibration of this very version.
        deterministic: Subjects whose noise floor is zero by construction.
    """

    name: str
    records: RunRecords
    judges: Sequence[JudgeInfo]
    deterministic: Sequence[str] = ()

    @property
    def judge_names(self) -> list[str]:
        """Return the labels of its judges."""
        return [judge.label for judge in self.judges]

    def judge(self, label: str) -> JudgeInfo:
        """Return one of its judges."""
        return next(judge for judge in self.judges if judge.label == label)


@dataclass(frozen=True)
class MergedRuns:
    """Records of several runs as if one run had asked all subjects.

    Attributes:
        records: Of all runs, on the prompts that they share. A subject is named
            ``run: subject``, or plainly where its name is used only once.
        judges: The judges that all runs share.
        deterministic: Subjects whose noise floor is zero by construction.
        notes: What was left out.
    """

    records: RunRecords
    judges: Sequence[JudgeInfo]
    deterministic: Sequence[str]
    notes: Sequence[str]

    def summary(self, *, seed: int, resamples: int = 10_000) -> Summary:
        """Analyse the comparison as a run is analysed."""
        settings = AnalysisSettings(
            BootstrapSettings(seed, resamples), self.deterministic, self.notes
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
    shared = _shared_prompts(runs)
    _same_references(runs, shared)
    _same_variants(runs, shared)
    names = _subject_names(runs)
    baseline = baseline or names[0][runs[0].records.baseline]
    subjects = [name for by_run in names for name in by_run.values()]
    if baseline not in subjects:
        raise DataError(f"baseline {baseline!r} is none of the subjects: {', '.join(subjects)}")
    ids = [_shared_ids(run, runs[0], shared) for run in runs]
    labels = {judge.label for judge in judges}
    first = runs[0].records
    renamed = list(zip(runs, names, ids, strict=True))
    records = RunRecords(
        samples=[s for s in first.samples if s.id in ids[0]],
        variants=[v for v in first.variants if v.sample_id in ids[0]],
        generations=[
            g.model_copy(update={"sample_id": of_run[g.sample_id], "subject": name[g.subject]})
            for run, name, of_run in renamed
            for g in run.records.generations
            if g.sample_id in of_run and g.subject in name
        ],
        scores=[
            s.model_copy(update={"sample_id": of_run[s.sample_id], "subject": name[s.subject]})
            for run, name, of_run in renamed
            for s in run.records.scores
            if s.sample_id in of_run and s.subject in name and s.judge in labels
        ],
        subjects=subjects,
        baseline=baseline,
    )
    totals = [
        f"{run.name}: {plural(len({prompt_cluster(s) for s in run.records.samples}), 'prompt')}"
        for run in runs
    ]
    shared_note = (
        f"compared on {plural(len(shared), 'prompt')} that all runs share ({listing(totals)})"
    )
    return MergedRuns(
        records=records,
        judges=judges,
        deterministic=[name[s] for run, name, _ in renamed for s in run.deterministic],
        notes=[*notes, shared_note],
    )


def _shared_ids(run: ComparedRun, first: ComparedRun, shared: set[str]) -> dict[str, str]:
    """Return the first run's sample id of every shared prompt, by this run's."""
    of_content = {content: id_ for id_, content in _first_of_each(first, shared).items()}
    return {id_: of_content[content] for id_, content in _first_of_each(run, shared).items()}


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
    notes = []
    for run in runs:
        others = [label for label in run.judge_names if label not in shared]
        if others:
            notes.append(f"only {run.name} has judge {', '.join(others)}: left out")
    return everywhere, notes


def _versions(run: ComparedRun, judge: str) -> str:
    return (
        ", ".join(sorted({s.version for s in run.records.scores if s.judge == judge})) or "no score"
    )


def _scales(run: ComparedRun, judge: str) -> str:
    return ", ".join(
        f"{d.name} {d.low:g} to {d.high:g} ({d.higher_is_better})"
        for d in sorted(run.judge(judge).dimensions, key=lambda d: d.name)
    )


def _shared_prompts(runs: Sequence[ComparedRun]) -> set[str]:
    """Return content digests of the prompts that every run has."""
    contents = [{prompt_cluster(s) for s in run.records.samples} for run in runs]
    shared = set.intersection(*contents)
    if len(shared) < MIN_SHARED:
        sizes = ", ".join(
            f"{run.name} has {len(prompts)}" for run, prompts in zip(runs, contents, strict=True)
        )
        raise DataError(
            f"the runs share {plural(len(shared), 'prompt')} ({sizes}), at least {MIN_SHARED} are"
            " needed; use suites with the same data, limit and seed"
        )
    return shared


def _variant_texts(run: ComparedRun, shared: set[str]) -> dict[tuple[str, str, str, int], str]:
    """Digest every valid variant of the shared prompts, by content, kind, severity, replicate."""
    content = _first_of_each(run, shared)
    return {
        (content[v.sample_id], v.perturbation, v.severity, v.replicate): digest(
            [[m.role, m.content] for m in v.messages]
        )
        for v in run.records.variants
        if v.status == "valid" and v.sample_id in content
    }


def _first_of_each(run: ComparedRun, shared: set[str]) -> dict[str, str]:
    """Map sample id to content, for one sample (the first) of each shared prompt."""
    content_of: dict[str, str] = {}
    taken: set[str] = set()
    for sample in run.records.samples:
        content = prompt_cluster(sample)
        if content in shared and content not in taken:
            content_of[sample.id] = content
            taken.add(content)
    return content_of


def _same_references(runs: Sequence[ComparedRun], shared: set[str]) -> None:
    """Refuse different references: judges that read them would measure against different ones."""
    references = []
    for run in runs:
        content = _first_of_each(run, shared)
        references.append(
            {content[s.id]: s.reference for s in run.records.samples if s.id in content}
        )
    for run, others in zip(runs[1:], references[1:], strict=True):
        differing = sum(others[c] != references[0][c] for c in shared)
        if differing:
            raise DataError(
                f"the runs cannot be compared: the reference answers of {differing} of"
                f" {len(shared)} shared prompts differ between {runs[0].name} and {run.name};"
                " use the same data set"
            )


def _same_variants(runs: Sequence[ComparedRun], shared: set[str]) -> None:
    first = _variant_texts(runs[0], shared)
    for run in runs[1:]:
        other = _variant_texts(run, shared)
        if other == first:
            continue
        kinds = Counter(
            key[1] for key in first.keys() | other.keys() if first.get(key) != other.get(key)
        )
        prompts = {
            key[0] for key in first.keys() | other.keys() if first.get(key) != other.get(key)
        }
        counts = listing([f"{n} of kind {kind!r}" for kind, n in sorted(kinds.items())])
        raise DataError(
            f"the runs cannot be compared: variants of {len(prompts)} of {len(shared)} shared"
            f" prompts differ between {runs[0].name} and {run.name} ({counts}); use the same"
            " perturbations, seed and version of Jostle"
        )


def _subject_names(runs: Sequence[ComparedRun]) -> list[dict[str, str]]:
    """Map each run's subjects to their names in the comparison."""
    uses = Counter(subject for run in runs for subject in run.records.subjects)
    return [
        {s: s if uses[s] == 1 else f"{run.name}: {s}" for s in run.records.subjects} for run in runs
    ]
