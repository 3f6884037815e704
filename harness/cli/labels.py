"""``jostle labels``: people's labels of a run's own answers, drawn at random and given blind."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.analysis.estimates import Measure
from harness.cli.common import suite_of_run
from harness.cli.options import collected
from harness.errors import DataError, StoreError
from harness.util.formatting import plural

if TYPE_CHECKING:
    from harness.pipeline.label_draw import AnsweredPrompts
    from harness.pipeline.store import Run
    from harness.records import LabelScale


@dataclass(frozen=True)
class DrawOptions:
    """Arguments and options of ``jostle labels draw``, which its help describes."""

    run_dir: Path
    prompts: int
    kinds: str | None
    seed: int | None
    annotators: tuple[str, ...]
    scales: tuple[str, ...]
    out: Path | None
    jsonl: bool


@click.group(short_help="People's labels of a run's own answers, which correct its judge.")
def command() -> None:
    """Let people label 30 to 100 of a run's own prompts, blind, and correct the judge by them.

    draw writes blind sheets; read takes them back once they are filled in; jostle report RUN then
    shows every judged difference twice: by the judge, and corrected by people.
    """


@command.command("draw", short_help="Draw prompts at random and write blind sheets.")
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.option("-n", "--prompts", default=40, show_default=True, help="Source prompts to draw.")
@click.option(
    "--kinds", help="Kinds of rewording to draw from, 'typo,role'; 'none': originals alone."
)
@click.option(
    "--seed", type=click.IntRange(0), help="Another seed, another draw (default: the run's)."
)
@click.option("--annotator", "annotators", multiple=True, help="A sheet for each; may be repeated.")
@click.option(
    "--scale",
    "scales",
    multiple=True,
    metavar="NAME=LOW..HIGH",
    help="What people are asked (default: what the leading measure is made of); may be repeated.",
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Folder of the sheets.")
@click.option(
    "--jsonl", is_flag=True, help="Write JSONL, which jostle calibrate reads, too, not CSV."
)
@collected(DrawOptions)
def draw_command(options: DrawOptions) -> int:
    """Draw prompts of RUN at random, record the draw in RUN, and write a blind sheet an annotator.

    A sheet shows the answers of all subjects to each drawn prompt and to one rewording of it, in
    random order, without subject and score. Whoever stops early has labelled a random draw, too; a
    larger -n goes on from there.
    """
    from harness.pipeline.label_draw import DrawRequest, draw_prompts
    from harness.pipeline.label_sheets import items_of, sheet_text
    from harness.pipeline.run_labels import write_draw
    from harness.pipeline.store import Run
    from harness.util.files import make_folder, write_atomically

    run = Run.open(options.run_dir)
    answered, seed = _answered(run)
    kinds = None if options.kinds is None else _kinds(options.kinds)
    scales = [_scale(text) for text in options.scales] or _scales_of(run)
    request = DrawRequest(
        options.prompts, seed if options.seed is None else options.seed, kinds, scales
    )
    draw = draw_prompts(answered, request)
    folder, suffix = options.out or run.root / "sheets", ".jsonl" if options.jsonl else ".csv"
    names = options.annotators or ("people",)
    paths = {name: folder / f"{_file_name(name)}{suffix}" for name in names}
    if len(set(paths.values())) < len(paths):
        raise click.UsageError(f"two of {', '.join(names)} give one file name")
    for path in paths.values():
        if path.exists():
            raise StoreError(f"{path}: is there already and may be filled in; choose another --out")
    write_draw(run.root, draw)
    make_folder(folder)
    for name, path in paths.items():
        items = items_of(draw, answered, name)
        write_atomically(path, sheet_text(draw, items, name, suffix))
        click.echo(
            f"{path}: {len(items)} answers to {len(draw.prompts)} of {draw.population} prompts"
        )
    asked = ", ".join(f"{s.name} from {s.low:g} to {s.high:g}" for s in draw.scales)
    click.echo(f"to fill in: {asked}; then jostle labels read {options.run_dir} SHEET...")
    return 0


@command.command("read", short_help="Read filled sheets back into the run.")
@click.argument("run_dir", metavar="RUN", type=click.Path(path_type=Path))
@click.argument(
    "sheets", metavar="SHEET...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--annotator", help="Whose labels they are (default: the name in the sheet).")
def read_command(run_dir: Path, sheets: tuple[Path, ...], annotator: str | None) -> int:
    """Read filled sheets of RUN's draw; empty cells are answers that were not labelled.

    The draw is made again and compared with its record. Labels of other answers than those drawn do
    not qualify: they can check a judge (jostle calibrate), but not correct the differences of a run.
    """
    from harness.pipeline.label_draw import fault_of_draw
    from harness.pipeline.label_sheets import items_of, read_sheet
    from harness.pipeline.run_labels import DRAW_FILE, people_labels, read_draw, store_labels
    from harness.pipeline.store import Run

    run = Run.open(run_dir)
    draw = read_draw(run.root)
    if draw is None:
        raise DataError(
            f"{run_dir}: nothing was drawn for people to label; use jostle labels draw, since only"
            " labels of prompts drawn at random from a run can correct it"
        )
    answered, _ = _answered(run)
    if fault := fault_of_draw(draw, answered):
        raise DataError(f"{run.root / DRAW_FILE}: {fault}; no label can correct this run by it")
    known = {item.id: item for item in items_of(draw, answered, "")}
    labels = [row for path in sheets for row in read_sheet(path, draw, known, annotator)]
    total = store_labels(run, labels)
    click.echo(f"{plural(len(labels), 'label')} read, {total} in {run_dir}")
    suite = suite_of_run(run_dir)
    records = run.records([s.name for s in suite.subjects], suite.baseline_name)
    people, notes = people_labels(run, records)
    for line in [*(people.summary_lines() if people else ()), *notes]:
        click.echo(f"  {line}")
    click.echo(f"jostle report {run_dir} shows what they correct")
    return 0


def _answered(run: Run) -> tuple[AnsweredPrompts, int]:
    """Return the prompts of a run with their answers, and its seed."""
    from harness.pipeline.label_draw import AnsweredPrompts

    suite = suite_of_run(run.root)
    records = run.records([s.name for s in suite.subjects], suite.baseline_name)
    return AnsweredPrompts(records), suite.suite.seed


def _kinds(text: str) -> list[str]:
    return [] if text == "none" else [name.strip() for name in text.split(",") if name.strip()]


def _scale(text: str) -> LabelScale:
    """Read ``NAME=LOW..HIGH``."""
    from harness.records import LabelScale

    name, _, ends = text.partition("=")
    low, dots, high = ends.partition("..")
    try:
        if not dots:
            raise ValueError("no '..'")
        return LabelScale(name=name.strip(), low=float(low), high=float(high))
    except ValueError:
        raise click.UsageError(f"--scale {text!r}: write it as helpfulness=1..5") from None


def _scales_of(run: Run) -> list[LabelScale]:
    """Return the scales of what the leading measure is made of."""
    from harness.records import LabelScale

    summary = run.summary()
    if not summary.headline.measures:
        raise DataError(f"{run.root}: no measure leads; say what people are asked with --scale")
    leading = summary.headline.measures[0]
    by_name = {row.measure: row for row in summary.measures}
    parts = by_name[leading].mean_of or (leading.dimension,)
    rows = [by_name[Measure(leading.judge, name)] for name in parts]
    return [
        LabelScale(name=row.dimension, low=row.low, high=row.high, description=row.description)
        for row in rows
    ]


def _file_name(annotator: str) -> str:
    """Return a file name for an annotator."""
    name = "".join(c if c.isalnum() or c in "-_." else "-" for c in annotator).strip(".")
    if not any(map(str.isalnum, name)):
        raise click.UsageError(f"--annotator {annotator!r} gives no file name")
    return name
