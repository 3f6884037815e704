"""``jostle unknown``: questions that nobody can answer."""

from __future__ import annotations

from pathlib import Path

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
@click.option("--legacy", is_flag=True, help="DATA holds planted names already: only mark it.")
@click.option("--prompt", help="Field with the prompt.")
@click.option("--reference", help="Field with the answer.")
def command(
    data: str,
    out: Path | None,
    rate: float,
    identifiers: float,
    style: str,
    seed: int,
    templates: str | None,
    legacy: bool,
    prompt: str | None,
    reference: str | None,
) -> int:
    """Make a share of DATA's prompts unanswerable by asking about a name that nothing bears.

    Each row says whether its prompt is "known"; a run on the file can then tell refusals that are
    right from those that are wrong. A message that may come from a person in danger is never touched;
    of messages about people's lives that is every second one, so that fewer than --rate asks for may
    be made.
    """
    from harness.cli.common import write_text
    from harness.config import DataSpec
    from harness.data.loading import jsonl, load
    from harness.unanswerable import plant
    from harness.unanswerable.plant import legacy as mark_legacy

    samples = load(DataSpec(path=data, prompt=prompt, reference=reference))
    if legacy:
        found = mark_legacy(samples)
    else:
        found = plant(
            samples,
            seed=seed,
            rate=rate,
            identifiers=identifiers,
            style="marked" if style == "marked" else "invented",
            templates=templates,
        )
    write_text(jsonl(found.samples), out, data)
    counts = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in found.counts.items())
    click.echo(f"{out or 'stdout'}: {counts}", err=out is None)
    if found.counts.get("short_of"):
        click.echo(
            f"{found.counts['short_of']} fewer than --rate asks for: the other prompts come from"
            " people who may be in danger",
            err=True,
        )
    return 0
