"""What judging really used: read off the judge that spent it, not off the scores that are left.

A score can be replaced, dropped or never made, and what it cost is spent all the same.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import Any, NamedTuple

from harness.judging.members import leaves
from harness.protocols import Judge
from harness.records import Dimension, JudgeItem, Judgement


class Spending(NamedTuple):
    """What was used, added up over calls.

    Attributes:
        seconds: Of the single calls, added up: several of them may have run at a time.
        uncounted: Attempts whose tokens the server did not count: they are estimates here.
    """

    calls: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    money: float = 0.0
    seconds: float = 0.0
    uncounted: int = 0

    def plus(self, other: Spending) -> Spending:
        """Both together."""
        return Spending._make(one + two for one, two in zip(self, other, strict=True))

    def minus(self, other: Spending) -> Spending:
        """What came since ``other``."""
        return Spending._make(one - two for one, two in zip(self, other, strict=True))


class Metered:
    """A judge with a meter on it.

    A judge that talks to an endpoint counts for itself (``transport.usage``), answers that never
    became a judgement included; a panel adds its members up (``spent``); of every other judge the
    costs are added up that its judgements name.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._told = Spending()

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """The judge's."""
        return self.judge.dimensions

    @property
    def version(self) -> str:
        """The judge's."""
        return self.judge.version

    def grade(self, items: Sequence[JudgeItem]) -> Generator[Judgement, None, None]:
        """Grade as the judge does."""
        for judgement in self.judge.grade(items):
            if judgement.cost is not None:
                cost = judgement.cost
                self._told = self._told.plus(
                    Spending(
                        1, cost.prompt_tokens, cost.completion_tokens, cost.money, cost.seconds
                    )
                )
            yield judgement

    @property
    def spent(self) -> Spending:
        """What grading used since the judge was made."""
        own: Any = getattr(self.judge, "spent", None)
        if isinstance(own, Spending):
            return own
        usage = getattr(getattr(self.judge, "transport", None), "usage", None)
        if usage is None:
            return self._told
        return Spending(
            usage.calls,
            usage.prompt_tokens,
            usage.completion_tokens,
            usage.money,
            self._told.seconds,
            usage.uncounted,
        )


def priced(judge: Judge) -> bool:
    """Whether prices are named for every endpoint that the judge asks (a price of 0 is one)."""
    endpoints = [leaf.transport.settings for leaf in leaves(judge) if hasattr(leaf, "transport")]
    return bool(endpoints) and all("prices" in known.model_fields_set for known in endpoints)
