"""``jostle plan``: power and cost, before spending."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.common import overrides_argument
from harness.util.formatting import duration

if TYPE_CHECKING:
    from harness.analysis import Summary
    from harness.config import Suite
    from harness.memorisation.prompt_choice import ProbeWorkload
    from harness.pipeline.planning import DifferenceSpread, Power, RunCost
    from harness.records import Sample


@click.command(short_help="Power and cost, before spending.")
@click.argument("suite", type=click.Path(path_type=Path))
@overrides_argument
@click.option("--pilot", type=click.Path(path_type=Path), help="An analysed run like this one.")
@click.option("--sd", type=float, help="Spread of the per-prompt differences, without a pilot.")
@click.option("--effect", type=float, help="Smallest difference that matters to you.")
@click.option("--prompts", type=click.IntRange(3), help="Plan for this many prompts.")
def command(
    suite: Path,
    overrides: tuple[str, ...],
    pilot: Path | None,
    sd: float | None,
    effect: float | None,
    prompts: int | None,
) -> int:
    """Say what SUITE can show and what it will cost. Loads no model and sends no request.

    The spread comes from --pilot (the folder of a run) or from --sd, in the units of the measure.
    With --effect it also says how many prompts are needed to see that with 80 % probability. Both are
    at the level that a headline difference must reach after the correction for all tests of the page.
    """
    from harness.audit import mark_leaked
    from harness.config import load_suite
    from harness.data.loading import load, select
    from harness.errors import ConfigError
    from harness.judging.traits import declared_traits
    from harness.pipeline import planning
    from harness.pipeline.store import Run
    from harness.registry import judges, load_plugin_file
    from harness.util.resources import shipped

    loaded = load_suite(shipped(suite, "suites"), overrides)
    for path in loaded.plugins:
        load_plugin_file(Path(path))
    rows, training = load(loaded.data), []
    if loaded.data.only == "clean" or loaded.probes is not None:
        training = [row for spec in loaded.training_data for row in load(spec)]
        rows, _ = mark_leaked(rows, training)
    chosen, _ = select(rows, loaded.data, loaded.suite.seed)
    count = prompts or len(chosen)
    summary = None if pilot is None else Run.open(pilot).summary()
    if sd is not None:
        spreads = planning.stated_spreads(sd)
    elif summary is not None:
        spreads = planning.spreads_of_pilot(summary)
    else:
        raise ConfigError(
            "a plan needs the spread of the differences: give --pilot RUN (a smaller run) or --sd"
        )
    measures = 1 if summary is None else len(summary.headline.measures)
    alpha = planning.headline_level(len(loaded.subjects), measures)
    _print_power(planning.power(spreads, count, effect=effect, alpha=alpha), effect)
    _print_labels(spreads, summary, count)
    for budget in summary.error_budgets if summary is not None else ():
        click.echo(f"Where the next euro goes, by the pilot, for {budget.subject}:")
        for line in budget.words:
            click.echo(f"  {line}")
    cost = planning.run_cost(
        loaded,
        prompts=count,
        characters=sum(len(s.prompt) for s in chosen) / max(len(chosen), 1),
        llm_judges={j.label: declared_traits(judges.get(j.name)).llm for j in loaded.judges},
        pilot=summary,
        probes=_probe_workload(loaded, training, chosen),
    )
    _print_cost(cost)
    return 0


def _probe_workload(
    loaded: Suite, training: Sequence[Sample], chosen: Sequence[Sample]
) -> ProbeWorkload | None:
    """Count what the probes will ask of each subject; None where the suite has no probes."""
    from harness.memorisation.canaries import read_canary_key
    from harness.memorisation.prompt_choice import probe_workload, usable_samples

    spec = loaded.probes
    if spec is None:
        return None
    secrets = () if spec.canaries is None else read_canary_key(spec.canaries).canaries
    planted = {canary.prompt for canary in secrets}
    return probe_workload(
        spec,
        training=len(usable_samples([row for row in training if row.prompt not in planted])),
        clean=len(usable_samples([row for row in chosen if row.audit == "clean"])),
        canaries=len(secrets),
    )


def _print_power(rows: Sequence[Power], effect: float | None) -> None:
    from harness.pipeline.planning import QUESTIONS

    click.echo(
        f"With {rows[0].prompts} prompts this suite shows, in 80 % of runs and after correction for"
        " all tests of the page, a true"
    )
    for row in rows:
        size = "none, however large" if math.isinf(row.detectable) else f"±{row.detectable:.3g}"
        line = f"  {QUESTIONS[row.spread.estimand]:55} of {size}"
        if row.needed is not None:
            line += f"; {effect:g} needs {row.needed:,} prompts"
        click.echo(f"{line}  (spread {row.spread.sd:.3g}, {row.spread.source})")


def _print_labels(spreads: Sequence[DifferenceSpread], pilot: Summary | None, prompts: int) -> None:
    """Say which half-width how many labels by people buy, of a difference that a judge scores."""
    from harness.pipeline.label_planning import label_lines, label_plans, label_spreads
    from harness.pipeline.planning import QUESTIONS

    click.echo(f"People who label some of {prompts} prompts (jostle labels) would know, to within,")
    for row in label_spreads(spreads, pilot):
        click.echo(f"  the {QUESTIONS[row.estimand]} ({row.source}):")
        for line in label_lines(row, label_plans(row, prompts)):
            click.echo(f"    {line}")


def _print_cost(cost: RunCost) -> None:
    click.echo(f"It will cost, for {cost.prompts:,} prompts:")
    click.echo(
        f"  {cost.answers:,} answers: about {cost.prompt_tokens:,} tokens read,"
        f" {cost.completion_tokens:,} written"
        + (f", {duration(cost.seconds)}" if cost.seconds else "")
    )
    if (probes := cost.probes) is not None:
        click.echo(
            f"  probes on {probes.workload.training:,} training and {probes.workload.clean:,} clean"
            f" prompts: {probes.ratings:,} ratings, {probes.answers:,} answers of up to"
            f" {probes.completion_tokens:,} tokens"
            + (f", {duration(probes.seconds)} beside the ratings" if probes.seconds else "")
        )
    if (searches := cost.searches) is not None:
        click.echo(
            f"  searches for worst cases on {searches.prompts:,} prompts: at most"
            f" {searches.answers:,} answers of {searches.completion_tokens:,} tokens, each scored once"
            + (f", {duration(searches.seconds)}" if searches.seconds else "")
        )
    for judge in cost.judges:
        line = f"  {judge.judgements:,} answers to judge by {judge.judge}"
        if not judge.llm:
            line += ": no tokens, no money"
        elif judge.tokens is None:
            line += ": a language model; tokens and money need a pilot with this judge"
        else:
            line += f": about {judge.tokens:,} tokens, {judge.money:,.2f} in its prices"
            line += f", {duration(judge.seconds)}" if judge.seconds else ""
        click.echo(line)
    for note in cost.notes:
        click.echo(f"  ({note})")
