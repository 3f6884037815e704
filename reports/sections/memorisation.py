"""The report's section on memorising: verdicts, evidence and charts, out of ``summary.json``."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from reports import drawing, style
from reports.drawing import Chart, Mark

Row = dict[str, Any]

_GAINS = (
    ("training prompts", "gain_training"),
    ("those with a rewording", "loss_training_common"),
    ("the same, reworded", "gain_reworded"),
    ("clean prompts", "gain_clean"),
    ("those rated both ways", "loss_clean_common"),
    ("a stranger's prompt", "loss_foreign"),
)
"""Where a mark rests on fewer prompts than the one it is read against, that one stands on those
prompts too; the keys that end in ``_common`` are there in no other case."""

_SHARES = (
    ("recited, training", "recited_training"),
    ("recited, clean", "recited_clean"),
    ("ROUGE-L, as trained", "rouge_training"),
    ("those with a rewording", "rouge_training_common"),
    ("ROUGE-L, reworded", "rouge_reworded"),
)
_SCORES = {"loss": "Loss", "min_k": "Min-K%", "min_k_pp": "Min-K%++"}


def context(summary: Mapping[str, Any]) -> Row:
    """What the template shows; ``memory`` is None where nothing was probed."""
    found = summary.get("memorisation")
    if not found:
        return {"memory": None}
    return {
        "memory": found,
        "memory_charts": list(draw(summary)),
        "membership_rows": membership_rows,
        "exposures": exposures(found),
    }


def draw(summary: Mapping[str, Any]) -> Iterator[Chart]:
    """Gains in nats a token, and shares recited, each with its interval."""
    found = summary.get("memorisation")
    if not found:
        return
    names = [summary["baseline"], *(one["subject"] for one in found["subjects"])]
    looks: dict[str, Any] = {
        "colours": style.colours(names, summary["baseline"]),
        "shapes": style.markers(names, summary["baseline"]),
    }
    base = drawing.short(summary["baseline"])
    for name, title, axis, marks in (
        (
            "memory-gains",
            "How much likelier the responses of the data became",
            f"gain over {base}, nats a token",
            _gain_marks(found),
        ),
        (
            "memory-copies",
            "What is recited, and kept to when the prompt is reworded",
            f"share beyond {base}",
            _share_marks(found),
        ),
    ):
        if chart := drawing.intervals(name, title, axis, marks, bars=True, **looks):
            yield chart


def _gain_marks(found: Mapping[str, Any]) -> list[Mark]:
    marks = []
    for label, key in _GAINS:
        for one in found["subjects"]:
            estimate = one["contrasts"].get(key) or _turned(_level(one, key))
            if estimate is not None:
                marks.append(Mark(label, one["subject"], estimate, estimate["n"]))
    return marks


def _share_marks(found: Mapping[str, Any]) -> list[Mark]:
    marks = []
    for label, key in _SHARES:
        for one in found["subjects"]:
            estimate = _level(one, key)
            if estimate is not None:
                marks.append(Mark(label, one["subject"], estimate, estimate["n"]))
    return marks


def _level(one: Mapping[str, Any], key: str) -> Row | None:
    return next((row["difference"] for row in one["levels"] if row["key"] == key), None)


def _turned(estimate: Row | None) -> Row | None:
    """A difference of losses as a gain."""
    if estimate is None:
        return None
    low, high = estimate["low"], estimate["high"]
    return {
        **estimate,
        "mean": -estimate["mean"] + 0.0,
        "low": None if high is None else -high + 0.0,
        "high": None if low is None else -low + 0.0,
    }


def membership_rows(one: Mapping[str, Any]) -> list[Row]:
    """A row a score, with the AUC of base, subject, and subject relative to base."""
    rows = []
    for score, label in _SCORES.items():
        found = {m["how"]: _estimate(m) for m in one["membership"] if m["score"] == score}
        if found:
            rows.append(
                {"label": label, **{how: found.get(how) for how in ("base", "raw", "relative")}}
            )
    return rows


def _estimate(row: Mapping[str, Any]) -> Row:
    return {"mean": row["value"], "low": row["low"], "high": row["high"]}


def exposures(found: Mapping[str, Any]) -> list[Row]:
    """By subject and number of repeats, the exposures of the canaries."""
    groups: dict[tuple[str, int], list[Row]] = {}
    for row in found["canaries"]:
        groups.setdefault((row["subject"], row["repeats"]), []).append(row)
    return [
        {
            "subject": subject,
            "repeats": repeats,
            "canaries": len(rows),
            "mean": sum(row["exposure"] for row in rows) / len(rows),
            "most": max(row["exposure"] for row in rows),
            "first": sum(row["rank"] == 1 for row in rows),
            "space": rows[0]["most"],
        }
        for (subject, repeats), rows in sorted(groups.items(), key=lambda x: (x[0][0], x[0][1]))
    ]
