"""A budget that is never exceeded: every attempt reserves its worst case before it is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.endpoint.settings import ChatCall, EndpointSettings

BYTES_PER_TOKEN = 4
"""For estimates when the server does not count; English has about as many."""

_PER_MESSAGE, _PER_CALL = 16, 32
"""Tokens that a chat template may add."""


class Tokens(NamedTuple):
    """Tokens of prompts and of completions."""

    prompt: int = 0
    completion: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """Return the sum of both kinds."""
        return Tokens(self.prompt + other.prompt, self.completion + other.completion)

    def minus(self, other: Tokens) -> Tokens:
        """Return the difference of both kinds."""
        return Tokens(self.prompt - other.prompt, self.completion - other.completion)


def worst_case(call: ChatCall, extra_body: Mapping[str, Any] | None = None) -> Tokens:
    """Return the most that one attempt may cost.

    No tokenizer makes more tokens of a text than the text has bytes in UTF-8: Chinese, emoji, code
    and digits come near it, English stays far below. A schema is charged as part of the prompt, and
    so is every further field, such as a list of tools.
    """
    sent = sum(_PER_MESSAGE + _size(message.content) for message in call.messages)
    if call.response_format is not None:
        sent += _size(json.dumps(dict(call.response_format), ensure_ascii=False))
    if further := {**(extra_body or {}), **call.extra}:
        sent += _size(json.dumps(further, ensure_ascii=False, default=str))
    return Tokens(sent + _PER_CALL, call.max_tokens)


def estimate(call: ChatCall, answer: str) -> Tokens:
    """Estimate what an attempt has cost whose tokens the server did not count."""
    sent = sum(_size(message.content) for message in call.messages)
    return Tokens(-(-sent // BYTES_PER_TOKEN), -(-_size(answer) // BYTES_PER_TOKEN))


class Account:
    """What counts against the budget so far, over all calls of a client.

    That is what the server counted, and the worst case where it did not count.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.spent = Tokens()

    def price(self, tokens: Tokens) -> float:
        """Return the money for tokens at the configured prices."""
        prices = self.settings.prices
        return (tokens.prompt * prices.prompt + tokens.completion * prices.completion) / 1e6

    def covers(self, further: Tokens) -> bool:
        """Return whether the budget covers further tokens."""
        budget, total = self.settings.budget, self.spent.plus(further)
        if budget.tokens is not None and sum(total) > budget.tokens:
            return False
        return budget.money is None or self.price(total) <= budget.money

    def shortage(self, worst: Tokens) -> str:
        """Build the line that says why the next call is not made, and what to do."""
        budget = self.settings.budget
        limits = [
            f"{value:g} {name}"
            for name, value in (("money", budget.money), ("tokens", budget.tokens))
            if value is not None
        ]
        line = (
            f"the budget of {self.settings.model} ({', '.join(limits)}) does not cover the next"
            f" call, which may take up to {self._amount(worst)}:"
        )
        if sum(self.spent) == 0:
            return f"{line} nothing is spent yet, so raise the budget"
        return (
            f"{line} {self._amount(self.spent)} are spent; what was done is kept: run the same"
            " command again to go on with a fresh budget"
        )

    def _amount(self, tokens: Tokens) -> str:
        priced = self.settings.budget.money is not None
        return f"{sum(tokens)} tokens" + (f" ({self.price(tokens):.4f} money)" if priced else "")


class Reservations:
    """Reserves budget for the attempts of one event loop, first come, first served.

    Attributes:
        held: Sum of the open reservations.
        under_way: Number of open reservations.
        exhausted: The worst case that the budget did not cover, or None.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.held = Tokens()
        self.under_way = 0
        self.exhausted: Tokens | None = None
        # Only one attempt waits at a time: a later, cheaper one must not overtake it. Otherwise a
        # budget could end with one call of each of many pairs paid for, which is of no use.
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    async def reserve(self, worst: Tokens) -> bool:
        """Reserve the worst case, waiting for attempts under way; False if the budget is exhausted."""
        async with self._turn:
            while self.exhausted is None and not self.account.covers(self.held.plus(worst)):
                if self.under_way == 0:
                    self.exhausted = worst
                    break
                self._changed.clear()
                await self._changed.wait()
            if self.exhausted is not None:
                return False
            self.held = self.held.plus(worst)
            self.under_way += 1
            return True

    def settle(self, worst: Tokens, spent: Tokens) -> None:
        """Replace a reservation by what the attempt really took."""
        self.held = self.held.minus(worst)
        self.under_way -= 1
        self.account.spent = self.account.spent.plus(spent)
        self._changed.set()


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
