"""The ONE client for OpenAI-compatible endpoints, for judges and for subjects.

Calls run at bounded concurrency on an event loop in a thread; results come out of a plain iterator
as they finish. Failures that may pass are tried again: what the server asks for with
``Retry-After`` holds back every call, otherwise each waits by exponential back-off with full
jitter. A refused key, an unknown model, an exhausted account or an endpoint that cannot be reached
ends everything at once with one line. The key comes from the environment and is cut out of every
text that leaves this module.
"""

from __future__ import annotations

import asyncio
import queue
import random
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from harness.errors import BudgetExceeded
from harness.records import Cost
from harness.transport.endpoint import (
    NO_KEY,
    ChatCall,
    ChatResult,
    EndpointError,
    EndpointSettings,
    Usage,
)
from harness.transport.failures import Attempt, classify, read_completion

CHARACTERS_PER_TOKEN = 3
"""For reservations against a budget, on the safe side: English has about 4."""

RAMP_STEP, RAMP = 0.005, 0.25
"""Seconds between the workers' starts, and between the first and the last at most.

Workers that start together stay together, and every round the loop serves all of them before the
first goes on: 1,000 calls of 200 ms at concurrency 32 take 1.08 of the ideal, and 1.05 with this.
"""

_DONE = object()


class Transport:
    """Sends calls to one endpoint.

    Args:
        settings: Where and how.

    Attributes:
        usage: What was used so far, over all calls of ``chat``.

    Raises:
        EndpointError: The endpoint needs a key and none is set.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.usage = Usage()
        self._key = settings.api_key()
        # Not derived from a seed: jitter must differ between processes, and decides no result.
        self._jitter = random.SystemRandom()
        self.renames_max_tokens = False

    def __repr__(self) -> str:
        return f"Transport({self.settings.base_url}, {self.settings.model})"

    def redact(self, text: str) -> str:
        """``text`` without the key."""
        return text if self._key == NO_KEY else text.replace(self._key, "[key]")

    def chat(self, calls: Sequence[ChatCall]) -> Iterator[tuple[int, ChatResult]]:
        """Send every call; yields (index, result) as they finish, each index once.

        A call that fails yields a result with its ``error``. Closing the iterator cancels what is
        under way.

        Raises:
            EndpointError: The endpoint refuses the key, does not know the model or cannot be
                reached; calls not yielded were not answered.
            BudgetExceeded: The next call might pass the budget; everything paid for was yielded.
        """
        if not calls:
            return
        results: queue.SimpleQueue[Any] = queue.SimpleQueue()
        loop = asyncio.new_event_loop()
        session = _Session(self, calls, results)
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

    def cost(self, prompt_tokens: int, completion_tokens: int, seconds: float = 0.0) -> Cost:
        """Tokens in the configured prices."""
        prices = self.settings.prices
        return Cost(
            prompt_tokens=prompt_tokens,
            completion_tokens=completion_tokens,
            money=(prompt_tokens * prices.prompt + completion_tokens * prices.completion) / 1e6,
            seconds=round(seconds, 6),
        )


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


def worst_case(call: ChatCall) -> tuple[int, int]:
    """Prompt and completion tokens that a call may cost at most, as far as can be known."""
    characters = sum(len(message.content) for message in call.messages)
    return characters // CHARACTERS_PER_TOKEN + 8 * len(call.messages) + 8, call.max_tokens


class _Session:
    """One run of ``Transport.chat``: workers that share a queue, a gate, a budget and a breaker."""

    def __init__(
        self, transport: Transport, calls: Sequence[ChatCall], results: queue.SimpleQueue[Any]
    ) -> None:
        self.transport = transport
        self.settings = transport.settings
        self.results = results
        self.waiting = iter(enumerate(calls))
        self.workers = min(self.settings.concurrency, len(calls))
        self.open_at = 0.0
        self.purse = _Purse(transport)
        self.unreachable_in_a_row = 0
        self.refused_in_a_row = 0

    async def run(self) -> None:
        from openai import AsyncOpenAI

        async with AsyncOpenAI(
            api_key=self.transport._key,
            base_url=self.settings.base_url,
            max_retries=0,
            timeout=self.settings.timeout_s,
        ) as client:
            step = min(RAMP_STEP, RAMP / self.workers)
            tasks = [asyncio.create_task(self.work(client, n * step)) for n in range(self.workers)]
            try:
                await asyncio.gather(*tasks)
            except BaseException:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise
        if self.purse.exhausted:
            raise BudgetExceeded(self.purse.message())

    async def work(self, client: Any, delay: float) -> None:
        await asyncio.sleep(delay)
        for index, call in self.waiting:
            worst = worst_case(call)
            if not await self.purse.reserve(worst):
                return
            try:
                result = await self.answer(client, call)
            finally:
                self.purse.release(worst)
            self.transport.usage.calls += 1
            self.results.put((index, result))
            self.watch(result)

    async def answer(self, client: Any, call: ChatCall) -> ChatResult:
        """Ask until there is an answer, a permanent failure or no attempt left."""
        attempts = 0
        while True:
            await self.pass_gate()
            attempts += 1
            started = time.monotonic()
            fields = self.fields(call)
            outcome = await self.attempt(client, fields)
            outcome.seconds = time.monotonic() - started
            self.book(outcome, call)
            result = self.settle(outcome, attempts)
            if result.error is None:
                return result
            if outcome.wants_rename and "max_tokens" in fields:
                self.transport.renames_max_tokens = True
                attempts -= 1
                continue
            if not result.error.transient or attempts > self.settings.max_retries:
                return result
            if not await self.hold_back(outcome, attempts):
                return result

    async def attempt(self, client: Any, fields: dict[str, Any]) -> Attempt:
        import httpx2

        try:
            async with asyncio.timeout(self.settings.timeout_s):
                # Not chat.completions.create: walking the typed parameters takes it 1.5 ms of
                # CPU a call, and what comes back is read defensively here anyway.
                return read_completion(
                    await client.post("/chat/completions", cast_to=httpx2.Response, body=fields)
                )
        except Exception as error:  # one call's failure is a record, whatever it is
            return classify(error, self.settings)

    def fields(self, call: ChatCall) -> dict[str, Any]:
        limit = "max_completion_tokens" if self.transport.renames_max_tokens else "max_tokens"
        fields: dict[str, Any] = {
            "model": self.settings.model,
            "messages": [message.model_dump() for message in call.messages],
            limit: call.max_tokens,
        }
        for name in ("temperature", "top_p", "seed"):
            if getattr(call, name) is not None:
                fields[name] = getattr(call, name)
        if call.stop:
            fields["stop"] = list(call.stop)
        if call.response_format is not None:
            fields["response_format"] = dict(call.response_format)
        return {**fields, **self.settings.extra_body, **call.extra}

    def book(self, outcome: Attempt, call: ChatCall) -> None:
        """Add what an attempt used; what an answer used is estimated where the server is silent."""
        usage = self.transport.usage
        usage.attempts += 1
        if outcome.failure is not None:
            kind = outcome.failure.kind
            usage.failures[kind] = usage.failures.get(kind, 0) + 1
        prompt, completion = outcome.prompt_tokens, outcome.completion_tokens
        if outcome.text is not None and (prompt is None or completion is None):
            usage.uncounted += 1
            prompt = worst_case(call)[0]
            completion = len(outcome.text) // CHARACTERS_PER_TOKEN + 1
        usage.prompt_tokens += prompt or 0
        usage.completion_tokens += completion or 0
        usage.money += self.transport.cost(prompt or 0, completion or 0).money

    def settle(self, outcome: Attempt, attempts: int) -> ChatResult:
        """Turn an attempt into a result without the key in it.

        Raises:
            EndpointError: No call can succeed.
        """
        transport, error = self.transport, outcome.failure
        if error is not None and outcome.fatal:
            raise EndpointError(transport.redact(error.message))
        if error is not None:
            error = error.model_copy(update={"message": transport.redact(error.message)})
        redact = transport.redact
        return ChatResult(
            text=None if outcome.text is None else redact(outcome.text),
            refusal=None if outcome.refusal is None else redact(outcome.refusal),
            finish_reason=outcome.finish_reason,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
            cost=transport.cost(
                outcome.prompt_tokens or 0, outcome.completion_tokens or 0, outcome.seconds
            ),
            attempts=attempts,
            error=error,
        )

    async def pass_gate(self) -> None:
        """Wait until the server's last ``Retry-After`` has passed."""
        while (wait := self.open_at - time.monotonic()) > 0:
            # Spread the restart, so that not every worker knocks in the same millisecond.
            await asyncio.sleep(wait + self.transport._jitter.uniform(0, min(1.0, 0.1 * wait)))

    async def hold_back(self, outcome: Attempt, attempts: int) -> bool:
        """Wait before the next attempt; False where the server asks for more than we wait."""
        if outcome.retry_after is not None:
            if outcome.retry_after > self.settings.max_wait_s:
                return False
            self.open_at = max(self.open_at, time.monotonic() + outcome.retry_after)
            return True
        ceiling = min(
            self.settings.max_wait_s, self.settings.backoff_s * 2 ** min(attempts - 1, 30)
        )
        await asyncio.sleep(self.transport._jitter.uniform(0, ceiling))
        return True

    def watch(self, result: ChatResult) -> None:
        """Stop everything where nothing gets through any more.

        Raises:
            EndpointError: As many calls in a row as may be under way failed to reach the endpoint,
                or were forbidden.
        """
        kind = result.error.kind if result.error else None
        self.unreachable_in_a_row = self.unreachable_in_a_row + 1 if kind == "connection" else 0
        self.refused_in_a_row = self.refused_in_a_row + 1 if kind == "forbidden" else 0
        limit = max(3, self.settings.concurrency)
        if result.error and max(self.unreachable_in_a_row, self.refused_in_a_row) >= limit:
            what = "cannot be reached" if kind == "connection" else "forbids every call"
            raise EndpointError(
                f"{self.settings.base_url} {what} ({result.error.message});"
                " what was done is kept: run the same command again to go on"
            )


