"""What all calls to one endpoint share: the key, what was used, and what holds calls back."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from harness.endpoint.budget import Account
from harness.endpoint.circuit_breaker import CircuitBreaker
from harness.endpoint.settings import NO_KEY, EndpointSettings


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


class EndpointState:
    """The state of one endpoint, shared by all calls of a client.

    Args:
        settings: Where the endpoint is and how it is to be treated.

    Attributes:
        usage: What was used so far.
        account: What counts against the budget so far.
        breaker: Stops everything when no call succeeds any more.
        jitter: Draws the random part of waits.
        open_at: No attempt is made before this time of the monotonic clock.
        renames_max_tokens: Whether the server wants ``max_completion_tokens``.

    Raises:
        EndpointError: The endpoint needs a key and none is set.
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
