"""Several runs side by side, on the prompts that they share by content."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.analysis.summary import Options, summarise
from harness.analysis.table import prompt_cluster
from harness.errors import DataError
from harness.records import Dimension, Generation, Sample, Score, Variant
from harness.util.digest import digest
from harness.util.formatting import listing, plural

MIN_SHARED = 10
"""Fewer shared prompts than this are refused: paired tests on them say next to nothing."""


@dataclass(frozen=True)
class RunRecords:
    """What a comparison needs of one run.

    Attributes:
        name: Its name in the comparison, unique.
        dimensions: Of each judge, by name.
        llm_judges: Judges that are language models.
        learned_judges: Judges that were learned from people's labels.
        calibration: By judge, how far it was checked; of this very version.
        deterministic: Subjects whose noise floor is zero by construction.
    """

    name: str
    samples: Sequence[Sample]
    variants: Sequence[Variant]
    generations: Sequence[Generation]
    scores: Sequence[Score]
    dimensions: Mapping[str, Sequence[Dimension]]
    subjects: Sequence[str]
    baseline: str
    llm_judges: Sequence[str] = ()
    learned_judges: Sequence[str] = ()
    calibration: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    deterministic: Sequence[str] = ()


@dataclass(frozen=True)
class Merged:
    """Records of several runs as if one run had asked all subjects.

    Attributes:
        dimensions: Of the judges that all runs share.
        subjects: ``run: subject``, or the plain subject where its name is used only once.
        notes: What was left out.
    """

    samples: list[Sample]
    variants: list[Variant]
    generations: list[Generation]
    scores: list[Score]
    dimensions: dict[str, list[Dimension]]
    subjects: list[str]
    baseline: str
    llm_judges: list[str]
    deterministic: list[str]
    notes: list[str]
    learned_judges: Sequence[str] = ()
    calibration: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def summary(self, *, seed: int, resamples: int = 10_000) -> dict[str, Any]:
        """The summary of the comparison; its keys are those of a run's."""
        return summarise(
            samples=self.samples,
            variants=self.variants,
            generations=self.generations,
            scores=self.scores,
            dimensions=self.dimensions,
            baseline=self.baseline,
            subjects=self.subjects,
            seed=seed,
            warnings=self.notes,
            resamples=resamples,
            options=Options(
                llm_judges=self.llm_judges,
                learned_judges=self.learned_judges,
                calibration=self.calibration,
                deterministic=self.deterministic,
            ),
        )


def merge(runs: Sequence[RunRecords], *, baseline: str | None = None) -> Merged:
    """Put runs together on the prompts they share.

    Args:
        runs: Two or more.
        baseline: The subject that all others are compared with, as the comparison names it; the
            first run's baseline unless told.

    Raises:
        DataError: Too few shared prompts; or the variants, the judges' versions, rubrics or scales
            differ; or there is no such baseline. The line says what differs.
    """
    if len(runs) < 2:
        raise DataError("a comparison takes two runs or more")
    dimensions, notes = _shared_judges(runs)
    shared = _shared_prompts(runs)
    _same_references(runs, shared)
    _same_variants(runs, shared)
    names = _subject_names(runs)
    first = baseline or names[0][runs[0].baseline]
    subjects = [name for by_run in names for name in by_run.values()]
    if first not in subjects:
        raise DataError(f"baseline {first!r} is none of the subjects: {', '.join(subjects)}")
    first_id = {content: id_ for id_, content in _first_of_each(runs[0], shared).items()}
    # Their versions are the same in all runs, so the first run's word on the judges holds.
    judges_of = runs[0]
    llm_judges = [j for j in judges_of.llm_judges if j in dimensions]
    merged = Merged(
        [], [], [], [], dimensions, subjects, first, llm_judges, [], notes,
        learned_judges=[j for j in judges_of.learned_judges if j in dimensions],
        calibration={j: c for j, c in judges_of.calibration.items() if j in dimensions},
    )  # fmt: skip
    for number, run in enumerate(runs):
        ids = {old: first_id[content] for old, content in _first_of_each(run, shared).items()}
        rename = names[number]
        merged.deterministic.extend(rename[s] for s in run.deterministic)
        if number == 0:
            merged.samples.extend(s for s in run.samples if s.id in ids)
            merged.variants.extend(v for v in run.variants if v.sample_id in ids)
        merged.generations.extend(
            g.model_copy(update={"sample_id": ids[g.sample_id], "subject": rename[g.subject]})
            for g in run.generations
            if g.sample_id in ids and g.subject in rename
        )
        merged.scores.extend(
            s.model_copy(update={"sample_id": ids[s.sample_id], "subject": rename[s.subject]})
            for s in run.scores
            if s.sample_id in ids and s.subject in rename and s.judge in dimensions
        )
    total = [plural(len({prompt_cluster(s) for s in run.samples}), "prompt") for run in runs]
    notes.append(
        f"compared on {plural(len(shared), 'prompt')} that all runs share"
        f" ({listing([f'{run.name}: {n}' for run, n in zip(runs, total, strict=True)])})"
    )
    return merged


