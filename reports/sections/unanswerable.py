"""Unanswerable questions: refusals, false answers, and the ways to find refusals."""

from __future__ import annotations

from harness.analysis.unanswerable_schema import AnswerRates, Unanswerable
from harness.records import ORIGINAL
from reports.sections.section import PageData, PageSection

TOTALS = {ORIGINAL: "as asked", "variants": "(all kinds)"}


def rate_rows(unanswerable: Unanswerable) -> list[tuple[str, str, bool, AnswerRates]]:
    """Return subject, how it was asked, whether that is no single kind, and the rates."""
    return [
        (subject, TOTALS.get(asked, asked), asked in TOTALS, rates)
        for subject, one in unanswerable.subjects.items()
        for asked, rates in one.asked.items()
        if any(rate for _, rate in rates)
    ]


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    unanswerable = page.summary.unanswerable
    assert unanswerable is not None
    return {
        "unanswerable": unanswerable,
        "rate_rows": rate_rows(unanswerable),
        "detector_rows": [
            (subject, way, rates)
            for subject, one in unanswerable.subjects.items()
            for way, rates in one.detectors.rates.items()
        ],
        "agreement_rows": [
            (subject, pair)
            for subject, one in unanswerable.subjects.items()
            for pair in one.detectors.pairs
        ],
    }


def applies(page: PageData) -> bool:
    """Return whether samples say which questions can be answered."""
    return page.summary.unanswerable is not None


SECTION = PageSection("unknown", "Unanswerable", "unanswerable", context, applies)
