"""Run of a study: its trainings, then their suites, then the report; a second call resumes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import ConfigError, JostleError
from harness.memorisation.copying import Closeness
from harness.memorisation.counterfactual import FILE as COUNTERFACTUAL
from harness.models.subjects import open_subjects
from harness.pipeline import runner as harness_runner
from harness.pipeline.assemble import assemble
from harness.pipeline.session import Launch, open_session
from harness.pipeline.stage import StageContext
from harness.registry import judges
from harness.util.files import make_folder, readable_os_errors, write_json
from harness.util.progress import Progress
from judges.rouge import ROUGE_L
from reports.html import render
from training.result import finished
from training.studies.cell import CellOutcome
from training.studies.compare import suite_figures, training_figures, validated_on
from training.studies.config import StudyCell, StudyConfig
from training.studies.engines import Engine, train_all
from training.studies.findings import findings, memorisation_findings
from training.studies.half_scores import RowScorer
from training.studies.halves import HalvedRows, halve
from training.studies.page import write_page
from training.studies.plan import StudyPlan, plan, plan_halves
from training.studies.suites import SuiteGroup, groups
from training.studies.summary import StudySuite, StudySummary

STATE, SUMMARY = "study.json", "summary.json"


class StudyOutcome(NamedTuple):
    """Outcome of a study: its page, the number of failed trainings and suites, its conclusions."""

    report: Path
    failed: int
    findings: tuple[str, ...]


def folder_of(study: StudyConfig, out: Path | None = None) -> Path:
    """Return the folder of a study: ``out``, else ``runs/<name>``."""
    return out or Path("runs") / study.study.name


def plan_study(study: StudyConfig, out: Path | None = None) -> StudyPlan:
    """Estimate the cost of a study; see :func:`training.studies.plan.plan`.

    Raises:
        JostleError: Data, a model or a suite that cannot be found.
    """
    return _costs(study, out, halved_rows(study))


def _costs(study: StudyConfig, out: Path | None, halved: HalvedRows | None) -> StudyPlan:
    if halved is not None:
        return plan_halves(study, halved)
    cells = study.cells(folder_of(study, out))
    return plan(cells, groups(study.study.name, cells))


def halved_rows(study: StudyConfig) -> HalvedRows | None:
    """Divide the rows of a study of halves; None for a grid."""
    return None if study.halves is None else halve(study)


def run_study(
    study: StudyConfig,
    *,
    progress: Progress,
    out: Path | None = None,
    engine: Engine = "local",
    command: str = "",
) -> StudyOutcome:
    """Train what is not trained yet, test what is not tested yet, and write the report.

    A training that fails is recorded and the others continue; the next call retries it. Halves are
    compared, and ``counterfactual.json`` is written, once all their trainings are finished.

    Args:
        study: The grid.
        progress: Shows the progress.
        out: The study's folder; ``runs/<name>`` by default.
        engine: Runs the trainings.
        command: The command line, for the manifests.

    Raises:
        JostleError: Bad input, or a folder that cannot be written.
    """
    root = folder_of(study, out)
    cells = study.cells(root)
    halved = halved_rows(study)
    costs = _costs(study, out, halved).lines()
    for line in costs:
        progress.note(line)
    _claim(root, study)
    if study.halves is not None and halved is not None:
        halved.write(root, study.halves.seeds)
    outcomes = _train(cells, engine, progress)
    trained = [c for c in cells if outcomes[c.name].error is None]
    measured = validated_on(cells)
    rows = tuple(training_figures(cell, outcomes[cell.name], measured[cell.name]) for cell in cells)
    suites = groups(study.study.name, trained)
    tested = tuple(_test(root, group, progress, command) for group in suites)
    record = None
    if halved is not None and len(trained) == len(cells):
        scorer = RowScorer(open_subjects, Closeness(judges.create(ROUGE_L)), progress)
        record = scorer.counterfactual(study, halved, cells)
        write_json(root / COUNTERFACTUAL, record.model_dump(mode="json"))
    summary = StudySummary(
        study=study,
        plan=tuple(costs),
        cells=rows,
        suites=tested,
        findings=(
            *(memorisation_findings(record) if record else ()),
            *findings(rows, tested),
        ),
        counterfactual=record,
    )
    # The rows of a halves study are in the file that suites read.
    write_json(root / SUMMARY, summary.model_dump(mode="json", exclude={"counterfactual"}))
    report = write_page(root, summary)
    errors = [*(row.error for row in rows), *(suite.error for suite in tested)]
    return StudyOutcome(report, sum(error is not None for error in errors), summary.findings)


def _claim(root: Path, study: StudyConfig) -> None:
    """Write which study the folder belongs to; refuse the folder of another one."""
    path = root / STATE
    make_folder(root)
    try:
        with readable_os_errors(path, "be read"):
            earlier = json.loads(path.read_text(encoding="utf-8")) if path.exists() else None
    except ValueError:
        earlier = None
    if earlier is not None and earlier.get("name") != study.study.name:
        raise ConfigError(f"{root} holds study {earlier.get('name')!r}; choose another folder")
    write_json(path, {"name": study.study.name, "config": study.model_dump(mode="json")})


def _train(
    cells: Sequence[StudyCell], engine: Engine, progress: Progress
) -> dict[str, CellOutcome]:
    """Train every cell that is not finished with this config and these data."""
    outcomes: dict[str, CellOutcome] = {}

    def watch(event: dict[str, Any]) -> None:
        if event["event"] == "warning":
            progress.note(f"  warning: {event['message']}")
        elif event["event"] == "eval" and "eval_loss" in event:
            progress.note(
                f"  step {event['step']} of {event['of']}: validation loss {event['eval_loss']:.3f}"
            )

    with progress.stage("trainings", len(cells)) as task:
        for outcome in train_all(cells, engine, watch):
            outcomes[outcome.name] = outcome
            task.advance()
            if outcome.error is not None:
                progress.note(f"{outcome.name}: failed: {outcome.error}")
            else:
                result = finished(outcome.output_dir)
                loss = result.summary.get("eval_loss_after") if result else None
                tail = "" if loss is None else f", validation loss {loss:.3f}"
                progress.note(f"{outcome.name}: trained{tail}")
    return outcomes


def _test(root: Path, group: SuiteGroup, progress: Progress, command: str) -> StudySuite:
    """Run one suite; an error is recorded, and the other suites continue."""
    folder = root / "suites" / group.name
    progress.note(f"suite {group.name}: {', '.join(group.cells)}")
    try:
        parts = assemble(group.suite, closeness=ROUGE_L)
        with open_session(folder, group.suite, Launch(progress, command)) as session:
            harness_runner.run(StageContext(session, parts, render, open_subjects))
        return suite_figures(folder, group)
    except JostleError as error:
        progress.note(f"suite {group.name}: failed: {error}")
        return StudySuite(name=group.name, error=str(error))