class _Purse:
    """A budget that is never passed: each call sets its worst case aside beforehand."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.budget = transport.settings.budget
        self.held = (0, 0)
        self.under_way = 0
        self.exhausted = False
        self.changed = asyncio.Event()

    async def reserve(self, worst: tuple[int, int]) -> bool:
        """Set the worst case aside, waiting for calls under way; False where nothing is left.

        Args:
            worst: Prompt and completion tokens.
        """
        while not self.exhausted and not self.fits(worst):
            if self.under_way == 0:
                self.exhausted = True
                self.changed.set()
                break
            self.changed.clear()
            await self.changed.wait()
        if self.exhausted:
            return False
        self.held = (self.held[0] + worst[0], self.held[1] + worst[1])
        self.under_way += 1
        return True

    def release(self, worst: tuple[int, int]) -> None:
        """Give the reservation back; what was really used stands in the transport's usage."""
        self.held = (self.held[0] - worst[0], self.held[1] - worst[1])
        self.under_way -= 1
        self.changed.set()

    def fits(self, worst: tuple[int, int]) -> bool:
        usage = self.transport.usage
        prompt, completion = self.held[0] + worst[0], self.held[1] + worst[1]
        tokens, money = self.budget.tokens, self.budget.money
        if tokens is not None and usage.tokens + prompt + completion > tokens:
            return False
        return money is None or usage.money + self.transport.cost(prompt, completion).money <= money

    def message(self) -> str:
        usage = self.transport.usage
        limits = [
            f"{value:g} {name}"
            for name, value in (("money", self.budget.money), ("tokens", self.budget.tokens))
            if value is not None
        ]
        return (
            f"the budget of {self.transport.settings.model} ({', '.join(limits)}) does not cover"
            f" the next call: {usage.tokens} tokens and {usage.money:.4f} money are spent; what was"
            " done is kept: raise the budget and run the same command again"
        )
