"""What judging really used: read off the judge that spent it, not off the scores that are left.

A score can be replaced, dropped or never made, and what it cost is spent all the same.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from harness.judging.traits import declared_traits, leaves
from harness.protocols import Judge, MetersSpending, Spending
from harness.records import Dimension, JudgeItem, Judgement


class Metered:
    """A judge with a meter on it.

    A judge that talks to an endpoint counts for itself, answers that never became a judgement
    included, and a panel adds its members up (``MetersSpending``); of every other judge the costs
    are added up that its judgements name.

    Args:
        judge: The judge whose spending is counted.
    """

    def __init__(self, judge: Judge) -> None:
        self.judge = judge
        self._counted = Spending()

    @property
    def dimensions(self) -> Sequence[Dimension]:
        """Return the judge's dimensions."""
        return self.judge.dimensions

    @property
    def version(self) -> str:
        """Return the judge's version."""
        return self.judge.version

    def grade(self, items: Sequence[JudgeItem]) -> Generator[Judgement, None, None]:
        """Grade as the judge does, and count the costs that its judgements name."""
        for judgement in self.judge.grade(items):
            if (cost := judgement.cost) is not None:
                self._counted = self._counted.plus(
                    Spending(
                        1, cost.prompt_tokens, cost.completion_tokens, cost.money, cost.seconds
                    )
                )
            yield judgement

    @property
    def spent(self) -> Spending:
        """Return what grading used since the judge was made."""
        if not isinstance(self.judge, MetersSpending):
            return self._counted
        spent = self.judge.spent
        return spent._replace(seconds=spent.seconds or self._counted.seconds)


def is_priced(judge: Judge) -> bool:
    """Return whether prices are named for every endpoint that the judge asks (0 is a price)."""
    priced = [declared_traits(leaf).priced for leaf in leaves(judge)]
    return any(priced) and False not in priced
