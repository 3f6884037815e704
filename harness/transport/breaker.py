"""Stops everything where nothing gets through any more."""

from __future__ import annotations

from harness.records import Failure
from harness.transport.endpoint import EndpointError, EndpointSettings
from harness.transport.failures import Attempt


class Breaker:
    """Sees when nothing gets through any more; over all sessions of a transport.

    Args:
        settings: Of the endpoint.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._reached = False
        self._in_a_row = {"connection": 0, "forbidden": 0}

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
            EndpointError: As many calls in a row as may be under way failed to reach the endpoint,
                or were forbidden.
        """
        for kind in self._in_a_row:
            same = error is not None and error.kind == kind
            self._in_a_row[kind] = self._in_a_row[kind] + 1 if same else 0
        if error is not None and max(self._in_a_row.values()) >= max(3, self.settings.concurrency):
            raise self._stop(error)

    def _stop(self, error: Failure) -> EndpointError:
        what = "forbids every call" if error.kind == "forbidden" else "cannot be reached"
        return EndpointError(
            f"{self.settings.base_url} {what} ({error.message});"
            " what was done is kept: run the same command again to go on"
        )
