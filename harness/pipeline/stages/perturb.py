"""Stage ``variants``: the variants of every sample, one block a sample, each block written whole."""

from __future__ import annotations

import itertools

from harness.pipeline.session import StageReport
from harness.pipeline.stage import Stage, StageContext
from harness.records import Sample, Variant
from harness.util.digest import digest
from harness.variants.expand import Expansion


def perturb(context: StageContext, report: StageReport) -> None:
    """Make the variants of every sample that has none, or none of these kinds and settings."""
    session, parts = context.session, context.parts
    suite = session.suite.suite
    samples = context.records(Sample)
    settings = [
        [[kind.name, kind.severity, kind.fingerprint] for kind in parts.kinds],
        parts.gate.fingerprint,
        suite.seed,
        suite.variants_per_kind,
        suite.variants_per_prompt,
        *(() if suite.turns == "last" else (suite.turns,)),
    ]
    digests = {sample.id: digest([sample.made_from, settings]) for sample in samples}
    file = session.run.file(Variant)
    stored = file.read()
    # A crash can tear the last block; whole ones are taken over.
    torn = stored[-1].sample_id if stored and report.interrupted else None
    variants = file.keep(lambda v: digests.get(v.sample_id) == v.made_from and v.sample_id != torn)
    done = {variant.sample_id for variant in variants}
    todo = [sample for sample in samples if sample.id not in done]
    with session.progress.stage("perturb", len(samples)) as task:
        task.advance(len(done))
        expansion = Expansion(
            suite.seed, suite.variants_per_kind, suite.variants_per_prompt, suite.turns
        )
        made = expansion.variants(todo, parts.kinds, parts.gate)
        for sample_id, block in itertools.groupby(made, key=lambda v: v.sample_id):
            marked = [
                variant.model_copy(update={"made_from": digests[sample_id]}) for variant in block
            ]
            file.append(*marked)
            variants.extend(marked)
            task.advance()
    file.close()
    report.counts.update(variant.status for variant in variants)
    report.made_from = digest(sorted(digests.items()))
    order = {sample.id: index for index, sample in enumerate(samples)}
    context.hand_on(Variant, sorted(variants, key=lambda variant: order[variant.sample_id]))


STAGE = Stage("variants", perturb)
