"""How an endpoint can be held to JSON: by a schema, by JSON mode, or by asking nicely.

A schema is sent as OpenAI takes it, else as llama.cpp does. Found out by asking once, with the
first item, and remembered for the run. Only a bad request speaks against a level: a busy server or
a slow one says nothing of what it takes. An endpoint that ignores the request is not noticed here
and need not be: verdicts are validated all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Literal

from harness.endpoint import ChatCall, ChatResult, EndpointClient, summed

Level = Literal["json_schema", "json_object_schema", "json_object", "text"]
PROBES = 3
"""Items asked one by one while nothing is known; then as many as go at a time.

As many that are a bad request at every level are no question of formats: plain text is taken then.
"""

LEVELS: tuple[Level, ...] = ("json_schema", "json_object_schema", "json_object", "text")


def response_format(level: Level, schema: dict[str, Any], name: str) -> dict[str, Any] | None:
    """Return the ``response_format`` field of the API for a level."""
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
        client: Sends the calls.
        level: Start here; ``json_schema`` by default.

    Attributes:
        level: What the endpoint takes, as far as is known.
        known: Whether it has been found out.
    """

    def __init__(self, client: EndpointClient, level: Level = "json_schema") -> None:
        self.client = client
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
            EndpointError, BudgetExceeded: See ``EndpointClient.chat``.
        """
        waiting = list(range(count))
        probed = hopeless = 0
        while waiting and not self.known:
            size = 1 if probed < PROBES else self.client.settings.concurrency
            batch, waiting = waiting[:size], waiting[size:]
            for index, result in self._find_out(batch, make):
                hopeless += result.error is not None and result.error.kind == "bad_request"
                yield index, result
            probed += len(batch)
            if not self.known and hopeless >= PROBES:
                self.level, self.known = "text", True
        calls: Sequence[ChatCall] = [make(index, self.level) for index in waiting]
        for index, result in self.client.chat(calls):
            yield waiting[index], result

    def _find_out(
        self, batch: Sequence[int], make: Callable[[int, Level], ChatCall]
    ) -> Iterator[tuple[int, ChatResult]]:
        """Yield answers of some items, each at the strictest level that does not reject it."""
        rejected: dict[int, ChatResult] = {}
        for level in LEVELS[LEVELS.index(self.level) :]:
            asked = [index for index in batch if level == self.level or index in rejected]
            before, rejected = rejected, {}
            for position, result in self.client.chat([make(index, level) for index in asked]):
                index = asked[position]
                if index in before:
                    costs = [before[index].cost, result.cost]
                    result = replace(result, cost=summed(costs))
                # A filter that refuses with a 400 has looked at the texts, and may come before the
                # server looks at the format.
                if result.error is None and result.accepted:
                    self.known = True
                    accepted = level
                if result.error is None or result.error.kind != "bad_request":
                    yield index, result
                else:
                    rejected[index] = result
            if self.known:
                self.level = accepted
                break
        # Rejected at every level, or where the same level answers others: no question of formats.
        yield from rejected.items()
