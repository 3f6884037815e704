"""Notes on the judge behind a figure: how far it was checked, and whether scores are missing."""

from __future__ import annotations

from harness.analysis.estimates import Contrast, Measure, MeasureRow, SubjectPair
from harness.analysis.judge_outcomes import COMPLETE
from harness.analysis.summary_schema import Summary
from harness.judging.calibration import OVERALL, overall_parts
from harness.judging.calibration_records import CheckedAgreement, CheckedPreference
from harness.util.formatting import figure, plural

NEVER = "never checked against people"


def checked(summary: Summary, measure: Measure) -> str:
    """Say in a line how far the judge behind a measure was checked.

    Empty for judges that measure by a formula and were not checked: there is little in them that
    people could confirm.
    """
    judge = summary.judges.get(measure.judge)
    if judge is None:
        return ""
    never = NEVER if judge.llm or judge.learned else ""
    known = judge.calibration.by_dimension if judge.calibration else {}
    return known.get(measure.dimension, never)


def checked_briefly(summary: Summary, measure: Measure) -> str:
    """Say the same for a table's cell: ``rho 0.41 [0.30, 0.51], authors' labels``."""
    check = _best_check(summary, measure)
    if check is None:
        return "never checked" if checked(summary, measure) else ""
    name, value = (
        ("rho", check.spearman)
        if isinstance(check, CheckedAgreement)
        else ("accuracy", check.accuracy)
    )
    if value.value is None:
        return "agreement not defined"
    interval = "" if value.low is None else f" [{figure(value.low)}, {figure(value.high)}]"
    labels = plural(check.annotators, "annotator") if check.basis == "people" else "authors' labels"
    cross_validated = ", cross-validated" if check.cross_validated else ""
    return f"{name} {figure(value.value)}{interval}, {labels}{cross_validated}"


def _best_check(summary: Summary, measure: Measure) -> CheckedAgreement | CheckedPreference | None:
    judge = summary.judges.get(measure.judge)
    report = judge.calibration if judge else None
    if report is None:
        return None
    checks = (*report.dimensions, *report.preferences)
    return next((check for check in checks if check.dimension == measure.dimension), None)


def incomplete(summary: Summary, row: MeasureRow) -> str:
    """Return the mark beside a figure that rests on too few of its items; empty where none lack."""
    judge = summary.judges.get(row.judge)
    if judge is None:
        return ""
    names = {row.dimension}
    if row.dimension == OVERALL:  # as complete as the least complete part of the mean
        names |= {part.name for part in overall_parts(judge.dimensions)}
    outcomes = [outcome for outcome in judge.outcomes if outcome.dimension in names]
    others = (
        [row.baseline] if isinstance(row, Contrast) else
        [row.against] if isinstance(row, SubjectPair) else []
    )  # fmt: skip
    notes = []
    for subject in (row.subject, *others):
        share = min((outcome.shares.get(subject, 1.0) for outcome in outcomes), default=1.0)
        if share < COMPLETE:
            whose = "" if subject == row.subject else f"{subject} "
            notes.append(f"{whose}{figure(100 * share, 0)}% scored")
    return f"incomplete: {', '.join(notes)}" if notes else ""
