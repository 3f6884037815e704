"""What goes with a row of the summary: names of measures, notes on judges, rows of one measure."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.estimates import Contrast, Measure, MeasureRow, SubjectPair, SummaryCell
from harness.analysis.judge_outcomes import COMPLETE
from harness.analysis.summary_schema import MeasureScale, Summary
from harness.judging.calibration_records import CheckedAgreement, CheckedPreference
from harness.judging.derived import OVERALL, overall_parts
from harness.util.formatting import figure, plural

NEVER = "never checked against people"


def scale_of(summary: Summary, measure: Measure) -> MeasureScale | None:
    """Return the scale of a measure; None where the summary has no such measure."""
    return next((scale for scale in summary.measures if scale.measure == measure), None)


def label_of(summary: Summary, measure: Measure) -> str:
    """Return a measure's name for people."""
    scale = scale_of(summary, measure)
    return scale.label if scale else " ".join(measure)


def leading_measure(summary: Summary) -> MeasureScale | None:
    """Return the measure that single answers are ranked by: the leading headline one, else any."""
    if summary.headline.measures:
        return scale_of(summary, summary.headline.measures[0])
    oriented = [scale for scale in summary.measures if scale.higher_is_better is not None]
    return next(iter([*oriented, *summary.measures]), None)


@dataclass(frozen=True)
class HeadlineTable:
    """The rows of one headline measure: subjects against the baseline, and each by itself."""

    label: str
    measure: Measure
    contrasts: tuple[Contrast, ...]
    cells: tuple[SummaryCell, ...]


def headline_tables(summary: Summary) -> list[HeadlineTable]:
    """Return a table for each headline measure."""
    scope = summary.headline.scope
    return [
        HeadlineTable(
            label_of(summary, measure),
            measure,
            tuple(row for row in summary.contrasts if (row.measure, row.scope) == (measure, scope)),
            tuple(cell for cell in summary.cells if cell.measure == measure),
        )
        for measure in summary.headline.measures
    ]


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


def judge_note(summary: Summary, measure: Measure) -> str:
    """Return the same as a clause, ``judge agrees with …``; empty where there is nothing to say."""
    note = checked(summary, measure)
    return f"judge {'was ' if note == NEVER else ''}{note}" if note else ""


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
    labels = {
        "people": plural(check.annotators, "annotator"),
        "readers": plural(check.annotators, "language-model reader"),
        "authors": "authors' labels",
    }[check.basis]
    cross_validated = ", cross-validated" if check.cross_validated else ""
    return f"{name} {figure(value.value)}{interval}, {labels}{cross_validated}"


def _best_check(summary: Summary, measure: Measure) -> CheckedAgreement | CheckedPreference | None:
    judge = summary.judges.get(measure.judge)
    report = judge.calibration if judge else None
    if report is None:
        return None
    checks: tuple[CheckedAgreement | CheckedPreference, ...] = (
        *report.dimensions,
        *report.preferences,
    )
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
    subjects = [row.subject]
    if isinstance(row, Contrast):
        subjects.append(row.baseline)
    if isinstance(row, SubjectPair):
        subjects.append(row.against)
    notes = []
    for subject in subjects:
        share = min((outcome.shares.get(subject, 1.0) for outcome in outcomes), default=1.0)
        if share < COMPLETE:
            whose = "" if subject == row.subject else f"{subject} "
            notes.append(f"{whose}{figure(100 * share, 0)}% scored")
    return f"incomplete: {', '.join(notes)}" if notes else ""
