"""What the page says of the judges: how far each was checked, its outcomes, its noise, who wins."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from harness.analysis import ALL
from harness.analysis.judge_outcomes import COMPLETE
from harness.judging.derived import OVERALL, overall_parts
from harness.records import ORIGINAL, Dimension
from harness.util.formatting import figure, plural
from reports.drawing import slug

Row = dict[str, Any]
NEVER = "never checked against people"


def checked(summary: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """How far the judge behind a row (with ``judge`` and ``dimension``) was checked, in a line.

    Empty for judges that measure by a formula and were not checked: there is little in them that
    people could confirm.
    """
    judge = summary["judges"].get(row["judge"])
    if judge is None:
        return ""
    known = (judge["calibration"] or {}).get("by_dimension", {})
    never = NEVER if judge["llm"] or judge.get("learned") else ""
    return str(known.get(row["dimension"], never))


def briefly(summary: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The same for a table's cell: ``rho 0.41 [0.30, 0.51], authors' labels``."""
    calibration = summary["judges"].get(row["judge"], {}).get("calibration") or {}
    found = next(
        (
            (one, name, one[of])
            for rows, name, of in (
                ("dimensions", "rho", "spearman"),
                ("preferences", "accuracy", "accuracy"),
            )
            for one in calibration.get(rows, ())
            if one["dimension"] == row["dimension"]
        ),
        None,
    )
    if found is None:
        return "never checked" if checked(summary, row) else ""
    one, name, value = found
    if value["value"] is None:
        return "agreement not defined"
    interval = "" if value["low"] is None else f" [{figure(value['low'])}, {figure(value['high'])}]"
    whose = (
        plural(one["annotators"], "annotator") if one["basis"] == "people" else "authors' labels"
    )
    how = ", cross-validated" if one["cross_validated"] else ""
    return f"{name} {figure(value['value'])}{interval}, {whose}{how}"


def outcome_rows(summary: Mapping[str, Any]) -> list[Row]:
    """Outcomes by judge and dimension, for judges that can fail to give a score or did."""
    return [
        row | {"judge": name, "worst": min(row["shares"].items(), key=lambda share: share[1])}
        for name, judge in summary["judges"].items()
        for row in judge.get("outcomes", ())
        if judge["llm"] or row["share"] < 1
    ]


def incomplete(summary: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    """The mark beside a figure that rests on too few of its items; empty where it is whole.

    Args:
        summary: The run's.
        row: With ``judge``, ``dimension`` and ``subject``; where it compares, with ``baseline`` or
            ``against``.
    """
    judge = summary["judges"].get(row["judge"])
    if judge is None:
        return ""
    names = {row["dimension"]}
    if row["dimension"] == OVERALL:  # as whole as the least whole of what it is the mean of
        names |= {
            part.name
            for part in overall_parts([Dimension.model_validate(d) for d in judge["dimensions"]])
        }
    rows = [one for one in judge.get("outcomes", ()) if one["dimension"] in names]
    said = []
    for role in ("subject", "baseline", "against"):
        share = min((one["shares"].get(row.get(role), 1.0) for one in rows), default=1.0)
        if share < COMPLETE:
            whose = "" if role == "subject" else f"{row[role]} "
            said.append(f"{whose}{figure(100 * share, 0)}% scored")
    return f"incomplete: {', '.join(said)}" if said else ""


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
    """What the judges used, by the run's ledger; those that the suite no longer lists come last."""
    listed = {name: judge["cost"] for name, judge in summary["judges"].items() if judge["cost"]}
    return [
        cost | {"judge": name, "paid": _paid(cost), "gone": gone}
        for costs, gone in ((listed, False), (summary.get("judges_gone", {}), True))
        for name, cost in costs.items()
    ]


def _paid(cost: Mapping[str, Any]) -> str:
    money = cost["money"]
    if not money and not cost["priced"]:
        return "no price named"
    said = "under 0.0001" if 0 < money < 0.0001 else f"{money:.4f}"
    if not cost["priced"]:
        said += ", without the members that have no price"
    return said + (" (in part estimated)" if cost["uncounted"] else "")


HELD = {
    "json_schema": "a JSON schema",
    "json_object_schema": "a JSON schema, as llama.cpp takes it",
    "json_object": "JSON mode",
    "text": "being asked for it in words",
}


def held(judge: Mapping[str, Any]) -> str:
    """How the endpoint of a judge was held to JSON; empty where there is none or nobody knows."""
    level = judge.get("structured")
    if isinstance(level, Mapping):
        return ", ".join(f"{label}: {HELD.get(one, one)}" for label, one in level.items())
    return HELD.get(level, level) if level else ""


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
            row["dimension"] = "win"
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
        "held": held,
        "incomplete": partial(incomplete, summary),
        "of_chart": partial(of_chart, summary),
        "has_learned": any(j.get("learned") for j in summary["judges"].values()),
        "headline_checked": next((said for row in headline if (said := checked(summary, row))), ""),
        "outcome_rows": outcome_rows(summary),
        "noise_rows": noise_rows(summary),
        "panel_rows": panel_rows(summary),
        "cost_rows": cost_rows(summary),
        "win_rows": win_rows(summary),
    }
