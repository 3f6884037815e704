"""``jostle report RUN RUN …``: several runs as one page, on the prompts they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from harness.analysis import Merged, RunRecords, merge
from harness.errors import DataError, StoreError
from harness.pipeline.store import Run
from harness.records import Dimension, Generation, Manifest, Record, Sample, Score, Variant
from harness.util.files import make_folder
from reports.html import write_page
from reports.samples import join

R = TypeVar("R", bound=Record)


class MergedRun:
    """Merged records, read as a run's are."""

    def __init__(self, merged: Merged, manifest: Manifest, summary: dict[str, Any]) -> None:
        self._merged, self._manifest, self._summary = merged, manifest, summary

    def manifest(self) -> Manifest:
        """What was compared."""
        return self._manifest

    def summary(self) -> dict[str, Any]:
        """The comparison's figures."""
        return self._summary

    def read(self, kind: type[R], /) -> Iterable[R]:
        """All records of a kind."""
        lists: dict[type[Record], list[Any]] = {
            Sample: self._merged.samples,
            Variant: self._merged.variants,
            Generation: self._merged.generations,
            Score: self._merged.scores,
        }
        return list(lists[kind])


def compare(
    run_dirs: Sequence[Path],
    out: Path,
    *,
    baseline: str | None = None,
    resamples: int | None = None,
    command: str = "",
) -> Path:
    """Compare analysed runs on the prompts they share and write the page, figures and summary.

    Args:
        run_dirs: Two or more run directories.
        out: Folder for ``report.html``, ``summary.json`` and ``figures/``.
        baseline: Subject that all others are compared with (``run: subject``).
        resamples: Bootstrap resamples; as in the first run unless told.
        command: The command line, for the page.

    Returns:
        The page's path.

    Raises:
        DataError: The runs cannot be compared; the line says what differs.
        StoreError: A run cannot be read, or ``out`` holds a run of its own.
    """
    runs = [Run.open(path) for path in run_dirs]
    names = run_names(run_dirs)
    if (out / "samples.jsonl").exists():
        raise StoreError(f"{out} holds a run; choose another folder for the comparison with --out")
    manifests = [run.manifest() for run in runs]
    merged = merge(
        [records(run, name) for run, name in zip(runs, names, strict=True)],
        baseline=baseline,
    )
    first = runs[0].summary()
    summary = merged.summary(seed=manifests[0].seed, resamples=resamples or int(first["resamples"]))
    now = datetime.now(UTC).isoformat(timespec="seconds")
    manifest = Manifest(
        name=" vs ".join(names),
        status="complete",
        created=now,
        finished=now,
        command=command or f"jostle report {' '.join(map(str, run_dirs))}",
        seed=manifests[0].seed,
        data={name: m.data for name, m in zip(names, manifests, strict=True)},
        models={name: m.models for name, m in zip(names, manifests, strict=True)},
        judges=manifests[0].judges,
        packages=manifests[0].packages,
        git=manifests[0].git,
    )
    make_folder(out)
    folder = Run(out)
    folder.write_summary(summary)
    folder.write_manifest(manifest)
    views = join(MergedRun(merged, manifest, summary), summary["subjects"])
    return write_page(out, manifest, summary, views)


def run_names(paths: Sequence[Path]) -> list[str]:
    """Folder names; whole paths where two folders have the same name.

    Raises:
        DataError: One run is named twice.
    """
    resolved = [path.resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        raise DataError("one run is named twice; a comparison takes different runs")
    uses = Counter(path.name for path in resolved)
    return [path.name if uses[path.name] == 1 else str(path) for path in resolved]


def records(run: Run, name: str) -> RunRecords:
    """What a comparison needs of a run directory.

    Raises:
        StoreError: The run was not analysed yet.
    """
    summary = run.summary()
    judges = {
        label: [Dimension.model_validate(d) for d in judge["dimensions"]]
        for label, judge in summary["judges"].items()
    }
    noise = summary["noise"] or {"subjects": []}
    return RunRecords(
        name=name,
        samples=list(run.read(Sample)),
        variants=list(run.read(Variant)),
        generations=list(run.read(Generation)),
        scores=list(run.read(Score)),
        dimensions=judges,
        subjects=summary["subjects"],
        baseline=summary["baseline"],
        llm_judges=[label for label, judge in summary["judges"].items() if judge["llm"]],
        learned_judges=[
            label for label, judge in summary["judges"].items() if judge.get("learned")
        ],
        calibration={
            label: judge["calibration"]
            for label, judge in summary["judges"].items()
            if judge["calibration"]
        },
        deterministic=[s["subject"] for s in noise["subjects"] if s["zero_by_construction"]],
    )
