"""A pool of calls: workers, attempts, waits, and what stops all of them.

Transient failures are retried: the ``Retry-After`` of the server holds back every call, and each
call waits by exponential back-off with full jitter besides. A refused key, an unknown model, an
exhausted account, an endpoint that cannot be reached or one that asks for too long a wait ends
everything with one line.
"""

from __future__ import annotations

import asyncio
import queue
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.endpoint.budget import Reservations, Tokens, estimate, worst_case
from harness.endpoint.responses import Attempt, classify, read_completion
from harness.endpoint.settings import ChatCall, ChatResult, EndpointError
from harness.endpoint.state import EndpointState
from harness.errors import BudgetExceeded
from harness.records import Cost

RAMP_STEP, RAMP = 0.005, 0.25
"""Seconds between the starts of two workers, and at most between the first and the last.

Workers that start together stay in step, and the loop serves all of them before the first goes on:
1,000 calls of 200 ms at concurrency 32 take 1.08 of the ideal time, and 1.05 with this ramp.
"""

CONNECT_S = 10.0
"""Seconds for a connection to open, however long the answer may take."""


@dataclass
class _CallCost:  # all attempts together
    attempts: int = 0
    tokens: Tokens = field(default_factory=Tokens)
    seconds: float = 0.0
    estimated: bool = False


