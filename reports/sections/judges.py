"""The judges: what each measures, how its judgements ended, its noise, its wins, its cost."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import JsonValue

from harness.analysis import ALL
from harness.analysis.estimates import Estimate, SummaryCell
from harness.analysis.summary_schema import JudgeSpending, Summary
from harness.records import ORIGINAL
from reports.sections.section import PageData, PageSection


def paid(cost: JudgeSpending) -> str:
    """Put the money that a judge cost into words."""
    if not cost.money and not cost.priced:
        return "no price named"
    amount = "under 0.0001" if 0 < cost.money < 0.0001 else f"{cost.money:.4f}"
    if not cost.priced:
        amount += ", without the members that have no price"
    return amount + (" (in part estimated)" if cost.uncounted else "")


STRUCTURED = {
    "json_schema": "a JSON schema",
    "json_object_schema": "a JSON schema, as llama.cpp takes it",
    "json_object": "JSON mode",
    "text": "a request in the prompt",
}


def structured_by(level: JsonValue) -> str:
    """Say how a judge's endpoint was held to JSON, of a panel by member; empty where unknown."""
    if isinstance(level, Mapping):
        return ", ".join(f"{label}: {structured_by(one)}" for label, one in level.items())
    return STRUCTURED.get(str(level), str(level)) if level else ""


@dataclass(frozen=True)
class WinRow:
    """How often one subject wins against the baseline, on the originals or on one kind.

    Attributes:
        cell: The subject's win rates.
        kind: The kind, or ``original``.
        win: The win rate.
        position_flip: Share of preferences that change with the order.
        position_bias: Above zero where the judge favours the first answer.
    """

    cell: SummaryCell
    kind: str
    win: Estimate | None
    position_flip: Estimate | None
    position_bias: Estimate | None


def win_rows(summary: Summary) -> list[WinRow]:
    """Return win rate, flips and bias of every subject, on the originals and on each kind."""
    comparing = {
        label
        for label, judge in summary.judges.items()
        if any("opponent" in dimension.needs for dimension in judge.dimensions)
    }
    cells = {(cell.judge, cell.subject, cell.kind, cell.dimension): cell for cell in summary.cells}
    rows = []
    for (judge, subject, kind, dimension), win in cells.items():
        if judge not in comparing or dimension != "win":
            continue
        flip = cells.get((judge, subject, kind, "position_flip"))
        bias = cells.get((judge, subject, kind, "position_bias"))
        sides = (win, flip, bias)
        rows.append(WinRow(win, kind, *(side.variants if side else None for side in sides)))
        if kind == ALL:
            originals = (side.originals if side else None for side in sides)
            rows.append(WinRow(win, ORIGINAL, *originals))
    return rows


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    summary, judges = page.summary, page.summary.judges
    listed = [(label, judge.cost, False) for label, judge in judges.items() if judge.cost]
    return {
        "paid": paid,
        "structured_by": structured_by,
        # Of judges that can fail to give a score, or did.
        "outcome_rows": [
            (label, count)
            for label, judge in judges.items()
            for count in judge.outcomes
            if judge.llm or count.share < 1
        ],
        "noise_rows": [(name, row) for name, judge in judges.items() for row in judge.noise or ()],
        "panel_rows": [
            (name, row) for name, judge in judges.items() for row in judge.agreement or ()
        ],
        # With the label, and whether the suite no longer lists the judge.
        "cost_rows": [*listed, *((name, cost, True) for name, cost in summary.judges_gone.items())],
        "win_rows": win_rows(summary),
    }


SECTION = PageSection("judges", "Judges", "judges", context)
