"""Traffic lights: one question each, answered green, amber, red, or grey where nobody measured."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from harness.analysis.sentences import MARGIN, Evidence, bound, direction
from harness.analysis.table import ALL, Measure, Table
from harness.util.formatting import plural, with_interval

SAFETY_WORDS = ("safe", "harm", "toxic", "guard", "crisis")
"""Parts of the names of judges and dimensions that measure safety; refusals alone do not."""


WORDS = {
    "Better?": {"green": "yes", "amber": "not seen", "red": "worse", "grey": "not measured"},
    "Leaked?": {"green": "no", "amber": "in part", "red": "yes", "grey": "not checked"},
    "Judge checked?": {
        "green": "yes",
        "amber": "in part",
        "red": "no",
        "grey": "not checked",
    },
}
"""One word for a colour where "yes, not settled, no" would not answer the question."""


def light(
    question: str, colour: str, answer: str, subject: str | None, word: str | None = None
) -> dict[str, Any]:
    """One light; ``subject`` None concerns the whole run."""
    plain = {"green": "yes", "amber": "not settled", "red": "no", "grey": "not measured"}
    return {
        "question": question,
        "light": colour,
        "word": word or WORDS.get(question, plain)[colour],
        "answer": answer,
        "subject": subject,
    }


def better(evidence: Evidence) -> dict[str, Any]:
    """Is the fine-tune better on the prompts as they stand?"""
    gain = evidence.contrast["gain_originals"]
    colour = {"better": "green", "worse": "red", "unclear": "amber"}[evidence.original]
    words = {
        "better": "Better on the original prompts",
        "worse": "Worse on the original prompts",
        "unclear": "No difference seen on the original prompts",
    }[evidence.original]
    answer = f"{words} ({with_interval(gain, sign=True)})."
    return light("Better?", colour, answer, evidence.subject)


def robust(evidence: Evidence) -> dict[str, Any]:
    """Does rewording cost it more than it costs the baseline?"""
    did = evidence.contrast["did"]
    figures = with_interval(did, sign=True)
    if evidence.robustness == "worse":
        return light(
            "Robust?",
            "red",
            f"Rewording costs it more than the baseline ({figures}).",
            evidence.subject,
        )
    if evidence.robustness == "better":
        return light(
            "Robust?",
            "green",
            f"Rewording costs it less than the baseline ({figures}).",
            evidence.subject,
        )
    if evidence.equivalent:
        return light("Robust?", "green", f"{bound(evidence)}.", evidence.subject)
    return light("Robust?", "amber", f"Not settled by this run ({figures}).", evidence.subject)


def consistent(
    table: Table, subject: str, contrasts: list[dict[str, Any]], cells: list[dict[str, Any]]
) -> dict[str, Any]:
    """Does it answer alike when asked alike, at least as much as the baseline does?"""
    measure = next(
        (
            m
            for m, d in table.dimensions.items()
            if "original_answer" in d.needs and d.higher_is_better
        ),
        None,
    )
    if measure is None:
        return light("Consistent?", "grey", "No judge measured consistency.", subject)
    row = find(contrasts, measure, ALL, subject=subject)
    own = find(cells, measure, ALL, subject=subject)
    gain = row["gain_variants"] if row else None
    if gain is None or gain["low"] is None:
        return light("Consistent?", "grey", "Consistency could not be estimated.", subject)
    level = with_interval(own["variants"]) if own else "–"
    dimension = table.dimensions[measure]
    found = direction(gain, 1)
    margin = MARGIN * (dimension.high - dimension.low)
    text = (
        f"Its answers to rewordings are {level} like its answer to the original (1 is the same);"
        f" difference from the baseline {with_interval(gain, sign=True)}."
    )
    if found == "worse":
        return light("Consistent?", "red", f"Less than the baseline. {text}", subject)
    if found == "better" or gain["low"] > -margin:
        return light(
            "Consistent?", "green", f"At least about as much as the baseline. {text}", subject
        )
    return light("Consistent?", "amber", f"Not settled by this run. {text}", subject)


def safe(table: Table, subject: str, contrasts: list[dict[str, Any]]) -> dict[str, Any]:
    """Did any measure of safety get worse?"""
    measures = [
        m
        for m, d in table.dimensions.items()
        if d.higher_is_better is not None
        and any(word in f"{m[0]} {m[1]}".lower() for word in SAFETY_WORDS)
    ]
    if not measures:
        return light("Safe?", "grey", "No judge or guard measured safety.", subject)
    worse, unsettled = [], []
    for measure in measures:
        sign = 1 if table.dimensions[measure].higher_is_better else -1
        row = find(contrasts, measure, ALL, subject=subject)
        gains = [row["gain_originals"], row["gain_variants"]] if row else []
        seen = [direction(gain, sign) for gain in gains]
        if "worse" in seen:
            worst = gains[seen.index("worse")]
            worse.append(f"{measure[1]} ({with_interval(worst, sign=True)})")
        elif not seen or "unclear" in seen:
            unsettled.append(measure[1])
    if worse:
        return light("Safe?", "red", f"Worse than the baseline: {', '.join(worse)}.", subject)
    if unsettled:
        answer = f"No change seen, but none proven either: {', '.join(unsettled)}."
        return light("Safe?", "amber", answer, subject)
    if all(measure[0] in table.learned for measure in measures):
        answer = "Better than the baseline, but only by a judge learned from a few hundred labels."
        return light("Safe?", "amber", answer, subject)
    return light("Safe?", "green", "Better than the baseline on every safety measure.", subject)


def leaked(audit: Mapping[str, int], main: str) -> dict[str, Any]:
    """Did test prompts stand in the training data?"""
    found, clean = audit["leaked"], audit["clean"]
    if not found and not clean:
        answer = "Nobody checked: the suite names no training data."
        return light("Leaked?", "grey", answer, None)
    if found:
        answer = (
            f"{found} of {plural(sum(audit.values()), 'test prompt')} stand in the training data;"
            " the finding rests on the others."
            if main == "clean"
            else f"{found} of {plural(sum(audit.values()), 'test prompt')} stand in the training"
            " data and too few do not: the finding measures memory too."
        )
        return light("Leaked?", "amber" if main == "clean" else "red", answer, None)
    if audit["unchecked"]:
        answer = (
            f"{plural(audit['unchecked'], 'test prompt')} were not checked; the rest are clean."
        )
        return light("Leaked?", "amber", answer, None)
    return light(
        "Leaked?",
        "green",
        f"None of {plural(clean, 'test prompt')} was found in the training data, word for word or"
        " nearly.",
        None,
    )


def judged(table: Table, calibration: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Was the judge checked against people? Asked of language models and of fitted judges."""
    question = "Judge checked?"
    rating = table.llm | (table.learned & {judge for judge, _ in table.dimensions})
    if not rating:
        answer = (
            "No LLM judge: the finding rests on automatic text metrics, which measure likeness to"
            " a reference, not quality."
        )
        return light(question, "amber", answer, None, "no LLM judge")
    checked = {name: calibration[name] for name in sorted(rating) if name in calibration}
    if not checked:
        answer = "No judge of this run was checked against human labels (jostle calibrate)."
        return light(question, "grey", answer, None)
    parts = [
        f"{name}: {values.get('summary', 'checked against human labels')}"
        for name, values in checked.items()
    ]
    trusted = all(values.get("trusted") for values in checked.values())
    complete = len(checked) == len(rating)
    own = all(values.get("own") for values in checked.values())
    return light(
        question,
        "green" if trusted and complete else "amber",
        "; ".join(parts) + ".",
        None,
        "by its authors only" if own else None,
    )


def find(
    rows: list[dict[str, Any]], measure: Measure, kind: str, **more: str
) -> dict[str, Any] | None:
    """The first row of a measure and kind with the further fields given."""
    return next(
        (
            row
            for row in rows
            if (row["judge"], row["dimension"]) == measure
            and row["kind"] == kind
            and all(row[name] == value for name, value in more.items())
        ),
        None,
    )
