"""``jostle split``: leak-free splits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.common import refuse_overwriting


@click.command(short_help="Leak-free splits.")
@click.argument("data")
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="Folder for the parts."
)
@click.option("--train", default=0.8, show_default=True, help="Share of the rows.")
@click.option("--validation", default=0.1, show_default=True, help="Share of the rows; 0 for none.")
@click.option("--test", default=0.1, show_default=True, help="Share of the rows; 0 for none.")
@click.option(
    "--by",
    help="Stratify: length, topic or another field, none (default: topic where every row has one,"
    " else length).",
)
@click.option("--seed", default=0, show_default=True, help="Another seed, another draw.")
@click.option("--prompt", help="Field with the prompt.")
@click.option("--reference", help="Field with the answer.")
@click.option("--messages", help="Field with chat-style messages.")
def command(data: str, out: Path, by: str | None, seed: int, **shares_and_fields: Any) -> int:
    """Divide DATA into train.jsonl, validation.jsonl and test.jsonl, described in split.json.

    Rows whose prompts are the same, or nearly, stay together, so that no test prompt is in the
    training data. The same rows in another order give the same parts. Parts of an earlier split in
    the folder are replaced; a file of these names that no split has written is never touched.
    """
    from harness.cli.split_folder import NOTE, PARTS, earlier_parts, write
    from harness.config import DataSpec
    from harness.data.loading import load
    from harness.data.split import default_field, split

    refuse_overwriting([out / f"{part}.jsonl" for part in PARTS] + [out / NOTE], [data])
    earlier_parts(out)
    shares: dict[str, float] = {part: shares_and_fields.pop(part) for part in PARTS}
    samples = load(DataSpec(path=data, **shares_and_fields))
    field = by or default_field(samples)
    parts = split(samples, shares, by=None if field == "none" else field, seed=seed)
    removed = write(parts, out, source=data, shares=shares, by=field, seed=seed)
    for part, rows in parts.parts.items():
        click.echo(
            f"{out / part}.jsonl: {len(rows)} rows ({len(rows) / len(samples):.1%}),"
            f" {parts.clusters[part]} clusters"
        )
    for name in removed:
        click.echo(f"{out / name}: removed, it was a part of an earlier split")
    if field != "none":
        click.echo(f"\nrows by {field}:")
        for stratum, counts in parts.strata.items():
            cells = ", ".join(f"{part} {count}" for part, count in counts.items())
            click.echo(f"  {stratum}: {cells}")
    click.echo(f"\nlargest cluster of near-duplicate prompts: {parts.largest} rows")
    if parts.undecided:
        click.echo(
            f"{parts.undecided} alike pairs were too many to decide: each was kept in one part"
        )
    if parts.crowded:
        click.echo(
            f"{parts.crowded} groups of rows share so much wording that they were passed over:"
            " near-duplicates among them can stand in two parts"
        )
    return 0
