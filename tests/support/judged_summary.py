"""A summary that knows one judge and nothing else, for what the report says of judges."""

from __future__ import annotations

from harness.analysis import Summary
from harness.analysis.summary_schema import JudgeSummary


def judged_summary(label: str, **facts: object) -> Summary:
    """A summary with one judge; fields that are not named are missing or say no."""
    plain = {"llm": False, "learned": False, "dimensions": (), "outcomes": (), "calibration": None}
    judge = JudgeSummary.model_construct(**(plain | facts))
    return Summary.model_construct(judges={label: judge})
