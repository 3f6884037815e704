"""How an endpoint can be held to JSON: by a schema, by JSON mode, or by asking nicely.

A schema is sent as OpenAI takes it, else as llama.cpp does. Found out by asking once, with the
first item, and remembered for the run. An endpoint that ignores the request is not noticed here and
need not be: verdicts are validated all the same.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal

from harness.transport import ChatCall, ChatResult, Transport

Level = Literal["json_schema", "json_object_schema", "json_object", "text"]
PROBES = 3
"""Items asked one by one while nothing is known; then plain text is taken."""

LEVELS: tuple[Level, ...] = ("json_schema", "json_object_schema", "json_object", "text")


def response_format(level: Level, schema: dict[str, Any], name: str) -> dict[str, Any] | None:
    """The ``response_format`` field of the API for a level."""
    if level == "json_schema":
        return {
            "type": "json_schema",
            "json_schema": {"name": name, "schema": schema, "strict": True},
        }
    if level == "json_object_schema":  # llama-cpp-python and its like know no type json_schema
        return {"type": "json_object", "schema": schema}
    return {"type": "json_object"} if level == "json_object" else None


class StructuredChat:
    """Sends calls at the strictest level that the endpoint takes.

    Args:
        transport: The endpoint.
        level: Start here; ``json_schema`` by default.

    Attributes:
        level: What the endpoint takes, as far as is known.
        known: Whether it has been found out.
    """

    def __init__(self, transport: Transport, level: Level = "json_schema") -> None:
        self.transport = transport
        self.level: Level = level
        self.known = level == "text"

    def chat(
        self, count: int, make: Callable[[int, Level], ChatCall]
    ) -> Iterator[tuple[int, ChatResult]]:
        """Ask ``count`` calls; yields (index, result) as they finish, each index once.

        Args:
            count: How many.
            make: Builds the call of an index at a level.

        Raises:
            EndpointError, BudgetExceeded: See ``Transport.chat``.
        """
        first = 0
        while first < count and not self.known:
            if first == PROBES:
                self.level = "text"  # every endpoint takes this; nothing better is known
                break
            yield first, self._find_out(functools.partial(make, first))
            first += 1
        calls: Sequence[ChatCall] = [make(index, self.level) for index in range(first, count)]
        for index, result in self.transport.chat(calls):
            yield first + index, result

    def _find_out(self, make: Callable[[Level], ChatCall]) -> ChatResult:
        """The first item's answer, at the strictest level that gives one."""
        rejected: list[ChatResult] = []
        for level in LEVELS[LEVELS.index(self.level) :]:
            ((_, result),) = self.transport.chat([make(level)])
            if result.error is None:
                self.level, self.known = level, True
                return result
            if result.error.kind != "bad_request":
                return result  # says nothing about formats: the next call finds out
            rejected.append(result)
        return rejected[-1]  # not a question of formats
