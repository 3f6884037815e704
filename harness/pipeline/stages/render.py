"""Stage ``report``: the page of a run, from its records and its summary."""

from __future__ import annotations

from harness.pipeline.session import StageReport
from harness.pipeline.stage import Stage, StageContext


def render(context: StageContext, report: StageReport) -> None:
    """Write the page and its charts."""
    context.render(context.session.run.root)


STAGE = Stage("report", render)
