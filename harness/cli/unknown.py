"""``jostle unknown``: questions that nobody can answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click


@click.command(short_help="Questions that nobody can answer, to see who refuses.")
@click.argument("data")
@click.option("-o", "--out", type=click.Path(path_type=Path), help="Output file (default: stdout).")
@click.option("--rate", default=0.5, show_default=True, help="Share of the rows made unanswerable.")
@click.option(
    "--identifiers",
    default=0.5,
    show_default=True,
    help="Share of those that ask about an identifier; the others ask about a library.",
)
@click.option(
    "--style",
    type=click.Choice(["invented", "marked"]),
    default="invented",
    show_default=True,
    help="Invented words, or names like FakeLib995.",
)
@click.option("--seed", default=0, show_default=True, help="Another seed, another draw.")
@click.option(
    "--templates", help="Your own questions, a file like harness/unanswerable/templates.yaml."
)
@click.option("--legacy", is_flag=True, help="DATA already holds planted names: only mark it.")
@click.option("--prompt", help="Field with the prompt.")
@click.option("--reference", help="Field with the answer.")
def command(
    data: str,
    out: Path | None,
    legacy: bool,
    prompt: str | None,
    reference: str | None,
    **planting_options: Any,
) -> int:
    """Make a share of DATA's prompts unanswerable by asking about an invented name.

    Each row says whether its prompt is "known"; a run on the file can then tell right refusals from
    wrong ones. A message that may come from a person in danger is never changed; of messages about
    people's lives that is every second one, so that there may be fewer than --rate asks for.
    """
    from harness.cli.common import write_text
    from harness.config import DataSpec
    from harness.data.loading import jsonl, load
    from harness.unanswerable import PlantingOptions, mark_legacy, plant

    samples = load(DataSpec(path=data, prompt=prompt, reference=reference))
    if legacy:
        made, counts = mark_legacy(samples)
    else:
        made, counts = plant(samples, PlantingOptions(**planting_options))
    write_text(jsonl(made), out, data)
    figures = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in counts.items())
    click.echo(f"{out or 'stdout'}: {figures}", err=out is None)
    if counts.get("short_of"):
        click.echo(
            f"{counts['short_of']} fewer than --rate asks for: the other prompts come from"
            " people who may be in danger",
            err=True,
        )
    return 0
