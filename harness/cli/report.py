"""``jostle report``: analyse and render again, compare runs, export figures."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Analyse and render a run again, or compare runs.")
@click.argument(
    "run_dirs", metavar="RUN...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Folder of a comparison (default comparison/ beside the first run).",
)
@click.option("--baseline", help="In a comparison: the subject to compare with, as 'run: subject'.")
@click.option(
    "--export", "exported", is_flag=True, help="Write CSV, Parquet, Markdown and LaTeX, too."
)
def command(
    run_dirs: tuple[Path, ...], out: Path | None, baseline: str | None, exported: bool
) -> int:
    """Analyse RUN again from its records and write its report again. Loads no model under test.

    With several runs: compare them on the prompts that they share, with paired tests.
    """
    if len(run_dirs) > 1:
        return _compare(run_dirs, out or run_dirs[0].parent / "comparison", baseline, exported)
    if out is not None or baseline is not None:
        raise click.UsageError("--out and --baseline belong to a comparison of several runs")
    return _again(run_dirs[0], exported)


def _again(run_dir: Path, exported: bool) -> int:
    from harness.cli.common import open_context, print_outcome, suite_of_run
    from harness.pipeline import runner

    with open_context(suite_of_run(run_dir), run_dir) as context:
        outcome = runner.finish(context, runner.REPORTING)
        if exported:
            _export(run_dir)
        return print_outcome(context.session.run, outcome)


def _compare(run_dirs: tuple[Path, ...], out: Path, baseline: str | None, exported: bool) -> int:
    from harness.cli.common import launch_command
    from harness.pipeline.store import Run
    from reports.compare import compare

    page = compare(run_dirs, out, baseline=baseline, command=launch_command())
    if exported:
        _export(out)
    click.echo(f"{page}: {Run(out).summary().finding.sentence}")
    return 0


def _export(folder: Path) -> None:
    from reports.exports import export

    click.echo(
        f"exported {', '.join(path.name for path in export(folder))} to {folder / 'exports'}"
    )
