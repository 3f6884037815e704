"""Helpers that several subcommands share."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import Any

import click
from pydantic import ValidationError

from harness.config import Suite
from harness.data.rows import HUB
from harness.errors import ConfigError, DataError, StoreError
from harness.pipeline.assemble import assemble
from harness.pipeline.runner import Outcome
from harness.pipeline.session import Launch, open_session
from harness.pipeline.stage import StageContext
from harness.pipeline.store import Run
from harness.util.files import write_atomically
from harness.util.formatting import listing, plural
from harness.util.resources import resolve

overrides_argument = click.argument("overrides", nargs=-1, metavar="[KEY=VALUE]...")


def launch_command() -> str:
    """Return the command line as it was typed, for the manifest."""
    return shlex.join(["jostle", *sys.argv[1:]])


def run_folder(suite: Suite, out: Path | None) -> Path:
    """Return where a suite's run goes: ``--out``, else ``runs/<name>``."""
    return out or Path("runs") / suite.suite.name


def suite_of_run(run_dir: Path, sections: Mapping[str, Any] = MappingProxyType({})) -> Suite:
    """Load the suite that a run was made with; ``sections`` replace those of the suite.

    Raises:
        DataError: The folder holds a comparison, which has no suite.
        ConfigError: The suite does not fit; one line with file and field.
        StoreError: There is no run in the folder.
    """
    stored = Run.open(run_dir).manifest().suite
    if not stored:
        raise DataError(f"{run_dir} is a comparison: make it again from its runs")
    try:
        return Suite.model_validate({**stored, **sections})
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(("suite", *map(str, first["loc"])))
        raise ConfigError(
            f"{run_dir / 'manifest.json'}: {field}: {first['msg'].removeprefix('Value error, ')}"
        ) from None


def refuse_overwriting(targets: Iterable[Path], sources: Iterable[str]) -> None:
    """Stop before a command writes over a data set that it reads.

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


@contextmanager
def open_context(
    suite: Suite, folder: Path, *, command: str = "", retry_failed: bool = False
) -> Iterator[StageContext]:
    """Build the plug-ins of a suite and open its run folder for this process.

    ``command`` and ``retry_failed`` are those of ``Launch``. All is closed when the block ends.

    Raises:
        JostleError: An unknown plug-in or option, or a folder that cannot be used.
    """
    from harness.cli.show import reporter
    from harness.models.subjects import open_subjects
    from judges.rouge import ROUGE_L
    from reports.html import render

    parts = assemble(suite, closeness=ROUGE_L)
    launch = Launch(reporter(), command=command, retry_failed=retry_failed)
    with open_session(folder, suite, launch) as session:
        yield StageContext(session, parts, render, open_subjects)


def print_outcome(run: Run, outcome: Outcome) -> int:
    """Print failures, the finding and where the report is; return the exit code."""
    summary = run.summary()
    if outcome.failed:
        parts = [plural(outcome.failed_answers, "answer"), plural(outcome.failed_scores, "score")]
        if outcome.failed_probes:
            parts.append(plural(outcome.failed_probes, "probe"))
        click.echo(
            f"{listing(parts)} failed; the report counts them by reason. The same command tries"
            " transient failures again, with --retry-failed the others too"
        )
    click.echo(f"{run.report_path}: {summary.finding.sentence}")
    for finding in summary.finding.subjects:
        for line in finding.corrected:
            click.echo(f"  {line}")
    for subject in summary.memorisation.subjects if summary.memorisation else ():
        click.echo(f"learned or memorised? {subject.sentence}")
    return 1 if outcome.failed else 0
