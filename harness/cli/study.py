"""``jostle study``: a grid of trainings, each put under test, and one report."""

from __future__ import annotations

from pathlib import Path

import click

from harness.cli.common import overrides_argument


@click.command(short_help="A grid of trainings and its report.")
@click.argument("config", type=click.Path(path_type=Path))
@overrides_argument
@click.option("--out", type=click.Path(path_type=Path), help="Study folder (default runs/<name>).")
@click.option("--dry-run", is_flag=True, help="Estimate the cost, and stop.")
@click.option("--engine", type=click.Choice(["local", "ray"]), default="local", show_default=True)
def command(
    config: Path, overrides: tuple[str, ...], out: Path | None, dry_run: bool, engine: str
) -> int:
    """Train every cell of CONFIG's grid, put each under its suite, and compare them in one report.

    CONFIG is a YAML file or the name of a shipped study. With a halves section (jostle study halves)
    the grid is pairs of complementary random halves of the training rows; every row is scored in
    against out, and counterfactual.json tells what was memorised of it: name it as probes.halves in
    a suite. Stop at any time; the same command resumes.
    A training that fails is recorded, and the others continue.
    """
    from harness.cli.common import launch_command
    from harness.cli.show import reporter
    from harness.util.resources import shipped
    from training.studies.config import load_study
    from training.studies.runner import plan_study, run_study

    study = load_study(shipped(config, "studies"), overrides)
    if dry_run:
        for line in plan_study(study, out).lines():
            click.echo(line)
        return 0
    outcome = run_study(
        study,
        progress=reporter(),
        out=out,
        engine="ray" if engine == "ray" else "local",
        command=launch_command(),
    )
    for finding in outcome.findings:
        click.echo(finding)
    if outcome.failed:
        click.echo(
            f"{outcome.failed} cells failed; the report gives the reasons, the same command retries them"
        )
    click.echo(f"{outcome.report}: {study.study.name}")
    return 1 if outcome.failed else 0