class CallPool:
    """The calls of one ``EndpointClient.chat``, worked on by several workers.

    ``results`` takes ``(index, result)`` of every finished call.
    """

    def __init__(
        self, state: EndpointState, calls: Sequence[ChatCall], results: queue.SimpleQueue[Any]
    ) -> None:
        self.state = state
        self.settings = state.settings
        self.results = results
        self.waiting = iter(enumerate(calls))
        self.workers = min(self.settings.concurrency, len(calls))
        self.reservations = Reservations(state.account)

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
            api_key=self.state.key,
            base_url=self.settings.base_url,
            max_retries=0,
            timeout=httpx2.Timeout(limit, connect=min(limit, CONNECT_S)),
        ) as client:
            step = min(RAMP_STEP, RAMP / self.workers)
            tasks = [asyncio.create_task(self._work(client, n * step)) for n in range(self.workers)]
            try:
                await asyncio.gather(*tasks)
            except BaseException:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
                raise
        if self.reservations.exhausted is not None:
            raise BudgetExceeded(self.state.account.shortage(self.reservations.exhausted))

    async def _work(self, client: Any, delay: float) -> None:
        await asyncio.sleep(delay)
        for index, call in self.waiting:
            result = await self._answer(client, call)
            if result is None:
                return
            self.state.usage.calls += 1
            self.results.put((index, result))
            self.state.breaker.record_result(result.error)

    async def _answer(self, client: Any, call: ChatCall) -> ChatResult | None:
        """Ask until there is an answer, a permanent failure or no attempt left.

        None if the budget does not cover the first attempt; if it covers no further one, the
        failure of the last, with its cost.
        """
        worst, cost = worst_case(call, self.settings.extra_body), _CallCost()
        result: ChatResult | None = None
        renamed = False
        while await self.reservations.reserve(worst):
            charged = Tokens()
            fields = self._fields(call)
            try:
                await self._wait_for_gate()
                # Until the cost is known: an attempt that is cancelled may be charged all the same.
                charged = worst
                outcome = await self._attempt(client, fields)
                charged = self._record_usage(outcome, call, worst, cost)
            except asyncio.CancelledError:
                if charged == worst:  # it was sent, so its cost belongs in the usage as well
                    self._record_usage(Attempt(billable=True), call, worst, cost)
                raise
            finally:
                self.reservations.settle(worst, charged)
            if outcome.wants_rename and "max_tokens" in fields and not renamed:
                # Once a call: a field that the user sets keeps its own name however often it fails.
                self.state.renames_max_tokens = renamed = True
                continue
            cost.attempts += 1
            result = self._result(outcome, cost)
            error = outcome.failure
            again = (
                error is not None and error.transient and cost.attempts <= self.settings.max_retries
            )
            self.state.breaker.record_attempt(outcome, last=not again)
            self._hold_back(outcome)
            if not again:
                return result
            await self._back_off(cost.attempts)
        return result

    async def _attempt(self, client: Any, fields: dict[str, Any]) -> Attempt:
        import httpx2

        started = time.monotonic()
        redact = self.state.redact
        try:
            async with asyncio.timeout(self.settings.timeout_s):
                # Not chat.completions.create: its typed parameters cost 1.5 ms of CPU a call, and
                # the response is read defensively here anyway.
                answer = await client.post(
                    "/chat/completions", cast_to=httpx2.Response, body=fields
                )
                outcome = read_completion(answer, redact)
        except Exception as error:  # one call's failure is a record, whatever it is
            outcome = classify(error, self.settings, redact)
        outcome.seconds = time.monotonic() - started
        return outcome

    def _fields(self, call: ChatCall) -> dict[str, Any]:
        limit = "max_completion_tokens" if self.state.renames_max_tokens else "max_tokens"
        fields: dict[str, Any] = {
            "model": self.settings.model,
            "messages": [message.model_dump() for message in call.messages],
            limit: call.max_tokens,
        }
        sampling = {"temperature": call.temperature, "top_p": call.top_p, "seed": call.seed}
        fields |= {name: value for name, value in sampling.items() if value is not None}
        if call.stop:
            fields["stop"] = list(call.stop)
        if call.response_format is not None:
            fields["response_format"] = dict(call.response_format)
        return {**fields, **self.settings.extra_body, **call.extra}

    def _record_usage(
        self, outcome: Attempt, call: ChatCall, worst: Tokens, cost: _CallCost
    ) -> Tokens:
        """Add what an attempt used to the usage and to its call; return what the budget is charged.

        If the server does not count, the cost is an estimate and the charge the worst case.
        """
        usage = self.state.usage
        usage.attempts += 1
        if outcome.failure is not None:
            kind = outcome.failure.kind
            usage.failures[kind] = usage.failures.get(kind, 0) + 1
        prompt, completion = outcome.prompt_tokens, outcome.completion_tokens
        used = charged = Tokens(prompt or 0, completion or 0)
        if outcome.billable and (prompt is None or completion is None):
            usage.uncounted += 1
            cost.estimated = True
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
        usage.money += self.state.account.price(used)
        cost.tokens = cost.tokens.plus(used)
        cost.seconds += outcome.seconds
        return charged

    def _result(self, outcome: Attempt, cost: _CallCost) -> ChatResult:
        """Turn an attempt into a result, with the cost of all attempts before it."""
        if outcome.failure is not None and outcome.fatal:
            raise EndpointError(outcome.failure.message)
        return ChatResult(
            text=outcome.text,
            refusal=outcome.refusal,
            finish_reason=outcome.finish_reason,
            prompt_tokens=outcome.prompt_tokens,
            completion_tokens=outcome.completion_tokens,
            cost=Cost(
                prompt_tokens=cost.tokens.prompt,
                completion_tokens=cost.tokens.completion,
                money=self.state.account.price(cost.tokens),
                seconds=round(cost.seconds, 6),
            ),
            estimated=cost.estimated,
            attempts=cost.attempts,
            accepted=outcome.accepted,
            error=outcome.failure,
        )

    async def _wait_for_gate(self) -> None:
        """Wait until the server's last ``Retry-After`` has passed."""
        while (wait := self.state.open_at - time.monotonic()) > 0:
            # Spread the restart, so that the workers do not all send in the same millisecond.
            await asyncio.sleep(wait + self.state.jitter.uniform(0, min(1.0, 0.1 * wait)))

    def _hold_back(self, outcome: Attempt) -> None:
        """Hold back every call for as long as the server asks for, up to ``max_wait_s``."""
        wait = outcome.retry_after
        if wait is None:
            return
        if wait > self.settings.max_wait_s:
            raise EndpointError(
                f"{self.settings.base_url} asks to wait {wait:.0f} s (Retry-After), longer than"
                f" max_wait_s ({self.settings.max_wait_s:g} s); what was done is kept: run the same"
                " command again after that, or raise max_wait_s"
            )
        self.state.open_at = max(self.state.open_at, time.monotonic() + wait)

    async def _back_off(self, attempts: int) -> None:
        """Wait before the next attempt; the gate adds what the server asks for."""
        longest = self.settings.backoff_s * 2 ** min(attempts - 1, 30)
        await asyncio.sleep(self.state.jitter.uniform(0, min(self.settings.max_wait_s, longest)))
