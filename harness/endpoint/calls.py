"""One run over a number of calls: workers, attempts, waits, and what stops all of them.

Failures that may pass are tried again: what the server asks for with ``Retry-After`` holds back
every call, and each waits by exponential back-off with full jitter besides. A refused key, an
unknown model, an exhausted account, an endpoint that cannot be reached or one that asks for a
longer wait than we wait ends everything with one line.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from harness.endpoint.budget import Purse, Tokens, estimate, worst_case
from harness.endpoint.responses import Attempt, classify, read_completion
from harness.endpoint.settings import ChatCall, ChatResult, EndpointError
from harness.errors import BudgetExceeded
from harness.records import Cost

if TYPE_CHECKING:
    from harness.endpoint.client import Transport

RAMP_STEP, RAMP = 0.005, 0.25
"""Seconds between the workers' starts, and between the first and the last at most.

Workers that start together stay together, and every round the loop serves all of them before the
first goes on: 1,000 calls of 200 ms at concurrency 32 take 1.08 of the ideal, and 1.05 with this.
"""

CONNECT_S = 10.0
"""Seconds for a connection to open, however long the answer may take."""


@dataclass
class _Spent:
    """What a call has taken so far, all its attempts together."""

    attempts: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    seconds: float = 0.0
    estimated: bool = False


class Session:
    """One run of ``Transport.chat``: workers that share a queue, a gate and a purse."""

    def __init__(
        self, transport: Transport, calls: Sequence[ChatCall], results: queue.SimpleQueue[Any]
    ) -> None:
        self.transport = transport
        self.settings = transport.settings
        self.results = results
        self.waiting = iter(enumerate(calls))
        self.workers = min(self.settings.concurrency, len(calls))
        self.purse = Purse(transport.account)

    async def run(self) -> None:
        """Answer every call.

        Raises:
            EndpointError: No call can succeed.
            BudgetExceeded: The budget does not cover the next attempt.
        """
        import httpx2
        from openai import AsyncOpenAI

        limit = self.settings.timeout_s
        async with AsyncOpenAI(
            api_key=self.transport.key,
            base_url=self.settings.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(limit, connect=min(limit, CONNECT_S)),
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
        if self.purse.exhausted is not None:
            raise BudgetExceeded(self.transport.account.shortage(self.purse.exhausted))

    async def work(self, client: Any, delay: float) -> None:
        """Answer calls until there are none, or no money for one."""
        await asyncio.sleep(delay)
        for index, call in self.waiting:
            result = await self.answer(client, call)
            if result is None:
                return
            self.transport.usage.calls += 1
            self.results.put((index, result))
            self.transport.breaker.judge(result.error)

    async def answer(self, client: Any, call: ChatCall) -> ChatResult | None:
        """Ask until there is an answer, a permanent failure or no attempt left.

        Returns:
            None where the budget does not even cover the first attempt. Where it covers no further
            one, the failure of the last, with what was spent on it.
        """
        worst, spent = worst_case(call, self.settings.extra_body), _Spent()
        result: ChatResult | None = None
        renamed = False
        while await self.purse.reserve(worst):
            charged = Tokens()
            fields = self.fields(call)
            try:
                await self.pass_gate()
                charged = (
                    worst  # until it is known: cut off under way, it may be charged all the same
                )
                outcome = await self.attempt(client, fields)
                charged = self.book(outcome, call, worst, spent)
            except asyncio.CancelledError:
                if (
                    charged == worst
                ):  # it was sent: what is paid for it belongs in the ledger as well
                    self.book(Attempt(billable=True), call, worst, spent)
                raise
            finally:
                self.purse.settle(worst, charged)
            if outcome.wants_rename and "max_tokens" in fields and not renamed:
                # Once a call: a field that the user gives goes out under its name for ever.
                self.transport.renames_max_tokens = renamed = True
                continue
            spent.attempts += 1
            result = self.result(outcome, spent)
            error = outcome.failure
            again = (
                error is not None
                and error.transient
                and spent.attempts <= self.settings.max_retries
            )
            self.transport.breaker.see(outcome, last=not again)
            self.heed(outcome)
            if not again:
                return result
            await self.back_off(spent.attempts)
        return result

    async def attempt(self, client: Any, fields: dict[str, Any]) -> Attempt:
        """Ask once; every failure is an outcome."""
        import httpx2

        started = time.monotonic()
        redact = self.transport.redact
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                # Not chat.completions.create: walking the typed parameters takes it 1.5 ms of
                # CPU a call, and what comes back is read defensively here anyway.
                answer = await client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=fields
                )
                outcome = read_completion(answer, redact)
        except Exception as error:  # one call's failure is a record, whatever it is
            outcome = classify(error, self.settings, redact)
        outcome.seconds = time.monotonic() - started
        return outcome

    def fields(self, call: ChatCall) -> dict[str, Any]:
        """The body of the request."""
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

    def book(self, outcome: Attempt, call: ChatCall, worst: Tokens, spent: _Spent) -> Tokens:
        """Add what an attempt used to the usage and to the call's own sum.

        Returns:
            What counts against the budget: where the server is silent the cost is an estimate, and
            the budget is charged the worst case.
        """
        usage = self.transport.usage
        usage.attempts += 1
        if outcome.failure is not None:
            kind = outcome.failure.kind
            usage.failures[kind] = usage.failures.get(kind, 0) + 1
        prompt, completion = outcome.prompt_tokens, outcome.completion_tokens
        used = charged = Tokens(prompt or 0, completion or 0)
        if outcome.billable and (prompt is None or completion is None):
            usage.uncounted += 1
            spent.estimated = True
            guess = estimate(call, outcome.text or outcome.refusal or "")
            used, charged = (
                Tokens(
                    silent.prompt if prompt is None else prompt,
                    silent.completion if completion is None else completion,
                )
                for silent in (guess, worst)
            )
        usage.prompt_tokens += used.prompt
        usage.completion_tokens += used.completion
        usage.money += self.transport.account.price(used)
        spent.tokens = spent.tokens.plus(used)
        spent.seconds += outcome.seconds
        return charged

    def result(self, outcome: Attempt, spent: _Spent) -> ChatResult:
        """Turn an attempt into a result, with the cost of all attempts before it.

        Raises:
            EndpointError: No call can succeed.
        """
        if outcome.failure is not None and outcome.fatal:
            raise EndpointError(outcome.failure.message)
        return ChatResult(
            text=outcome.text,
            refusal=outcome.refusal,
            finish_reason=outcome.finish_reason,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
            cost=Cost(
                prompt_tokens=spent.tokens.prompt,
                completion_tokens=spent.tokens.completion,
                money=self.transport.account.price(spent.tokens),
                seconds=round(spent.seconds, 6),
            ),
            estimated=spent.estimated,
            attempts=spent.attempts,
            accepted=outcome.accepted,
            error=outcome.failure,
        )

    async def pass_gate(self) -> None:
        """Wait until the server's last ``Retry-After`` has passed."""
        while (wait := self.transport.open_at - time.monotonic()) > 0:
            # Spread the restart, so that not every worker knocks in the same millisecond.
            await asyncio.sleep(wait + self.transport.jitter.uniform(0, min(1.0, 0.1 * wait)))

    def heed(self, outcome: Attempt) -> None:
        """Hold back every call for as long as the server asks for.

        Raises:
            EndpointError: It asks for more than we wait: whoever comes next would be told the same.
        """
        wait = outcome.retry_after
        if wait is None:
            return
        if wait > self.settings.max_wait_s:
            raise EndpointError(
                f"{self.settings.base_url} asks to wait {wait:.0f} s (Retry-After), longer than"
                f" max_wait_s ({self.settings.max_wait_s:g} s); what was done is kept: run the same"
                " command again after that, or raise max_wait_s"
            )
        self.transport.open_at = max(self.transport.open_at, time.monotonic() + wait)

    async def back_off(self, attempts: int) -> None:
        """Wait before the next attempt; what the server asks for comes on top, at the gate."""
        ceiling = min(
            self.settings.max_wait_s, self.settings.backoff_s * 2 ** min(attempts - 1, 30)
        )
        await asyncio.sleep(self.transport.jitter.uniform(0, ceiling))
