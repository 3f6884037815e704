"""``jostle run``: the whole way of a suite."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import overrides_argument


@click.command(short_help="Perturb, generate, judge, analyse, report.")
@click.argument("suite", type=click.Path(path_type=Path))
@overrides_argument
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (default runs/<name>).")
@click.option("--retry-failed", is_flag=True, help="Try permanent failures again, too.")
def command(suite: Path, overrides: tuple[str, ...], out: Path | None, retry_failed: bool) -> int:
    """Run SUITE (a YAML file, or the name of a shipped suite) and write its report.

    Finished work is never done twice: stop at any time and run the same command to resume. Any field
    can be set here, for example suite.seed=7 data.limit=40 subjects.1.adapters=[my/adapter].
    """
    from harness.cli.common import launch_command, open_context, print_outcome, run_folder
    from harness.config import load_suite
    from harness.models.subjects import check_local_folders
    from harness.pipeline import runner
    from harness.util.resources import shipped

    loaded = load_suite(shipped(suite, "suites"), overrides)
    check_local_folders(loaded.subjects)
    folder = run_folder(loaded, out)
    with open_context(
        loaded, folder, command=launch_command(), retry_failed=retry_failed
    ) as context:
        return print_outcome(context.session.run, runner.run(context))
