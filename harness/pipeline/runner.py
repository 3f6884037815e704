"""Runs the stages of a suite in order; each resumes from its own file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from harness.analysis.memorisation_schema import Memorisation
from harness.judging.self_judging import check_named
from harness.pipeline.stage import Stage, StageContext
from harness.pipeline.stages import (
    generate,
    judge,
    perturb,
    probe,
    render,
    samples,
    search,
    summarise,
)
from harness.util.files import write_atomically

STAGES: tuple[Stage, ...] = (
    samples.STAGE,
    perturb.STAGE,
    generate.STAGE,
    search.STAGE,
    probe.STAGE,
    judge.STAGE,
    summarise.STAGE,
    render.STAGE,
)
"""All stages, in order. Every command that works on a run takes a slice of them."""

JUDGING = STAGES[STAGES.index(judge.STAGE) :]
"""The stages that need no model under test."""

REPORTING = STAGES[STAGES.index(summarise.STAGE) :]
"""The stages that need neither a model nor a judge's verdict."""

PROBING = (samples.STAGE, probe.STAGE)
"""The probes, and what they rest on."""


class Outcome(NamedTuple):
    """Items of a run that ended in a failure."""

    failed_answers: int
    failed_scores: int
    failed_probes: int

    @property
    def failed(self) -> int:
        """Add up all failures."""
        return sum(self)


def run(context: StageContext) -> Outcome:
    """Run all stages, from data to report.

    Raises:
        JostleError: Bad input, or a machine's refusal; finished work is kept for a resume.
    """
    context.session.update(warnings=())  # every stage gives its own again
    models = {subject.name: subject.model for subject in context.session.suite.subjects}
    for named in context.parts.judges:  # what names alone can show, before anything is spent
        check_named(named.label, named.judge, models)
    return finish(context, STAGES)


def finish(context: StageContext, stages: Sequence[Stage]) -> Outcome:
    """Run the last stages of a run, of which the report is one; then the run is complete.

    Raises:
        JostleError: Bad input, or a machine's refusal; finished work is kept for a resume.
    """
    _run_stages(context, stages)
    context.session.finish()
    summary = context.session.run.summary()
    probes = summary.memorisation.failures if summary.memorisation else ()
    return Outcome(
        failed_answers=sum(row.failed for row in summary.answers),
        failed_scores=sum(j.unparsed + j.refused + j.error for j in summary.judges.values()),
        failed_probes=sum(row.count for row in probes),
    )


def probe_alone(context: StageContext) -> tuple[Memorisation, bool]:
    """Run the probes without the rest of a run, and write ``probes.json`` into its folder.

    Where a whole run was analysed in that folder, it is analysed and reported again, so that it
    gets the verdict too.

    Returns:
        The evidence with its verdicts, and whether there is a report with them.

    Raises:
        JostleError: Bad input, or a machine's refusal; finished work is kept for a resume.
    """
    session = context.session
    last = session.manifest.stages.get(render.STAGE.name)
    _run_stages(context, PROBING)
    memorisation = summarise.memorisation_of(context)
    assert memorisation is not None
    dumped = memorisation.model_dump(mode="json")
    text = json.dumps(dumped, indent=1, ensure_ascii=False, allow_nan=False)
    write_atomically(session.run.root / "probes.json", text + "\n")
    whole = last is not None and last.status == "complete"
    if whole:
        finish(context, REPORTING)
    return memorisation, whole


def _run_stages(context: StageContext, stages: Sequence[Stage]) -> None:
    for stage in stages:
        if stage.applies(context.session):
            with context.session.stage(stage.name) as report:
                stage.run(context, report)
