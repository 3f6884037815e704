"""The rubric judge: a language model behind any OpenAI-compatible endpoint grades by a rubric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from harness.endpoint import ChatCall
from harness.records import Cost, Dimension, Failure, JudgeItem, Judgement, Message
from harness.text.refusals import Refusals
from harness.util.digest import derived_seed
from judges.llm import parsing, prompts
from judges.llm.endpoint_judge import EndpointJudge
from judges.llm.rubric_file import Criterion, RubricFile, load_rubric, schema
from judges.llm.structured_output import Level, response_format

UNPARSED = "no valid verdict in the answer"
"""Why there is no value, where a text holds none."""


class RubricCall(NamedTuple):
    """One call: the dimensions of one item that show the same texts; ``shown``: as it may quote them."""

    item: int
    criteria: tuple[Criterion, ...]
    messages: tuple[Message, ...]
    seed: int
    shown: tuple[str, ...]


def asks(
    rubric: RubricFile, items: Sequence[JudgeItem], limit: int = prompts.MAX_CHARACTERS
) -> list[RubricCall]:
    """Plan the calls about the items; dimensions whose needs an item lacks are left out."""
    calls = []
    for index, item in enumerate(items):
        for show, criteria in rubric.groups:
            if not prompts.shows_all(item, rubric.required(show)):
                continue
            texts = prompts.shown_texts(item, show)
            messages = prompts.rubric_messages(rubric, criteria, texts, limit)
            quotable = prompts.quotable(texts, limit)
            calls.append(RubricCall(index, criteria, messages, item.seed, quotable))
    return calls


def judgements(
    ask: RubricCall, text: str, cost: Cost | None, refusals: Refusals, finish_reason: str = "stop"
) -> Iterator[Judgement]:
    """Yield what a model's text says on each dimension of a call; the first has the cost."""
    scales = {c.name: c.steps for c in ask.criteria}
    verdicts = parsing.verdicts(text, scales, ask.shown, finish_reason)
    declined = None if verdicts else refusals.evidence(parsing.own_turn(text, ask.shown))
    for position, criterion in enumerate(ask.criteria):
        verdict = verdicts.get(criterion.name)
        yield Judgement(
            item=ask.item,
            dimension=criterion.name,
            value=None if verdict is None else float(verdict.score),
            status="scored" if verdict else "refused" if declined else "unparsed",
            reason=verdict.reason if verdict else declined or unparsed(finish_reason),
            raw=text,
            cost=None if position else cost,
        )


def unparsed(finish_reason: str) -> str:
    """Say why a text gave no verdict."""
    return UNPARSED + (", which max_tokens cut off" if finish_reason == "length" else "")


class Rubric(EndpointJudge):
    """A language model behind any OpenAI-compatible endpoint grades by a written rubric.

    Args:
        rubric: A shipped rubric by name, or a YAML file of your own by its path.
        dimensions: Only these of its dimensions; all by default.
        options: As for ``EndpointJudge``: how it asks, and its endpoint.

    Raises:
        ConfigError: The rubric cannot be read.
        EndpointError: The endpoint needs a key and none is set.
        ValueError: An option does not fit.
    """

    def __init__(
        self, rubric: str, dimensions: Sequence[str] | None = None, **options: Any
    ) -> None:
        super().__init__("", load_rubric(rubric, dimensions), options)
        self.dimensions: Sequence[Dimension] = self.rubric.graded

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item on every dimension it has the needs for, as answers come in.

        Raises:
            EndpointError: The endpoint refuses the key, lacks the model or cannot be reached.
            BudgetExceeded: The budget does not cover the next call.
        """
        todo = asks(self.rubric, items, self._prompt_settings.max_characters)

        def call(index: int, level: Level) -> ChatCall:
            ask = todo[index]
            form = response_format(level, schema(ask.criteria), self.rubric.name)
            return self._call(ask.messages, form, derived_seed(ask.seed, "judge") % 2**31)

        for index, result in self._chat.chat(len(todo), call):
            ask, text, cost = todo[index], result.text, result.cost
            if text is not None:
                yield from judgements(ask, text, cost, self._refusals, result.finish_reason)
                continue
            for position, criterion in enumerate(ask.criteria):
                yield failed(
                    ask.item, criterion, result.error, result.refusal, None if position else cost
                )


def failed(
    item: int,
    criterion: Criterion,
    error: Failure | None,
    refusal: str | None = None,
    cost: Cost | None = None,
) -> Judgement:
    """Return the judgement of a call that brought no text, but an error or a refusal."""
    return Judgement(
        item=item,
        dimension=criterion.name,
        value=None,
        status="error" if error else "refused",
        reason=f"{error.kind}: {error.message}" if error else refusal,
        raw=None if error else refusal,
        transient=bool(error and error.transient),
        cost=cost,
    )
