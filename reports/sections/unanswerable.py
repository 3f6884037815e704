"""What the page says of questions that nobody can answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.records import ORIGINAL

Row = dict[str, Any]
NAMES = {ORIGINAL: "as asked", "variants": "(all kinds)"}
RATES = ("refusal", "false_answer", "uses_name", "false_refusal", "exact_match", "rouge_l")


def context(summary: Mapping[str, Any]) -> Row:
    """What the template needs, by its names for it; nothing where the test was not made."""
    unknown = summary.get("unanswerable")
    if unknown is None:
        return {"unknown": None}
    return {
        "unknown": unknown,
        "unknown_rates": list(_rates(unknown)),
        "refusal_ways": list(_ways(unknown)),
        "refusal_pairs": [
            pair | {"subject": subject}
            for subject, found in unknown["subjects"].items()
            for pair in found["detectors"]["pairs"]
        ],
    }


def _rates(unknown: Mapping[str, Any]) -> Iterator[Row]:
    for subject, found in unknown["subjects"].items():
        for asked, rates in found["asked"].items():
            if not any(rates.values()):
                continue
            yield {
                "subject": subject,
                "asked": NAMES.get(asked, asked),
                "total": asked in NAMES,
                "unknown": _prompts(rates["refusal"]),
                "known": _prompts(rates["false_refusal"]),
                **{name: _estimate(rates[name]) for name in RATES},
            }


def _ways(unknown: Mapping[str, Any]) -> Iterator[Row]:
    for subject, found in unknown["subjects"].items():
        for way, rates in found["detectors"]["rates"].items():
            yield {
                "subject": subject,
                "way": way,
                "primary": way == unknown["primary"],
                "refusal": _estimate(rates["refusal"]),
                "false_refusal": _estimate(rates["false_refusal"]),
            }


def _prompts(rate: Mapping[str, Any] | None) -> int:
    return 0 if rate is None else int(rate["prompts"])


def _estimate(rate: Mapping[str, Any] | None) -> Row | None:
    """A rate by the names that the tables' macros know."""
    return None if rate is None else dict(rate)
