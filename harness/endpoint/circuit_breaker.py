"""Stops everything where nothing gets through any more."""

from __future__ import annotations

from harness.endpoint.responses import Attempt
from harness.endpoint.settings import EndpointError, EndpointSettings
from harness.records import Failure

_WORDS = {
    "connection": "cannot be reached",
    "broken_off": "breaks off its answers",
    "forbidden": "forbids every call",
}
_TOGETHER = (("connection", "broken_off"), ("forbidden",))
"""Kinds that count as one row: a server that comes and goes fails in both ways."""


class Breaker:
    """Sees when nothing gets through any more; over all sessions of a transport.

    Args:
        settings: Of the endpoint.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._reached = False
        self._in_a_row = dict.fromkeys(_TOGETHER, 0)

    def see(self, outcome: Attempt, last: bool) -> None:
        """Look at an attempt.

        Args:
            outcome: How it ended.
            last: Whether its call gives up.

        Raises:
            EndpointError: A call gives up where none has ever found a server.
        """
        self._reached = self._reached or outcome.connected
        if last and not self._reached and outcome.failure is not None:
            raise self._stop(outcome.failure)

    def judge(self, error: Failure | None) -> None:
        """Look at a call.

        Raises:
            EndpointError: As many calls in a row as may be under way failed to reach the endpoint
                or to hear it out, or were forbidden.
        """
        for kinds in self._in_a_row:
            same = error is not None and error.kind in kinds
            self._in_a_row[kinds] = self._in_a_row[kinds] + 1 if same else 0
        if error is not None and max(self._in_a_row.values()) >= max(3, self.settings.concurrency):
            raise self._stop(error)

    def _stop(self, error: Failure) -> EndpointError:
        what = _WORDS.get(error.kind, _WORDS["connection"])
        return EndpointError(
            f"{self.settings.base_url} {what} ({error.message});"
            " what was done is kept: run the same command again to go on"
        )
