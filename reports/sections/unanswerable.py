"""Unanswerable questions: refusals, false answers, and the ways to find refusals."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.unanswerable_schema import (
    AnswerRate,
    AnswerRates,
    RefusalRates,
    Unanswerable,
)
from harness.records import ORIGINAL
from reports.sections.section import PageData, PageSection

TOTALS = {ORIGINAL: "as asked", "variants": "(all kinds)"}


@dataclass(frozen=True)
class RateRow:
    """The rates of one subject on the originals, on all variants, or on one kind.

    Attributes:
        subject: The subject.
        asked: How the prompts were asked, for people.
        total: It is not about a single kind.
        rates: The rates.
    """

    subject: str
    asked: str
    total: bool
    rates: AnswerRates

    @property
    def unknown(self) -> int:
        """Return the number of prompts that cannot be answered."""
        return _prompts(self.rates.refusal)

    @property
    def known(self) -> int:
        """Return the number of prompts that can be answered."""
        return _prompts(self.rates.false_refusal)


def _prompts(rate: AnswerRate | None) -> int:
    return rate.prompts if rate else 0


def rate_rows(unanswerable: Unanswerable) -> list[RateRow]:
    """Return the rates of every subject, however the prompts were asked."""
    return [
        RateRow(subject, TOTALS.get(asked, asked), asked in TOTALS, rates)
        for subject, one in unanswerable.subjects.items()
        for asked, rates in one.asked.items()
        if any(rate for _, rate in rates)
    ]


@dataclass(frozen=True)
class DetectorRow:
    """What one way of finding refusals found on the prompts as asked.

    Attributes:
        subject: The subject.
        way: The way.
        primary: The table of rates rests on it.
        rates: The rates.
    """

    subject: str
    way: str
    primary: bool
    rates: RefusalRates


def detector_rows(unanswerable: Unanswerable) -> list[DetectorRow]:
    """Return what each way of finding refusals found."""
    return [
        DetectorRow(subject, way, way == unanswerable.primary, rates)
        for subject, one in unanswerable.subjects.items()
        for way, rates in one.detectors.rates.items()
    ]


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    unanswerable = page.summary.unanswerable
    assert unanswerable is not None
    return {
        "unanswerable": unanswerable,
        "rate_rows": rate_rows(unanswerable),
        "detector_rows": detector_rows(unanswerable),
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
