"""``jostle calibrate``: how far a judge agrees with labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.config import JudgesFile
    from harness.judging.calibration_records import Agreement, Calibration
    from harness.judging.labels import Labels, Split
    from harness.pipeline.assemble import NamedJudge
    from harness.pipeline.cache import Cache
    from harness.records import JudgeItem, Judgement
    from harness.util.progress import Progress

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
def command(labels: str, judge_entry: str | None, fit_name: str | None, split: Split | None) -> int:
    """Measure a judge against LABELS (JSONL: pointwise scores or preferences, with annotators).

    Prints rank correlations, weighted kappa and accuracy with bootstrap intervals, and stores them
    for the judge's version: from then on reports show them beside every figure of that judge. What
    a judge was asked is kept, so the same command goes on where it stopped. With --fit, a judge is
    learned from the labels first (offline; used as "fitted: {model: NAME}"): from those with split
    "fit", or all where there are no splits.
    """
    if (judge_entry is None) == (fit_name is None):
        raise click.UsageError("name either --judge JUDGE or --fit NAME")
    if fit_name is not None:
        if split is not None:
            raise click.UsageError(
                "--split belongs to --judge: --fit learns from split 'fit' and checks on 'check'"
            )
        return _fit(labels, fit_name)
    assert judge_entry is not None
    from harness.cli.show import reporter
    from harness.judging.calibration_records import store
    from harness.judging.labels import read_labels
    from harness.pipeline.assemble import build_judges
    from harness.pipeline.cache import Cache
    from harness.registry import load_plugin_file

    chosen = _chosen(judge_entry)
    for plugin in chosen.plugins:
        load_plugin_file(Path(plugin))
    part = read_labels(labels).part(split)
    with closing(Cache()) as cache:
        for named in build_judges(chosen.judges):
            calibration = _check(named, part, cache, reporter())
            _print(calibration)
            click.echo(f"stored: {store(calibration)}")
    return 0


def _fit(labels: str, name: str) -> int:
    from harness.judging.calibration_report import summary
    from judges.fitted import Fitted, fit_labels

    path, model, calibration = fit_labels(labels, name)
    click.echo(f"{path}: fitted on {labels}")
    if calibration is not None:
        _print(calibration)
        return 0
    click.echo("  no part of the labels was held out; cross-validated, folds by question:")
    for row in model.card.dimensions:
        click.echo(f"  {row.name}: Spearman {row.cross_validated} ({row.items} items)")
    for known in Fitted(str(path.resolve())).calibrations:
        click.echo(f"  {summary(known.compared)}")
    return 0


def _check(named: NamedJudge, labels: Labels, cache: Cache, progress: Progress) -> Calibration:
    """Check one judge against the labels; its verdicts are cached where that is sound."""
    from harness.judging.cached import Cached
    from harness.judging.calibration import calibrate
    from harness.judging.metered import Metered, is_priced
    from harness.judging.traits import traits_of
    from harness.protocols import CachesMembers

    judge = named.judge
    meter = Metered(judge)
    durable = traits_of(judge).durable
    if isinstance(judge, CachesMembers):
        judge.keep_in(lambda member: cache if traits_of(member).durable else None)
    if not durable:
        progress.note(
            f"{named.label}: without a revision its name may mean another model tomorrow, so nothing"
            " that it says is kept"
        )
    grader = Cached(meter, cache, named.source) if durable else meter

    def grade(items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        seen: set[int] = set()
        with progress.stage(f"judge: {named.label}", len(items)) as task:
            for judgement in grader.grade(items):
                if judgement.item not in seen:
                    seen.add(judgement.item)
                    task.advance()
                yield judgement

    try:
        return calibrate(judge, labels, name=named.name, code=named.source, grade=grade)
    finally:
        spent = meter.spent
        if spent.calls:
            money = f"{spent.money:.4f}" if spent.money or is_priced(judge) else "no price named"
            click.echo(
                f"{named.label}: {spent.calls} calls, {spent.prompt_tokens} prompt and"
                f" {spent.completion_tokens} completion tokens, money: {money}"
            )


def _chosen(entry: str) -> JudgesFile:
    """Return the judges that ``--judge`` names: a file, or one entry of a suite's list."""
    import yaml
    from pydantic import ValidationError

    from harness.config import JudgesFile
    from harness.errors import ConfigError
    from harness.util.secrets import first_fault
    from harness.util.yaml_config import load_yaml

    if entry.endswith((".yaml", ".yml")):
        return load_yaml(Path(entry), (), JudgesFile)
    try:
        return JudgesFile.model_validate({"judges": [yaml.safe_load(entry)]})
    except yaml.YAMLError:
        fault = "it is not valid YAML"
    except ValidationError as error:
        fault = first_fault(error, list(JudgesFile.model_fields))
    # The entry itself is not repeated: it may hold a key.
    raise ConfigError(
        "--judge is no judge as a suite lists it, such as rouge_l or"
        f" 'fitted: {{model: counseling}}', and no YAML file: {fault}"
    )


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


def _print(calibration: Calibration) -> None:
    from harness.judging.calibration_report import summary

    click.secho(
        f"{calibration.judge} on {calibration.items} items of {calibration.labels}", bold=True
    )
    click.echo(
        "  " + ", ".join(f"{count} {status}" for status, count in calibration.outcomes.items())
    )
    for row in calibration.dimensions:
        click.echo(
            f"  {row.dimension}: Spearman {row.spearman}, Kendall tau-b {row.kendall}, weighted"
            f" kappa {row.kappa}, accuracy {row.accuracy} ({row.items} items)"
        )
        if beside := list(_beside(row)):
            click.echo(f"    {'; '.join(beside)}")
        _chart(row)
    for pair in calibration.preferences:
        swap = f", same in both orders {pair.swap_consistency}" if pair.swap_consistency else ""
        click.echo(
            f"  {pair.dimension}: accuracy {pair.accuracy}, weighted kappa {pair.kappa}{swap}"
            f" ({pair.items} pairs)"
        )
    click.echo(f"  {summary(calibration.compared)}")


def _beside(row: Agreement) -> Iterator[str]:
    """Yield how far people agree with each other, and what length alone does to both."""
    if row.people_alpha is not None:
        yield f"people among themselves: Krippendorff's alpha {row.people_alpha:.2f}"
    if row.length_rho is not None and row.people_length_rho is not None:
        yield (
            f"with the answer's length: judge rho {row.length_rho:+.2f}, labels"
            f" {row.people_length_rho:+.2f}"
        )
