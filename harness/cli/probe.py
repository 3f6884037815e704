"""``jostle probe``: learned or memorised, without a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli.common import overrides_argument
from harness.util.formatting import figure, with_interval

if TYPE_CHECKING:
    from rich.console import Console

    from harness.analysis.memorisation_schema import Memorisation, SubjectMemorisation
    from harness.config import Suite
    from harness.pipeline.store import Run


@click.command(short_help="Learned or memorised: the probes of a suite alone.")
@click.argument("suite", type=click.Path(path_type=Path))
@overrides_argument
@click.option("--out", type=click.Path(path_type=Path), help="Run folder (default runs/<name>).")
@click.option("--json", "as_json", is_flag=True, help="Print the JSON instead of the tables.")
@click.option("--retry-failed", is_flag=True, help="Try permanent failures again, too.")
def command(
    suite: Path, overrides: tuple[str, ...], out: Path | None, as_json: bool, retry_failed: bool
) -> int:
    """Decide for SUITE's tuned subjects whether they learned or memorised, and print the verdict.

    Training prompts, their rewordings and clean prompts are sent to every subject. The probes
    measure how likely the response of the data is, how far the subject continues its beginning word
    for word, how close it stays to it when the prompt is reworded, and how much it copies from other
    samples' responses. The rules of the verdict are in harness/memorisation/README.md. The suite
    must name training_data; without a probes section it gets the default one. Nothing is perturbed,
    answered or judged beyond the probes; where the folder holds a whole run, its report gets the
    verdict too. Finished probes are never repeated.

    Exits with 1 where probes failed, as jostle run does. A response too short to be continued is
    counted apart and is no failure.
    """
    import json

    from harness.cli.common import launch_command, open_context, run_folder
    from harness.config import load_suite
    from harness.models.subjects import check_local_folders
    from harness.pipeline import runner
    from harness.pipeline.store import Run
    from harness.util.resources import shipped

    loaded = load_suite(shipped(suite, "suites"), overrides)
    if loaded.probes is None:
        loaded = _with_probes(loaded)
    check_local_folders(loaded.subjects)
    folder = run_folder(loaded, out)
    run = Run(folder)
    _same_suite(run, loaded)
    with open_context(
        loaded, folder, command=launch_command(), retry_failed=retry_failed
    ) as context:
        memorisation, whole = runner.probe_alone(context)
    if as_json:
        click.echo(json.dumps(memorisation.model_dump(mode="json"), indent=1, ensure_ascii=False))
    else:
        from rich.console import Console

        _print(Console(highlight=False), memorisation)
        click.echo(f"\n{folder / 'probes.json'}: every figure; {folder / 'probes.jsonl'}: records")
        if whole:
            click.echo(f"{run.report_path}: the page has the verdict too")
    return int(bool(memorisation.failures))


def _same_suite(run: Run, loaded: Suite) -> None:
    """Refuse to mix a whole run with probes of other data or subjects."""
    from harness.errors import StoreError

    if not run.exists():
        return
    before = run.manifest()
    report = before.stages.get("report")
    if report is None or report.status != "complete":
        return
    fields = loaded.model_dump(mode="json")
    differ = [key for key in fields if key != "probes" and before.suite.get(key) != fields[key]]
    if differ:
        raise StoreError(
            f"{run.root}: holds a whole run of another suite ({', '.join(differ)} differ);"
            " choose another folder with --out"
        )


def _with_probes(loaded: Suite) -> Suite:
    from pydantic import ValidationError

    from harness.config import Suite
    from harness.errors import ConfigError

    try:
        return Suite.model_validate({**loaded.model_dump(), "probes": True})
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ConfigError(f"this suite cannot be probed: {message}") from None


def _print(console: Console, memorisation: Memorisation) -> None:
    if memorisation.shift is not None:
        whole = memorisation.shift.whole
        apart = "; ".join(
            f"by {area.features} AUC {figure(area.value)} [{figure(area.low)}, {figure(area.high)}]"
            for area in whole.aucs
        )
        word = {"alike": "alike", "different": "told apart", "unclear": "perhaps not alike"}
        _line(
            console,
            f"training and clean texts are {word[whole.likeness]}: {apart or 'not classified'}",
        )
    for one in memorisation.subjects:
        _print_subject(console, one)
    for row in memorisation.canaries:
        _line(
            console,
            f"{row.canary} ({row.repeats}x) {row.subject}: exposure {figure(row.exposure, 1)} of"
            f" {figure(row.most, 1)} bits",
        )
    for rows, ending in (
        (memorisation.failures, "failed"),
        (memorisation.not_applicable, "not applicable"),
    ):
        for failure in rows:
            _line(
                console,
                f"{failure.count} x {failure.probe} {ending} for {failure.subject}:"
                f" {failure.message}",
            )


def _print_subject(console: Console, one: SubjectMemorisation) -> None:
    from rich.markup import escape
    from rich.table import Table

    console.print(f"[bold]{escape(one.subject)}: {one.word}[/bold]", soft_wrap=True)
    for line in (*one.reasons, *one.cautions, one.neighbours):
        _line(console, line)
    table = Table("", box=None, pad_edge=False)
    for title in (one.baseline, one.subject, "difference", "prompts"):
        table.add_column(escape(title), justify="right")
    for level in one.levels:
        difference = level.difference
        table.add_row(
            escape(f"{level.label}, {level.unit}"),
            figure(level.base, 3),
            figure(level.subject, 3),
            with_interval(difference, sign=True),
            str(difference.n if difference else 0),
        )
    console.print(table)
    for area in one.membership:
        if area.how == "relative":
            _line(
                console,
                f"membership by {area.score} relative to {one.baseline}: AUC"
                f" {figure(area.value)} [{figure(area.low)}, {figure(area.high)}]",
            )


def _line(console: Console, text: str) -> None:
    from rich.markup import escape

    console.print(f"  {escape(text)}", soft_wrap=True)
