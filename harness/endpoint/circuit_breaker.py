"""Stops everything when no call succeeds any more."""

from __future__ import annotations

from harness.endpoint.responses import Attempt
from harness.endpoint.settings import EndpointError, EndpointSettings
from harness.records import Failure

_PROBLEMS = {
    "connection": "cannot be reached",
    "broken_off": "breaks off its answers",
    "forbidden": "forbids every call",
}
_COUNTED_TOGETHER = (("connection", "broken_off"), ("forbidden",))
"""Kinds that are counted together: a server that comes and goes fails in both ways."""


class CircuitBreaker:
    """Counts failures in a row, over all calls of a client.

    Args:
        settings: Of the endpoint.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._reached = False
        self._in_a_row = dict.fromkeys(_COUNTED_TOGETHER, 0)

    def record_attempt(self, outcome: Attempt, last: bool) -> None:
        """Count an attempt.

        Args:
            outcome: How it ended.
            last: Whether its call gives up.

        Raises:
            EndpointError: A call gives up and no call has ever reached a server.
        """
        self._reached = self._reached or outcome.connected
        if last and not self._reached and outcome.failure is not None:
            raise self._stop(outcome.failure)

    def record_result(self, error: Failure | None) -> None:
        """Count a finished call.

        Raises:
            EndpointError: As many calls in a row as may be under way could not reach the endpoint,
                were broken off, or were forbidden.
        """
        for kinds in self._in_a_row:
            same = error is not None and error.kind in kinds
            self._in_a_row[kinds] = self._in_a_row[kinds] + 1 if same else 0
        if error is not None and max(self._in_a_row.values()) >= max(3, self.settings.concurrency):
            raise self._stop(error)

    def _stop(self, error: Failure) -> EndpointError:
        problem = _PROBLEMS.get(error.kind, _PROBLEMS["connection"])
        return EndpointError(
            f"{self.settings.base_url} {problem} ({error.message});"
            " what was done is kept: run the same command again to go on"
        )
