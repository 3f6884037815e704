"""``jostle convert``: any data set to prompt–response JSONL."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command(short_help="Any data set to prompt–response JSONL.")
@click.argument("source")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Output file (default: stdout).")
@click.option("--prompt", help="Field with the prompt.")
@click.option("--reference", help="Field with the answer.")
@click.option("--context", help="Field with further input, put below the prompt.")
@click.option("--messages", help="Field with chat-style messages.")
@click.option("--split", default="train", show_default=True, help="Split of a hub data set.")
@click.option("--revision", help="Revision of a hub data set.")
def command(source: str, out: Path | None, **fields: Any) -> int:
    """Convert SOURCE to {"prompt", "response"} JSONL.

    SOURCE is a JSONL, JSON, CSV, TSV or Parquet file, bundled:data/..., or hub:owner/name. Usual
    field names (prompt, question, instruction + input, Context, response, output, ...) are found by
    themselves. A conversation of several turns is written as {"messages"}: it has no single prompt.
    """
    from harness.cli.common import write_text
    from harness.config import DataSpec
    from harness.data.loading import jsonl, load

    samples = load(DataSpec(path=source, **fields))
    write_text(jsonl(samples), out, source)
    if out is not None:
        click.echo(f"{out}: {len(samples)} rows")
    return 0
