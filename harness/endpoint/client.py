"""The one client for OpenAI-compatible endpoints, for judges and for subjects.

Calls run at bounded concurrency on an event loop in a thread; results come out of a plain iterator
as they finish. ``calls.py`` has the retries and what stops everything, ``budget.py`` the budget.
The key comes from the environment and is cut out of every text that leaves this package.
"""

from __future__ import annotations

import asyncio
import queue
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from harness.endpoint.calls import CallPool
from harness.endpoint.settings import ChatCall, ChatResult, EndpointSettings
from harness.endpoint.state import EndpointState, Usage

_DONE = object()


class EndpointClient:
    """Sends calls to one endpoint; raises EndpointError if it needs a key and none is set."""

    def __init__(self, settings: EndpointSettings) -> None:
        self.state = EndpointState(settings)

    def __repr__(self) -> str:
        return f"EndpointClient({self.settings.base_url}, {self.settings.model})"

    @property
    def settings(self) -> EndpointSettings:
        """Return where the endpoint is and how it is treated."""
        return self.state.settings

    @property
    def usage(self) -> Usage:
        """Return what was used so far, over all calls of ``chat``."""
        return self.state.usage

    def chat(self, calls: Sequence[ChatCall]) -> Iterator[tuple[int, ChatResult]]:
        """Send every call; yield (index, result) as they finish, each index once.

        A call that fails yields a result with its ``error``. Closing the iterator cancels the
        calls under way.

        Raises:
            EndpointError: The endpoint refuses the key, does not know the model, cannot be reached
                or asks for a longer wait than ``max_wait_s``; calls not yielded were not answered.
            BudgetExceeded: The next call might pass the budget; everything paid for was yielded.
        """
        if not calls:
            return
        results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        loop = asyncio.new_event_loop()
        pool = CallPool(self.state, calls, results)
        task = loop.create_task(pool.run())
        thread = threading.Thread(
            target=_drive, args=(loop, task, results), name="jostle-endpoint", daemon=True
        )
        thread.start()
        try:
            while (item := results.get()) is not _DONE:
                if isinstance(item, BaseException):
                    raise item
                yield item
        finally:
            with suppress(RuntimeError):  # the loop is closed when all calls are done
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