def _shared_judges(runs: Sequence[RunRecords]) -> tuple[dict[str, list[Dimension]], list[str]]:
    """Dimensions of the judges that all runs have, after checking that they are the same."""
    everywhere = [j for j in runs[0].dimensions if all(j in run.dimensions for run in runs)]
    if not everywhere:
        raise DataError(
            "the runs share no judge: "
            + "; ".join(f"{run.name} has {', '.join(run.dimensions)}" for run in runs)
        )
    differences = []
    for judge in everywhere:
        for what, of in (("versions", _versions), ("scales", _scales)):
            found = {run.name: of(run, judge) for run in runs}
            if len(set(found.values())) > 1:
                said = ", ".join(f"{name} has {value}" for name, value in found.items())
                differences.append(f"{what} of judge {judge!r} ({said})")
    if differences:
        raise DataError(
            f"the runs cannot be compared: they differ in {'; '.join(differences)};"
            " judge them again with the same judges (jostle judge RUN)"
        )
    notes = []
    for run in runs:
        others = [j for j in run.dimensions if j not in everywhere]
        if others:
            notes.append(f"only {run.name} has judge {', '.join(others)}: left out")
    return {j: list(runs[0].dimensions[j]) for j in everywhere}, notes


def _versions(run: RunRecords, judge: str) -> str:
    return ", ".join(sorted({s.version for s in run.scores if s.judge == judge})) or "no score"


def _scales(run: RunRecords, judge: str) -> str:
    return ", ".join(
        f"{d.name} {d.low:g} to {d.high:g} ({d.higher_is_better})"
        for d in sorted(run.dimensions[judge], key=lambda d: d.name)
    )


def _shared_prompts(runs: Sequence[RunRecords]) -> set[str]:
    """Content digests of the prompts that every run has."""
    contents = [{prompt_cluster(s) for s in run.samples} for run in runs]
    shared = set.intersection(*contents)
    if len(shared) < MIN_SHARED:
        sizes = ", ".join(
            f"{run.name} has {len(found)}" for run, found in zip(runs, contents, strict=True)
        )
        raise DataError(
            f"the runs share {plural(len(shared), 'prompt')} ({sizes}), at least {MIN_SHARED} are"
            " needed; use suites with the same data, limit and seed"
        )
    return shared


def _variant_texts(run: RunRecords, shared: set[str]) -> dict[tuple[str, str, str, int], str]:
    """Digest of every valid variant of the shared prompts, by content, kind, severity, replicate."""
    content = _first_of_each(run, shared)
    return {
        (content[v.sample_id], v.perturbation, v.severity, v.replicate): digest(
            [[m.role, m.content] for m in v.messages]
        )
        for v in run.variants
        if v.status == "valid" and v.sample_id in content
    }


def _first_of_each(run: RunRecords, shared: set[str]) -> dict[str, str]:
    """Sample id to content, one sample (the first) of each shared prompt."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    for sample in run.samples:
        content = prompt_cluster(sample)
        if content in shared and content not in taken:
            found[sample.id] = content
            taken.add(content)
    return found


def _same_references(runs: Sequence[RunRecords], shared: set[str]) -> None:
    """Judges that read the reference would measure against different ones."""
    references = []
    for run in runs:
        content = _first_of_each(run, shared)
        references.append({content[s.id]: s.reference for s in run.samples if s.id in content})
    for run, found in zip(runs[1:], references[1:], strict=True):
        differing = sum(found[c] != references[0][c] for c in shared)
        if differing:
            raise DataError(
                f"the runs cannot be compared: the reference answers of {differing} of"
                f" {len(shared)} shared prompts differ between {runs[0].name} and {run.name};"
                " use the same data set"
            )


def _same_variants(runs: Sequence[RunRecords], shared: set[str]) -> None:
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
        said = listing([f"{n} of kind {kind!r}" for kind, n in sorted(kinds.items())])
        raise DataError(
            f"the runs cannot be compared: variants of {len(prompts)} of {len(shared)} shared"
            f" prompts differ between {runs[0].name} and {run.name} ({said}); use the same"
            " perturbations, seed and version of Jostle"
        )


def _subject_names(runs: Sequence[RunRecords]) -> list[dict[str, str]]:
    """By run, subject to its name in the comparison."""
    uses = Counter(subject for run in runs for subject in run.subjects)
    return [{s: s if uses[s] == 1 else f"{run.name}: {s}" for s in run.subjects} for run in runs]
