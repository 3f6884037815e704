"""What a summary says in words: its evidence, the finding, the lights and the noise floor."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from harness.analysis import sentences as words
from harness.analysis import traffic_lights as lights
from harness.analysis.estimands import Scope, sign_of
from harness.analysis.sentences import Evidence
from harness.analysis.table import ALL, Measure, Table
from harness.records import IDENTITY


def evidence(
    table: Table,
    headline: list[Measure],
    contrasts: list[dict[str, Any]],
    cells: list[dict[str, Any]],
    main: Scope,
    baseline: str,
) -> dict[Measure, list[Evidence]]:
    """By headline measure, one piece of evidence for each subject but the baseline."""
    return {
        measure: [
            Evidence(
                subject=row["subject"],
                baseline=baseline,
                measure=words.label(measure),
                sign=sign_of(table, measure),
                margin=words.MARGIN
                * (table.dimensions[measure].high - table.dimensions[measure].low),
                contrast=row,
                drops=[
                    c
                    for c in cells
                    if (c["judge"], c["dimension"]) == measure
                    and c["subject"] == row["subject"]
                    and c["kind"] not in (ALL, IDENTITY)
                    and c["change"] is not None
                ],
            )
            for row in contrasts
            if (row["judge"], row["dimension"]) == measure
            and row["kind"] == ALL
            and row["scope"] == main.name
        ]
        for measure in headline
    }


def standing(headline: list[Measure], cells: list[dict[str, Any]]) -> dict[str, Any]:
    """By subject, the leading measure on the originals of the prompts that the finding rests on."""
    if not headline:
        return {}
    place = (*headline[0], ALL)
    return {
        c["subject"]: c["originals"]
        for c in cells
        if (c["judge"], c["dimension"], c["kind"]) == place
    }


def finding(
    table: Table,
    headline: list[Measure],
    found: Mapping[Measure, list[Evidence]],
    levels: Mapping[str, Any],
    cautions: list[str],
    leak: str | None,
) -> dict[str, Any]:
    """The verdict: the leak, one sentence for each subject, and what stands behind it."""
    lead = found[headline[0]] if headline else []
    subjects: list[dict[str, Any]] = []
    for item in lead:
        also = [
            words.agreement(item, other, measure)
            for measure in headline[1:]
            for other in found[measure]
            if other.subject == item.subject
        ]
        subjects.append(
            {
                "subject": item.subject,
                "sentence": words.sentence(item),
                "levels": words.levels(item, levels),
                "robustness": words.robustness_sentence(item),
                "also": also,
                "original": item.original,
                "reworded": item.reworded,
                "robust": item.robustness,
                "costliest": item.costliest["kind"] if item.costliest else None,
            }
        )
    if subjects:
        text = " ".join(s["sentence"] for s in subjects)
    elif headline:
        text = "Only one subject was asked: nothing to compare it with."
    else:
        text = "Nothing was scored that could carry a finding."
    return {
        "sentence": f"{leak} {text}" if leak else text,
        "leak": leak,
        "subjects": subjects,
        "rests_on": words.rests_on(table, headline),
        "cautions": cautions,
    }


def traffic_lights(
    table: Table,
    headline: list[Measure],
    found: Mapping[Measure, list[Evidence]],
    cells: list[dict[str, Any]],
    contrasts: list[dict[str, Any]],
    audit: Mapping[str, int],
    main: Scope,
    calibration: Mapping[str, Mapping[str, Any]],
) -> list[dict[str, Any]]:
    """Four lights for each compared subject, and two for the run."""
    shown = []
    inside = [row for row in contrasts if row["scope"] == main.name]
    for item in found[headline[0]] if headline else []:
        shown += [
            lights.better(item),
            lights.robust(item),
            lights.consistent(table, item.subject, inside, cells),
            lights.safe(table, item.subject, inside),
        ]
    return [*shown, lights.leaked(audit, main.name), lights.judged(table, calibration)]


def noise(
    table: Table,
    headline: list[Measure],
    cells: list[dict[str, Any]],
    answers: list[dict[str, Any]],
    deterministic: Collection[str],
) -> dict[str, Any] | None:
    """The identity floor: what asking the very same prompt again changes."""
    if IDENTITY not in table.kinds:
        return None
    rows = [c for c in cells if c["kind"] == IDENTITY and c["change"] is not None]
    return {
        "subjects": [
            {
                "subject": a["subject"],
                "repeated": a["repeated"],
                "identical": a["identical_when_repeated"],
                "zero_by_construction": a["subject"] in deterministic,
                "changes": [
                    {"judge": c["judge"], "dimension": c["dimension"], **c["change"]}
                    for c in rows
                    if c["subject"] == a["subject"] and (c["judge"], c["dimension"]) in headline
                ],
            }
            for a in answers
        ]
    }
