"""``jostle calibrate``: how far a judge agrees with labels."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.config import JudgesFile
    from judges.calibration_records import Agreement, Calibration

BAR = 30
"""Characters of the longest bar of a reliability chart."""


@click.command(short_help="How far a judge agrees with labels.")
@click.argument("labels")
@click.option(
    "--judge",
    "judge_entry",
    metavar="JUDGE",
    help="As a suite lists it, 'fitted: {model: counseling}', or a YAML file with a judges: list.",
)
@click.option("--fit", "fit_name", metavar="NAME", help="Fit a judge to the labels and save it.")
@click.option("--split", type=click.Choice(["fit", "check"]), help="Use only this part of LABELS.")
def command(labels: str, judge_entry: str | None, fit_name: str | None, split: str | None) -> int:
    """Measure a judge against LABELS (JSONL: pointwise scores or preferences, with annotators).

    Prints rank correlations, weighted kappa and accuracy with bootstrap intervals, and stores them
    for the judge's version: from then on reports show them beside every figure of that judge. With
    --fit, a judge is learned from the labels first (offline; used as "fitted: {model: NAME}"): from
    those with split "fit", or all where there are no splits.
    """
    if (judge_entry is None) == (fit_name is None):
        raise click.UsageError("name either --judge JUDGE or --fit NAME")
    if fit_name is not None:
        from judges.fitted import fit_labels

        path, _, found = fit_labels(labels, fit_name)
        click.echo(f"{path}: fitted on {labels}")
        if found is not None:
            _print(found)
        return 0
    assert judge_entry is not None
    from harness.registry import load_plugin_file
    from harness.runner import build_judges
    from judges.calibration import calibrate
    from judges.calibration_records import store
    from judges.labels import read_labels

    chosen = _chosen(judge_entry)
    for plugin in chosen.plugins:
        load_plugin_file(Path(plugin))
    read = read_labels(labels)
    part = read.part("check" if split == "check" else "fit") if split else read
    for named in build_judges(chosen.judges):
        found = calibrate(named.judge, part, name=named.label, source=labels, split=split)
        _print(found)
        click.echo(f"stored: {store(found)}")
    return 0


def _chosen(entry: str) -> JudgesFile:
    """The judges that ``--judge`` names: a file, or one entry of a suite's list."""
    import yaml
    from pydantic import ValidationError

    from harness.config import JudgesFile
    from harness.errors import ConfigError
    from harness.yamlfile import load_yaml

    if entry.endswith((".yaml", ".yml")):
        return load_yaml(Path(entry), (), JudgesFile)
    try:
        return JudgesFile.model_validate({"judges": [yaml.safe_load(entry)]})
    except (yaml.YAMLError, ValidationError):
        raise ConfigError(
            f"--judge {entry!r} is no judge as a suite lists it, such as rouge_l or"
            " 'fitted: {model: counseling}', and no YAML file"
        ) from None


def _chart(row: Agreement) -> None:
    """Reliability: the people's mean label where the judge says about so much."""
    low = min(step.people for step in row.reliability)
    high = max(step.people for step in row.reliability)
    for step in row.reliability:
        share = (step.people - low) / (high - low) if high > low else 1.0
        bar = "#" * (1 + round(share * (BAR - 1)))
        click.echo(
            f"    judge {step.judge:5.2f}  people {step.people:5.2f}  {bar:<{BAR}}"
            f"  {step.items} items"
        )


def _print(found: Calibration) -> None:
    click.secho(f"{found.judge} on {found.items} items of {found.labels}", bold=True)
    click.echo("  " + ", ".join(f"{count} {status}" for status, count in found.outcomes.items()))
    for row in found.dimensions:
        click.echo(
            f"  {row.dimension}: Spearman {row.spearman}, Kendall tau-b {row.kendall}, weighted"
            f" kappa {row.kappa}, accuracy {row.accuracy} ({row.items} items)"
        )
        _chart(row)
    for pair in found.preferences:
        swap = f", same in both orders {pair.swap_consistency}" if pair.swap_consistency else ""
        click.echo(
            f"  {pair.dimension}: accuracy {pair.accuracy}, weighted kappa {pair.kappa}{swap}"
            f" ({pair.items} pairs)"
        )
    click.echo(f"  {found.summary}")
