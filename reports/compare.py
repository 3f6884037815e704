"""``jostle report RUN RUN …``: several runs as one page, on the prompts they share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from harness.analysis import ComparedRun, Summary, merge
from harness.errors import DataError, StoreError
from harness.judging.traits import JudgeInfo
from harness.pipeline.store import Run
from harness.records import Manifest
from harness.util.files import make_folder
from reports.html import write_page
from reports.sample_views import join


def compare(
    run_dirs: Sequence[Path],
    out: Path,
    *,
    baseline: str | None = None,
    resamples: int | None = None,
    command: str = "",
) -> Path:
    """Compare analysed runs on the prompts they share and write page, figures and summary to ``out``.

    Args:
        run_dirs: Two or more run directories.
        out: Folder to write to.
        baseline: Subject that all others are compared with (``run: subject``).
        resamples: Bootstrap resamples; those of the first run by default.
        command: The command line, for the page.

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
        [compared_run(run, name) for run, name in zip(runs, names, strict=True)], baseline=baseline
    )
    resamples = resamples or runs[0].summary().resamples
    summary = merged.summary(seed=manifests[0].seed, resamples=resamples)
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
    return write_page(out, manifest, summary, join(merged.records))


def run_names(paths: Sequence[Path]) -> list[str]:
    """Return folder names; whole paths where two folders have the same name.

    Raises:
        DataError: One run is named twice.
    """
    resolved = [path.resolve() for path in paths]
    if len(set(resolved)) < len(resolved):
        raise DataError("one run is named twice; a comparison takes different runs")
    uses = Counter(path.name for path in resolved)
    return [path.name if uses[path.name] == 1 else str(path) for path in resolved]


def compared_run(run: Run, name: str) -> ComparedRun:
    """Read what a comparison needs of a run directory.

    Raises:
        StoreError: The run was not analysed yet.
    """
    summary = run.summary()
    noise = summary.noise.subjects if summary.noise else ()
    return ComparedRun(
        name=name,
        records=run.records(summary.subjects, summary.baseline),
        judges=judges_of(summary),
        deterministic=[one.subject for one in noise if one.zero_by_construction],
        margins={scale.measure: scale.margin for scale in summary.measures if scale.margin},
    )


def judges_of(summary: Summary) -> list[JudgeInfo]:
    """Return the judges of a summary, each as if it had been asked once."""
    return [
        JudgeInfo(
            label,
            judge.dimensions,
            llm=judge.llm,
            learned=judge.learned,
            calibration=judge.calibration,
        )
        for label, judge in summary.judges.items()
    ]
