"""``jostle perturb``: variants only, to look at."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import click

from harness.cli.options import collected
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
    no_similarity: bool
    plugins: tuple[str, ...]
    out: Path


@click.command(short_help="Variants only, to look at.")
@click.argument("data")
@click.option(
    "-k", "--kind", "kinds", multiple=True, help="A perturbation, or NAME=severity. Repeat."
)
@click.option("-n", "--limit", type=click.IntRange(min=1), help="Use this many prompts.")
@click.option("--seed", default=0, show_default=True)
@click.option("--per-kind", default=1, show_default=True, help="Replicates of each kind.")
@click.option("--per-prompt", default=1, show_default=True, help="At least so many variants.")
@click.option("--no-similarity", is_flag=True, help="Leave the similarity floor (MiniLM) out.")
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
    """
    from harness.cli.show import reporter
    from harness.config import DataSpec, PerturbationSpec
    from harness.data.loading import load, select
    from harness.pipeline.assemble import build_kinds
    from harness.pipeline.stage_file import StageFile
    from harness.records import ORIGINAL, Variant
    from harness.registry import load_plugin_file
    from harness.variants.expand import expand
    from harness.variants.gate import Gate
    from harness.variants.preview import format_table, table, write_page

    for plugin in options.plugins:
        load_plugin_file(Path(plugin))
    specs = []
    for item in options.kinds or DEFAULT_KINDS:
        name, _, severities = item.partition("=")
        given = {"severity": severities.split(",")} if severities else {}
        specs.append(PerturbationSpec(name=name, options=given))
    kinds = build_kinds(specs)
    spec = DataSpec(path=options.data, limit=options.limit)
    samples = select(load(spec), spec, options.seed).samples
    variants: list[Variant] = []
    with reporter().stage("perturb", len(samples)) as task:
        for variant in expand(
            samples,
            kinds,
            seed=options.seed,
            variants_per_kind=options.per_kind,
            variants_per_prompt=options.per_prompt,
            gate=Gate(similarity=not options.no_similarity),
        ):
            variants.append(variant)
            if variant.perturbation == ORIGINAL:
                task.advance()
    make_folder(options.out)
    file = StageFile(options.out, Variant)
    file.keep(lambda _: False, set_aside=False)
    file.append(*variants)
    file.close()
    click.echo(format_table(table(variants)))
    page = write_page(options.out / "variants.html", samples, variants)
    click.echo(f"{page}: {len(variants) - len(samples)} records of {len(samples)} prompts")
    return 0
