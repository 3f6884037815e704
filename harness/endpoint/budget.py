"""A budget that is never passed: every attempt sets its worst case aside before it is sent."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from harness.endpoint.settings import ChatCall, EndpointSettings

BYTES_PER_TOKEN = 4
"""Of an estimate where the server does not count; English has about as many."""

_PER_MESSAGE, _PER_CALL = 16, 32
"""Tokens that a chat template may add."""


class Tokens(NamedTuple):
    """Tokens that go in and tokens that come out."""

    prompt: int = 0
    completion: int = 0

    def plus(self, other: Tokens) -> Tokens:
        """The sum of both kinds."""
        return Tokens(self.prompt + other.prompt, self.completion + other.completion)

    def minus(self, other: Tokens) -> Tokens:
        """The difference of both kinds."""
        return Tokens(self.prompt - other.prompt, self.completion - other.completion)


def worst_case(call: ChatCall, extra_body: Mapping[str, Any] | None = None) -> Tokens:
    """The most that one attempt may cost.

    No tokenizer makes more tokens of a text than the text has bytes in UTF-8: Chinese, emoji, code
    and digits come near it, English stays far below. A schema is charged as part of the prompt, and
    so is every further field: a list of tools is one.

    Args:
        call: What is asked.
        extra_body: The endpoint's further fields of every request.
    """
    sent = sum(_PER_MESSAGE + _size(message.content) for message in call.messages)
    if call.response_format is not None:
        sent += _size(json.dumps(dict(call.response_format), ensure_ascii=False))
    if further := {**(extra_body or {}), **call.extra}:
        sent += _size(json.dumps(further, ensure_ascii=False, default=str))
    return Tokens(sent + _PER_CALL, call.max_tokens)


def estimate(call: ChatCall, said: str) -> Tokens:
    """What an attempt has probably cost whose tokens the server did not count."""
    sent = sum(_size(message.content) for message in call.messages)
    return Tokens(-(-sent // BYTES_PER_TOKEN), -(-_size(said) // BYTES_PER_TOKEN))


class Account:
    """What counts against the budget so far, over all calls of a transport.

    What the server counted, and the worst case of what it may have charged without saying so.

    Args:
        settings: Prices and budget.
    """

    def __init__(self, settings: EndpointSettings) -> None:
        self.settings = settings
        self.spent = Tokens()

    def price(self, tokens: Tokens) -> float:
        """Money at the configured prices."""
        prices = self.settings.prices
        return (tokens.prompt * prices.prompt + tokens.completion * prices.completion) / 1e6

    def covers(self, further: Tokens) -> bool:
        """Whether the budget covers further tokens."""
        budget, total = self.settings.budget, self.spent.plus(further)
        if budget.tokens is not None and sum(total) > budget.tokens:
            return False
        return budget.money is None or self.price(total) <= budget.money

    def shortage(self, worst: Tokens) -> str:
        """One line that says why the next call is not asked, and what to do."""
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


class Purse:
    """Reserves for the attempts of one event loop, in the order in which they ask.

    Args:
        account: What was spent before; goes on with what is spent here.

    Attributes:
        exhausted: The attempt that was refused for want of money, or None.
    """

    def __init__(self, account: Account) -> None:
        self.account = account
        self.held = Tokens()
        self.under_way = 0
        self.exhausted: Tokens | None = None
        # One at a time may wait for cover: who comes later with less must not go before, or a
        # budget would end with one call of many a pair paid for, and none of them of use.
        self._turn = asyncio.Lock()
        self._changed = asyncio.Event()

    async def reserve(self, worst: Tokens) -> bool:
        """Set the worst case aside, waiting for attempts under way; False where nothing is left."""
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
        """Give a reservation back for what the attempt really took."""
        self.held = self.held.minus(worst)
        self.under_way -= 1
        self.account.spent = self.account.spent.plus(spent)
        self._changed.set()


def _size(text: str) -> int:
    return len(text.encode("utf-8", "surrogatepass"))
