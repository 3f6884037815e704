"""``jostle perturb``: variants only, to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import click
import yaml
from pydantic import ValidationError

from harness.cli.options import collected
from harness.config import PerturbationSpec
from harness.errors import ConfigError
from harness.records import Turns
from harness.util.files import make_folder

DEFAULT_KINDS = ("synonym", "reorder", "typo", "role", "dialect")


@dataclass(frozen=True)
class PerturbOptions:
    """Arguments and options of ``jostle perturb``, which its help describes."""

    data: str
    kinds: tuple[str, ...]
    limit: int | None
    seed: int
    per_kind: int
    per_prompt: int
    turns: Turns
    no_similarity: bool
    no_acceptability: bool
    plugins: tuple[str, ...]
    out: Path


@click.command(short_help="Variants only, to look at.")
@click.argument("data")
@click.option(
    "-k",
    "--kind",
    "kinds",
    multiple=True,
    help="A perturbation: NAME, NAME=SEVERITY, or NAME={OPTIONS} in YAML. Repeat.",
)
@click.option("-n", "--limit", type=click.IntRange(min=1), help="Use this many prompts.")
@click.option("--seed", default=0, show_default=True)
@click.option("--per-kind", default=1, show_default=True, help="Replicates of each kind.")
@click.option("--per-prompt", default=1, show_default=True, help="At least so many variants.")
@click.option(
    "--turns",
    type=click.Choice(["last", "all"]),
    default="last",
    show_default=True,
    help="User turns of a conversation to reword.",
)
@click.option("--no-similarity", is_flag=True, help="Leave the similarity floor (MiniLM) out.")
@click.option("--no-acceptability", is_flag=True, help="Leave the second, learned gate out.")
@click.option(
    "--plugin", "plugins", multiple=True, help="A Python file with perturbations. Repeat."
)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), default=Path("runs/perturb"), show_default=True
)
@collected(PerturbOptions)
def command(options: PerturbOptions) -> int:
    """Reword the prompts of DATA and show what came out.

    Writes variants.jsonl and variants.html (differences highlighted) and prints a table: per kind
    how many prompts it applies to, accepted, rejected by reason, edits and similarity.

    \b
    -k synonym                                one kind, as often as you like
    -k typo=heavy,light                       at these severities
    -k 'compose={steps: [synonym, typo]}'     with options, as in a suite
    """  # noqa: D301 (click's mark)
    from harness.cli.show import reporter
    from harness.config import DataSpec
    from harness.data.loading import load, select
    from harness.pipeline.assemble import build_kinds
    from harness.pipeline.stage_file import StageFile
    from harness.records import ORIGINAL, Variant
    from harness.registry import load_plugin_file
    from harness.variants.expand import Expansion
    from harness.variants.gate import Gate
    from harness.variants.preview import format_table, table, write_page

    for plugin in options.plugins:
        load_plugin_file(Path(plugin))
    kinds = build_kinds(kind_specs(options.kinds or DEFAULT_KINDS))
    spec = DataSpec(path=options.data, limit=options.limit)
    samples = select(load(spec), spec, options.seed).samples
    variants: list[Variant] = []
    with reporter().stage("perturb", len(samples)) as task:
        gate = Gate(
            similarity=not options.no_similarity, acceptability=not options.no_acceptability
        )
        expansion = Expansion(options.seed, options.per_kind, options.per_prompt, options.turns)
        for variant in expansion.variants(samples, kinds, gate):
            variants.append(variant)
            if variant.perturbation == ORIGINAL:
                task.advance()
    make_folder(options.out)
    file = StageFile(options.out, Variant)
    file.keep(lambda _: False, set_aside=False)
    file.append(*variants)
    file.close()
    click.echo(format_table(table(variants)))
    if in_danger := sum(variant.danger for variant in variants):
        click.echo(f"{in_danger} prompts hold a sentence of danger, which few kinds touch")
    page = write_page(options.out / "variants.html", samples, variants)
    click.echo(f"{page}: {len(variants) - len(samples)} records of {len(samples)} prompts")
    return 0


def kind_specs(items: Sequence[str]) -> list[PerturbationSpec]:
    """Read what was given as ``-k``: a name, with severities or options in YAML behind ``=``.

    Raises:
        ConfigError: Options that are no YAML mapping, or an unknown severity.
    """
    return [_kind_spec(item) for item in items]


def _kind_spec(item: str) -> PerturbationSpec:
    name, equals, rest = item.partition("=")
    options: object = {}
    try:
        if rest.lstrip().startswith("{"):
            options = yaml.safe_load(rest)
        elif equals:
            options = {"severity": [part.strip() for part in rest.split(",")]}
        return PerturbationSpec.model_validate({"name": name, "options": options})
    except yaml.YAMLError:
        problem = f"not YAML; quote the whole for the shell: -k '{name}={{option: value}}'"
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        if ":" in rest and not rest.lstrip().startswith("{"):
            problem += f"; options go in braces: -k '{name}={{option: value}}'"
    raise ConfigError(f"-k {item}: {problem}")
