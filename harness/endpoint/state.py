"""What all calls to one endpoint share: the key, what was used, and what holds calls back."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from harness.endpoint.budget import Account
from harness.endpoint.responses import Attempt
from harness.endpoint.settings import NO_KEY, EndpointError, EndpointSettings
from harness.records import Failure

_PROBLEMS = {
    "connection": "cannot be reached",
    "broken_off": "breaks off its answers",
    "forbidden": "forbids every call",
}
_COUNTED_TOGETHER = (("connection", "broken_off"), ("forbidden",))
"""Kinds that are counted together: a server that comes and goes fails in both ways."""


@dataclass
class Usage:
    """What a client used so far, over all its calls.

    Attributes:
        uncounted: Attempts whose tokens the server did not count; they are in the sums as estimates.
        failures: Failed attempts by kind, those that were retried with success included.
    """

    calls: int = 0
    attempts: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float = 0.0
    uncounted: int = 0
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        """Return prompt and completion tokens together."""
        return self.prompt_tokens + self.completion_tokens


class CircuitBreaker:
    """Counts failures in a row, over all calls of a client, and stops them when none succeeds."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self._reached = False
        self._in_a_row = dict.fromkeys(_COUNTED_TOGETHER, 0)

    def record_attempt(self, outcome: Attempt, last: bool) -> None:
        """Count an attempt; raise EndpointError where it is the last of its call and none arrived."""
        self._reached = self._reached or outcome.connected
        if last and not self._reached and outcome.failure is not None:
            raise self._stop(outcome.failure)

    def record_result(self, error: Failure | None) -> None:
        """Count a finished call; stop after as many failures of a kind as calls may be under way."""
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


class EndpointState:
    """The state of one endpoint, shared by all calls of a client.

    Attributes:
        account: What counts against the budget so far.
        jitter: Draws the random part of waits.
        open_at: No attempt is made before this time of the monotonic clock.
        renames_max_tokens: Whether the server wants ``max_completion_tokens``.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.key = settings.api_key()
        self.usage = Usage()
        self.account = Account(settings)
        self.breaker = CircuitBreaker(settings)
        # Not derived from a seed: jitter must differ between processes, and decides no result.
        self.jitter: random.Random = random.SystemRandom()
        self.open_at = 0.0
        self.renames_max_tokens = False

    def redact(self, text: str) -> str:
        """Return ``text`` without the key."""
        return text if self.key == NO_KEY else text.replace(self.key, "[key]")
