"""E-mail addresses and telephone numbers. Findings are masked: a report must not spread them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple

_EMAIL = re.compile(
    r"(?<![\w.+%-])[A-Za-z0-9][\w.+%-]{0,63}@((?:[A-Za-z0-9-]{1,63}\.)+[A-Za-z]{2,24})(?![\w-])"
)
_RESERVED = re.compile(
    r"(?:^|\.)(?:example\.(?:com|org|net|edu)|example|test|invalid|localhost)$", re.I
)
"""Names that RFC 2606 keeps for examples."""

_PHONE = re.compile(
    r"(?<![\w.+/#=-])(?:"
    r"\+\d{1,3}(?:[ .-]?\(?\d{1,4}\)?){2,6}"  # +44 20 7946 0958
    r"|(?:1[ .-])?(?:\([2-9]\d{2}\) ?|[2-9]\d{2}[ .-])[2-9]\d{2}[ .-]\d{4}"  # (415) 555-2671
    r"|[2-9]\d{2}[2-9]\d{6}"  # 4155552671
    r"|0\d{2,4}[ /-]\d{3,4}[ -]?\d{3,5}"  # 020 7946 0958
    r")(?![\w-]|[.,]\d)"
)
_FREE = re.compile(r"^1?8(?:00|33|44|55|66|77|88)\d{7}$")
"""North American toll-free numbers: of helplines and companies, not of persons."""

_FICTION = re.compile(r"^1?\d{3}55501\d{2}$")
"""Numbers kept for fiction."""


_NO_PHONE = frozenset({"2147483647", "2147483648", "4294967295", "4294967296", "9876543210"})


class Finding(NamedTuple):
    """One piece of personal data.

    Attributes:
        kind: What it is.
        masked: Enough of it to find the place again.
    """

    kind: Literal["email", "phone"]
    masked: str


def personal_data(text: str) -> Iterator[Finding]:
    """Yield the e-mail addresses, then the telephone numbers, in a text, masked.

    Left out: addresses under example domains, toll-free numbers and numbers kept for fiction. Ten
    digits in a row are a telephone number where a North American one could be, but not the limits of
    machine integers and 9876543210.
    """
    for match in _EMAIL.finditer(text):
        if not _RESERVED.search(match[1]):
            yield Finding("email", f"{match[0][0]}…@{match[1]}")
    for match in _PHONE.finditer(text):
        digits = re.sub(r"\D", "", match[0])
        if match[0] in _NO_PHONE or _FREE.match(digits) or _FICTION.match(digits):
            continue
        if 9 <= len(digits) <= 15:
            yield Finding("phone", f"{match[0][:3]}…{digits[-2:]}")
