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
@click.option(
    "--until",
    metavar="WIDTH|decided",
    help='Add prompts look by look until the intervals are within WIDTH ("±0.1"), or the differences'
    " are certain; needs suite.looks and data.limit.",
)
def command(
    suite: Path,
    overrides: tuple[str, ...],
    out: Path | None,
    retry_failed: bool,
    until: str | None,
) -> int:
    """Run SUITE (a YAML file, or the name of a shipped suite) and write its report.

    Finished work is never done twice: stop at any time and run the same command to resume. Any field
    can be set here, for example suite.seed=7 data.limit=40 subjects.1.adapters=[my/adapter].
    """
    from harness.cli.common import launch_command, open_context, print_outcome, run_folder
    from harness.config import load_suite
    from harness.models.subjects import check_local_folders
    from harness.pipeline import runner
    from harness.pipeline.growing import StoppingRule, growing_suites
    from harness.pipeline.store import Run
    from harness.util.resources import shipped

    loaded = load_suite(shipped(suite, "suites"), overrides)
    check_local_folders(loaded.subjects)
    folder = run_folder(loaded, out)
    rule = None if until is None else StoppingRule.parse(until)
    suites = [loaded] if rule is None else list(growing_suites(loaded, Run(folder).looks()))
    code = 0
    for place, one in enumerate(suites, start=1):
        with open_context(
            one, folder, command=launch_command(), retry_failed=retry_failed
        ) as context:
            code = print_outcome(context.session.run, runner.run(context))
            if rule is None:
                return code
            summary = context.session.run.summary()
        met = rule.met(summary)
        where = f"look {len(summary.looks)} of {loaded.suite.looks}, {summary.prompts} prompts"
        more = "" if met or place == len(suites) else "; more prompts are needed"
        click.echo(f"{where}: {'what --until asks for is reached' if met else 'not reached'}{more}")
        if met:
            break
    return code
