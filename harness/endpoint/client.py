"""The ONE client for OpenAI-compatible endpoints, for judges and for subjects.

Calls run at bounded concurrency on an event loop in a thread; results come out of a plain iterator
as they finish. ``session.py`` has the retries and what stops everything, ``purse.py`` the budget.
The key comes from the environment and is cut out of every text that leaves this package.
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from harness.endpoint.budget import Account
from harness.endpoint.calls import Session
from harness.endpoint.circuit_breaker import Breaker
from harness.endpoint.settings import NO_KEY, ChatCall, ChatResult, EndpointSettings, Usage

_DONE = object()


class Transport:
    """Sends calls to one endpoint.

    Args:
        settings: Where and how.

    Attributes:
        usage: What was used so far, over all calls of ``chat``.
        account: What counts against the budget so far.
        breaker: Sees when nothing gets through any more.
        jitter: Draws the random part of waits.
        open_at: No attempt is made before this time of the monotonic clock.
        renames_max_tokens: Whether the server wants ``max_completion_tokens``.

    Raises:
        EndpointError: The endpoint needs a key and none is set.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.usage = Usage()
        self.key = settings.api_key()
        self.account = Account(settings)
        self.breaker = Breaker(settings)
        # Not derived from a seed: jitter must differ between processes, and decides no result.
        self.jitter: random.Random = random.SystemRandom()
        self.open_at = 0.0
        self.renames_max_tokens = False

    def __repr__(self) -> str:
        return f"Transport({self.settings.base_url}, {self.settings.model})"

    def redact(self, text: str) -> str:
        """``text`` without the key."""
        return text if self.key == NO_KEY else text.replace(self.key, "[key]")

    def chat(self, calls: Sequence[ChatCall]) -> Iterator[tuple[int, ChatResult]]:
        """Send every call; yields (index, result) as they finish, each index once.

        A call that fails yields a result with its ``error``. Closing the iterator cancels what is
        under way.

        Raises:
            EndpointError: The endpoint refuses the key, does not know the model, cannot be reached
                or asks for a longer wait than ``max_wait_s``; calls not yielded were not answered.
            BudgetExceeded: The next call might pass the budget; everything paid for was yielded.
        """
        if not calls:
            return
        results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        loop = asyncio.new_event_loop()
        session = Session(self, calls, results)
        task = loop.create_task(session.run())
        thread = threading.Thread(
            target=_drive, args=(loop, task, results), name="jostle-transport", daemon=True
        )
        thread.start()
        try:
            while (item := results.get()) is not _DONE:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            with suppress(RuntimeError):  # the loop is closed where all was done
                loop.call_soon_threadsafe(task.cancel)
            thread.join()


def _drive(
    loop: asyncio.AbstractEventLoop, task: asyncio.Task[None], results: queue.SimpleQueue[Any]
) -> None:
    try:
        loop.run_until_complete(task)
    except asyncio.CancelledError:
        pass
    except BaseException as error:  # handed to the thread that iterates
        results.put(error)
    finally:
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.close()
        results.put(_DONE)
