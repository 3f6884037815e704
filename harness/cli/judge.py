"""``jostle judge``: judge an existing run again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Judge an existing run again.")
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option(
    "--judges",
    "judges_file",
    type=click.Path(path_type=Path),
    help="YAML with a judges: list that takes the place of the run's own.",
)
@click.option("--retry-failed", is_flag=True, help="Try again what failed for good, too.")
def command(run_dir: Path, judges_file: Path | None, retry_failed: bool) -> int:
    """Judge the answers of RUN again, then analyse and report. No model under test is loaded.

    What stands and is unchanged is kept; scores of judges that are gone are moved to stale/.
    """
    from harness import runner
    from harness.cache import Cache
    from harness.cli.common import conclude, stored_suite
    from harness.cli.show import reporter
    from harness.config import Suite
    from harness.session import Session
    from harness.store import Run
    from harness.yamlfile import load_yaml, parse_yaml
    from reports.html import render

    stored = stored_suite(Run.open(run_dir).manifest())
    if judges_file is not None:
        from harness.config import JudgesFile

        load_yaml(judges_file, (), JudgesFile)
        stored |= parse_yaml(judges_file)[0]
    suite = Suite.model_validate(stored)
    parts = runner.assemble(suite)
    with Run.open(run_dir) as run:
        session = Session(
            run,
            suite,
            cache=Cache(),
            progress=reporter(),
            retry_failed=retry_failed,
        )
        return conclude(run, runner.assess(session, parts.judges, render))
