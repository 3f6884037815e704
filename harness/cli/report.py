"""``jostle report``: analyse and render again."""

from __future__ import annotations

from pathlib import Path

import click


@click.command(short_help="Analyse and render a run again.")
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
def command(run_dir: Path) -> int:
    """Analyse RUN again from its records and write its report anew. Loads no model and no judge."""
    from reports.html import render

    from harness import runner
    from harness.cache import Cache
    from harness.cli.common import conclude, stored_suite
    from harness.cli.show import reporter
    from harness.config import Suite
    from harness.session import Session
    from harness.store import Run

    suite = Suite.model_validate(stored_suite(Run.open(run_dir).manifest()))
    parts = runner.assemble(suite)
    with Run.open(run_dir) as run:
        session = Session(run, suite, cache=Cache(), progress=reporter())
        return conclude(run, runner.conclude(session, parts.judges, render))
