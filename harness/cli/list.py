"""``jostle list``: what can be named in a suite."""

from __future__ import annotations

import click


@click.command(short_help="Perturbations, judges, models, suites.")
@click.argument(
    "what",
    required=False,
    type=click.Choice(["perturbations", "judges", "models", "suites", "training", "data"]),
)
@click.option(
    "--schema", type=click.Choice(["summary"]), help="Print the JSON schema of a file of a run."
)
def command(what: str | None, schema: str | None) -> int:
    """List everything that can be named in a suite, each with one line; or only WHAT."""
    if schema is not None:
        import json

        from harness.analysis import Summary

        click.echo(json.dumps(Summary.model_json_schema(), indent=1))
        return 0
    from harness.cli.listing import listing

    sections = listing()
    for title, rows in sections.items():
        if what is not None and title != what:
            continue
        click.secho(title, bold=True)
        width = max((len(name) for name, _ in rows), default=0)
        for name, line in rows:
            click.echo(f"  {name:<{width}}  {line}")
        click.echo()
    return 0
