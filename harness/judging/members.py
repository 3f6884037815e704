"""Walks panels down to the judges that really judge."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any


def leaves(judge: Any) -> Iterator[Any]:
    """The judge itself, or every member of a panel, panels within panels included."""
    members = getattr(judge, "members", None)
    if isinstance(members, Mapping):
        for member in members.values():
            yield from leaves(member)
    else:
        yield judge
