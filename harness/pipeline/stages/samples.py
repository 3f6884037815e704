"""Stage ``samples``: the prompts under test, with the audit's verdict on each."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

from harness.audit import mark_families, mark_leaked
from harness.data.loading import data_digest, load, select
from harness.errors import DataError
from harness.pipeline.session import Session, StageReport
from harness.pipeline.stage import Stage, StageContext
from harness.records import Sample
from harness.util.digest import digest


def collect(context: StageContext, report: StageReport) -> None:
    """Load the data, mark what the training data hold too, select, and store.

    Raises:
        DataError: Unreadable data, or nothing is left to ask.
    """
    session, suite = context.session, context.session.suite
    samples = load(suite.data)
    manifest: dict[str, Any] = {"evaluation": data_digest(suite.data, samples)}
    audit: dict[str, Any] = {}
    if suite.training_data:
        training = [load(spec) for spec in suite.training_data]
        manifest["training"] = [
            data_digest(spec, rows)
            for spec, rows in zip(suite.training_data, training, strict=True)
        ]
        samples, audit = mark_leaked(samples, (row for rows in training for row in rows))
        if audit["unchecked"]:
            session.warn(
                f"{audit['unchecked']} of {len(samples)} test prompts are alike to more training"
                " prompts than were compared by meaning: whether they leaked is unchecked"
            )
        if audit["crowded_buckets"]:
            session.warn(
                f"{audit['crowded_buckets']} groups of training prompts share so much wording that"
                " the leak check passed them over: near-duplicates among them can be missing"
            )
    session.update(audit=audit)
    chosen, left_out = select(samples, suite.data, suite.suite.seed)
    if not chosen:
        why = ", ".join(f"{rule}: {n}" for rule, n in left_out.items())
        raise DataError(
            f"{suite.data.path}: none of its {len(samples)} prompts is left to ask ({why});"
            " change data.only, or check the training data"
        )
    chosen = [
        sample.model_copy(update={"made_from": digest([sample.made_from, sample.audit])})
        for sample in _with_families(chosen, session)
    ]
    session.update(data={**manifest, "asked": len(chosen), "left_out": left_out})
    wanted = {sample.id: sample for sample in chosen}
    with closing(session.run.file(Sample)) as file:
        stored = {sample.id for sample in file.keep(lambda sample: wanted.get(sample.id) == sample)}
        if missing := [sample for sample in chosen if sample.id not in stored]:
            file.append(*missing)
    report.made_from = digest(sorted((sample.id, sample.made_from) for sample in chosen))
    report.counts.update({"samples": len(chosen), **left_out})
    context.hand_on(Sample, chosen)


def _with_families(samples: Sequence[Sample], session: Session) -> list[Sample]:
    """Mark near-duplicates among the prompts: they count as one observation in the analysis."""
    families = mark_families(samples)
    if families.by_letters:
        session.warn(
            "related test prompts were looked for by their letters alone, and more may count as"
            f" related than are ({families.by_letters})"
        )
    if families.undecided:
        session.warn(
            f"{families.undecided} pairs of alike test prompts were too many to be compared by"
            " meaning: they count as unrelated; name the field that says which belong together as"
            " data.group_by"
        )
    return families.samples


STAGE = Stage("samples", collect)
