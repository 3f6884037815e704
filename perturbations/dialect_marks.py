"""Dates and titles as either dialect writes them: "on April 7, 2020, Mr. Hill" ↔ "on 7 April 2020, Mr Hill"."""

from __future__ import annotations

import re
from collections.abc import Iterator

from harness.records import Edit
from harness.text.parse import Text
from perturbations.dialect_spelling import Direction

_MONTHS = "January|February|March|April|May|June|July|August|September|October|November|December"
_ORDINAL = r"(?:st|nd|rd|th)?"
# A range of days ("April 7-10"), a list ("April 7 and 8") and a clock time stay as they are; so does
# a date that names a feast or an event ("July 4", "September 11"), and whatever may be a count.
_NOT_AFTER = r"(?!\d|[.:/]\d|\s*[-–—&]\s*\d|\s*(?:and|or|to|through|,)\s*\d{1,2}\b(?!\d))"
_US_DATE = re.compile(
    rf"(?<![\w/.-])(?P<month>{_MONTHS}) (?P<day>\d{{1,2}}{_ORDINAL})(?:, (?P<year>\d{{4}}))?{_NOT_AFTER}"
    r"(?![\w%$])"
)
_UK_DATE = re.compile(
    rf"(?<![\w/.,:-])(?<!the )(?<!and )(?<!or )(?<!to )(?P<day>\d{{1,2}}{_ORDINAL}) (?P<month>{_MONTHS})"
    rf"(?:,? (?P<year>\d{{4}}))?(?![\w%/-])"
)
_IN_TIME = re.compile(
    r"\b(?:on|from|to|by|until|till|before|after|since|of|between|dated?:?|the) \Z"
)
_FEASTS = frozenset({("July", "4"), ("September", "11"), ("January", "6"), ("May", "4")})

_US_TITLE = re.compile(r"(?<![\w.])(?:Mr|Mrs|Ms|Dr)(\.)(?= [A-Z][a-z])")
_UK_TITLE = re.compile(r"(?<![\w.])(?:Mr|Mrs|Ms|Dr)()(?= [A-Z][a-z])")


def mark_edits(text: Text, direction: Direction) -> Iterator[Edit]:
    """Yield the edits of dates and titles, outside code, addresses, quotations and danger."""
    for edit in (*_dates(text.raw, direction), *_titles(text.raw, direction)):
        if not any(
            start < edit.end and edit.start < end
            for start, end, kind in text.protected
            if kind not in ("number", "name")
        ):
            yield edit


def _dates(raw: str, direction: Direction) -> Iterator[Edit]:
    pattern = _US_DATE if direction == "us-uk" else _UK_DATE
    for match in pattern.finditer(raw):
        month, day, year = match["month"], match["day"], match["year"]
        number = int(re.sub(r"\D", "", day))
        if not 1 <= number <= 31 or (month, str(number)) in _FEASTS:
            continue
        plain = year or day != str(number)  # "April 7th" and "April 7, 2020" can be nothing else
        if not plain and not _IN_TIME.search(raw[: match.start()]):
            continue
        if direction == "us-uk":
            new = f"{day} {month}" + (f" {year}" if year else "")
        else:
            new = f"{month} {day}" + (f", {year}" if year else "")
        yield Edit(start=match.start(), end=match.end(), text=new)


def _titles(raw: str, direction: Direction) -> Iterator[Edit]:
    pattern, new = (_US_TITLE, "") if direction == "us-uk" else (_UK_TITLE, ".")
    for match in pattern.finditer(raw):
        yield Edit(start=match.start(1), end=match.end(1), text=new)
