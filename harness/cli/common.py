"""What several subcommands do alike."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from harness.config import Suite
from harness.data.rows import HUB
from harness.errors import StoreError
from harness.pipeline.runner import Outcome
from harness.pipeline.session import Session
from harness.pipeline.store import Run
from harness.records import Manifest
from harness.util.files import write_atomically
from harness.util.formatting import listing, plural
from harness.util.resources import resolve

overrides_argument = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")


def launch_command() -> str:
    """The command line as it was typed, for the manifest."""
    return shlex.join(["jostle", *sys.argv[1:]])


def stored_suite(manifest: Manifest) -> dict[str, Any]:
    """The suite that a run was made with."""
    return dict(manifest.suite)


def run_folder(suite: Suite, out: Path | None) -> Path:
    """Where a suite's run goes: ``--out``, else ``runs/<name>``."""
    return out or Path("runs") / suite.suite.name


def refuse_overwriting(targets: Iterable[Path], sources: Iterable[str]) -> None:
    """Stop before a command writes over what it reads.

    Args:
        targets: Files to be written.
        sources: Data sets as the user named them; those of the hub are no files of ours.

    Raises:
        StoreError: A target is a source, also under another name (a link, another spelling).
    """
    inputs = [resolve(source) for source in sources if not source.startswith(HUB)]
    for target in targets:
        for source in inputs:
            both = target.exists() and source.exists()
            if target.resolve() == source.resolve() or (both and target.samefile(source)):
                raise StoreError(
                    f"{target}: is the input itself and would be overwritten; choose another place"
                )


def write_text(text: str, out: Path | None, source: str) -> None:
    """Write what a command made of a data set: to ``--out``, else to standard output.

    Raises:
        StoreError: ``--out`` is the data set itself.
    """
    if out is None:
        sys.stdout.write(text)
        return
    refuse_overwriting([out], [source])
    write_atomically(out, text)


def new_session(run: Run, suite: Suite, *, retry_failed: bool) -> Session:
    """This process at work on a run folder: with the cross-run cache, progress and its command."""
    from harness.cli.show import reporter
    from harness.pipeline.cache import Cache

    return Session(
        run,
        suite,
        cache=Cache(),
        progress=reporter(),
        command=launch_command(),
        retry_failed=retry_failed,
    )


def conclude(run: Run, outcome: Outcome) -> int:
    """Print failures, the finding and where the report is; give the exit code."""
    summary = run.summary()
    probed = summary.memorisation
    failed_probes = sum(row.count for row in probed.failures) if probed else 0
    failed = outcome.failed + failed_probes
    if failed:
        parts = [plural(outcome.failed_answers, "answer"), plural(outcome.failed_scores, "score")]
        parts += [plural(failed_probes, "probe")] if failed_probes else []
        click.echo(
            f"{listing(parts)} failed; the report counts them by reason. Passing failures are tried"
            " again by running the same command, the others with --retry-failed"
        )
    click.echo(f"{run.report_path}: {summary.finding.sentence}")
    for one in probed.subjects if probed else ():
        click.echo(f"learned or memorised? {one.sentence}")
    return 1 if failed else 0
