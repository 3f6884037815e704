"""``jostle probe``: learned or memorised, without a whole run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.common import overrides_argument

if TYPE_CHECKING:
    from rich.console import Console

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
    """Ask of SUITE's tuned subjects whether they learned or memorised, and print the verdict.

    Training prompts, their rewordings and clean prompts are put to every subject: how likely is the
    response of the data, does the subject go on from its beginning word for word, does it keep to it
    when the prompt is reworded, does it copy other samples' responses. The rules of the verdict are
    in harness/memorisation/README.md. The suite must name training_data; without a probes section it gets
    the default one. Nothing is perturbed, answered or judged beyond the probes; where the folder
    holds a whole run, its report gets the verdict too. Finished probes are never asked again.

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
        found, whole = runner.probe_alone(context)
    if as_json:
        click.echo(json.dumps(found.model_dump(mode="json"), indent=1, ensure_ascii=False))
    else:
        from rich.console import Console

        _print(Console(highlight=False), found.model_dump(mode="json"))
        click.echo(f"\n{folder / 'probes.json'}: every figure; {folder / 'probes.jsonl'}: records")
        if whole:
            click.echo(f"{run.report_path}: the page has the verdict too")
    return int(bool(found.failures))


def _same_suite(run: Run, loaded: Suite) -> None:
    """A whole run is not to be mixed with probes of other data or subjects."""
    from harness.errors import StoreError

    if not run.exists():
        return
    before = run.manifest()
    report = before.stages.get("report")
    if report is None or report.status != "complete":
        return
    there, asked = before.suite, loaded.model_dump(mode="json")
    differ = [key for key in asked if key != "probes" and there.get(key) != asked[key]]
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


def _print(console: Console, found: dict[str, Any]) -> None:
    from rich.markup import escape
    from rich.table import Table

    from harness.analysis.estimates import Interval
    from harness.util.formatting import figure, with_interval

    for one in found["subjects"]:
        console.print(f"[bold]{escape(one['subject'])}: {one['verdict']}[/bold]", soft_wrap=True)
        for line in (*one["reasons"], *one["cautions"]):
            console.print(f"  {escape(line)}", soft_wrap=True)
        table = Table("", box=None, pad_edge=False)
        for title in (one["baseline"], one["subject"], "difference", "prompts"):
            table.add_column(escape(title), justify="right")
        for row in one["levels"]:
            table.add_row(
                escape(f"{row['label']}, {row['unit']}"),
                figure(row["base"], 3),
                figure(row["subject"], 3),
                with_interval(
                    Interval(**{k: row["difference"][k] for k in ("mean", "low", "high")}),
                    sign=True,
                ),
                str(row["difference"]["n"]),
            )
        console.print(table)
        for row in one["membership"]:
            if row["how"] == "relative":
                console.print(
                    f"  membership by {row['score']} relative to {escape(one['baseline'])}: AUC"
                    f" {figure(row['value'])} [{figure(row['low'])}, {figure(row['high'])}]",
                    soft_wrap=True,
                )
    for row in found["canaries"]:
        console.print(
            f"  {row['canary']} ({row['repeats']}x) {escape(row['subject'])}: exposure"
            f" {figure(row['exposure'], 1)} of {figure(row['most'], 1)} bits",
            soft_wrap=True,
        )
    for rows, how in ((found["failures"], "failed"), (found["not_applicable"], "not applicable")):
        for row in rows:
            console.print(
                f"  {row['count']} x {row['probe']} {how} for {escape(row['subject'])}:"
                f" {escape(row['message'])}",
                soft_wrap=True,
            )
