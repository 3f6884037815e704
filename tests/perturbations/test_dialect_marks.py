"""Dates and titles of either dialect, and what only looks like one."""

from __future__ import annotations

import pytest

from harness.text.edits import apply_edits
from harness.text.parse import Text
from perturbations.dialect_marks import mark_edits
from perturbations.dialect_spelling import Direction


def turned(raw: str, direction: Direction) -> str:
    return apply_edits(raw, sorted(mark_edits(Text(raw), direction), key=lambda e: e.start))


@pytest.mark.parametrize(
    ("american", "british"),
    [
        ("She left on April 7, 2020.", "She left on 7 April 2020."),
        ("It opens April 7th and runs all week.", "It opens 7th April and runs all week."),
        ("We met on June 3 in a bakery.", "We met on 3 June in a bakery."),
        ("Ask Mr. Hill or Dr. Lane.", "Ask Mr Hill or Dr Lane."),
    ],
)
def test_dates_and_titles_lead_there_and_back(american: str, british: str) -> None:
    assert turned(american, "us-uk") == british
    assert turned(british, "uk-us") == american


@pytest.mark.parametrize(
    "raw",
    [
        "The fair runs from June 3-9.",
        "We rest on June 3 and 4.",
        "In April 2020 it rained.",
        "A picnic on July 4 is fun.",
        "It may be that May 5 apples will do.",
        'He wrote "June 3, 1999" on the lid.',
        "Run `date April 7, 2020` again.",
        "He is on the dr. list of mr. nobody.",
    ],
)
def test_ranges_feasts_counts_quotations_and_code_stay(raw: str) -> None:
    assert turned(raw, "us-uk") == raw
