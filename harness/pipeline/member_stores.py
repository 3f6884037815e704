"""Where the verdicts of a panel's members are kept, beside the panel's own."""

from __future__ import annotations

from harness.judging.traits import traits_of
from harness.pipeline.cache import Cache
from harness.pipeline.session import Session
from harness.protocols import Judge, VerdictStore

WITHIN = "members.sqlite"
"""In the run folder: verdicts that may not be kept across runs."""


class MemberStores:
    """The cross-run cache for members whose verdicts may be kept; one within the run for others."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._within: Cache | None = None

    def of(self, member: Judge) -> VerdictStore:
        """The store for a member."""
        if traits_of(member).durable:
            return self._session.cache
        if self._within is None:
            self._within = Cache(self._session.run.root / WITHIN)
        return self._within

    def close(self) -> None:
        """Close what was opened here."""
        if self._within is not None:
            self._within.close()
