"""What the page says of the judges: how far each was checked, its outcomes, its noise, who wins."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from harness.analysis import ALL
from harness.analysis.words import figure, plural
from harness.records import ORIGINAL
from reports.drawing import slug

Row = dict[str, Any]
NEVER = "never checked against people"


def checked(summary: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """How far the judge behind a row (with ``judge`` and ``dimension``) was checked, in a line.

    Empty for judges that measure by a formula: there is nothing in them that people could confirm.
    """
    judge = summary["judges"].get(row["judge"])
    if judge is None:
        return ""
    calibration = judge["calibration"]
    if calibration:
        return str(calibration.get("by_dimension", {}).get(row["dimension"], NEVER))
    return NEVER if judge["llm"] or judge.get("learned") else ""


def briefly(summary: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The same for a table's cell: ``rho 0.41 [0.30, 0.51], authors' labels``."""
    calibration = summary["judges"].get(row["judge"], {}).get("calibration") or {}
    found = next(
        (a for a in calibration.get("dimensions", ()) if a["dimension"] == row["dimension"]), None
    )
    if found is None:
        return "never checked" if checked(summary, row) else ""
    rho = found["spearman"]
    if rho["value"] is None:
        return "agreement not defined"
    interval = "" if rho["low"] is None else f" [{figure(rho['low'])}, {figure(rho['high'])}]"
    whose = "authors' labels" if calibration["own"] else plural(
        len(calibration["annotators"]), "annotator"
    )  # fmt: skip
    return f"rho {figure(rho['value'])}{interval}, {whose}"


def outcome_rows(summary: Mapping[str, Any]) -> list[Row]:
    """Outcomes by judge and dimension, for judges that can fail to give a score or did."""
    return [
        row | {"judge": name}
        for name, judge in summary["judges"].items()
        for row in judge.get("outcomes", ())
        if judge["llm"] or row["share"] < 1
    ]


def noise_rows(summary: Mapping[str, Any]) -> list[Row]:
    """What asking the same judge again changed, by judge and dimension."""
    return [
        row | {"judge": name}
        for name, judge in summary["judges"].items()
        for row in judge.get("noise") or ()
    ]


def panel_rows(summary: Mapping[str, Any]) -> list[Row]:
    """How far the members of each panel agree."""
    return [
        row | {"judge": name}
        for name, judge in summary["judges"].items()
        for row in judge.get("agreement") or ()
    ]


def cost_rows(summary: Mapping[str, Any]) -> list[Row]:
    """What the judges used."""
    return [
        judge["cost"] | {"judge": name}
        for name, judge in summary["judges"].items()
        if judge["cost"] is not None
    ]


def win_rows(summary: Mapping[str, Any]) -> list[Row]:
    """Win rate, flips and position bias of every subject, on the originals and on each kind."""
    compares = {
        (name, d["name"])
        for name, judge in summary["judges"].items()
        for d in judge["dimensions"]
        if "opponent" in d["needs"]
    }
    rows: dict[tuple[str, str, str], Row] = {}
    for cell in summary["cells"]:
        if (cell["judge"], cell["dimension"]) not in compares:
            continue
        places = [(cell["kind"], "variants")]
        if cell["kind"] == ALL:
            places.append((ORIGINAL, "originals"))
        for kind, where in places:
            key = (cell["judge"], cell["subject"], kind)
            row = rows.setdefault(
                key, dict(zip(("judge", "subject", "kind"), key, strict=True)) | {"n": cell["n"]}
            )
            row[cell["dimension"]] = cell[where]
    return [row for row in rows.values() if "win" in row]


def of_chart(summary: Mapping[str, Any], chart: str) -> str:
    """How far the judge behind a chart was checked, by the chart's name."""
    for measure in summary["measures"]:
        if chart.endswith(f"-{slug(measure['label'])}"):
            return checked(summary, measure)
    return ""


def context(summary: Mapping[str, Any]) -> Row:
    """What the templates need of this module, by their names for it."""
    headline = [{"judge": j, "dimension": d} for j, d in summary["headline"]["measures"]]
    return {
        "checked": partial(checked, summary),
        "briefly": partial(briefly, summary),
        "of_chart": partial(of_chart, summary),
        "has_learned": any(j.get("learned") for j in summary["judges"].values()),
        "headline_checked": next((said for row in headline if (said := checked(summary, row))), ""),
        "outcome_rows": outcome_rows(summary),
        "noise_rows": noise_rows(summary),
        "panel_rows": panel_rows(summary),
        "cost_rows": cost_rows(summary),
        "win_rows": win_rows(summary),
    }
