"""The rubric judge: a language model behind any OpenAI-compatible endpoint grades by a rubric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from harness.endpoint import ChatCall, ChatResult
from harness.records import Cost, Dimension, JudgeItem, Judgement, Message
from harness.text.refusals import Refusals
from harness.util.digest import derived_seed
from judges.llm import parsing, prompts
from judges.llm.endpoint_judge import EndpointJudge
from judges.llm.rubric_file import Criterion, RubricFile, load_rubric, schema
from judges.llm.structured_output import Level

UNPARSED = "no valid verdict in the answer"
"""Why there is no value, where a text holds none."""


class RubricCall(NamedTuple):
    """One call: the dimensions of one item that show the same texts.

    Attributes:
        shown: The texts as the model may quote them.
    """

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
        available = prompts.texts_of(item)
        for show, criteria in rubric.groups:
            if any(available[name] is None for name in rubric.required(show)):
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
        temperature: Of the judge; null leaves it out, for models that refuse the field.
        max_tokens: Of the verdict with its reasons.
        max_characters: Of one shown text; the middle of a longer one is left out.
        structured: Start at this level: ``json_schema``, ``json_object_schema`` (llama.cpp's way),
            ``json_object`` or ``text``.
        allow_self_judging: Let an endpoint's model judge its own answers.
        endpoint: ``model``, ``base_url``, ``revision``, ``api_key_env``, ``concurrency``,
            ``timeout_s``, ``max_retries``, ``prices``, ``budget``; see ``EndpointSettings``.

    Attributes:
        client: The client, with what it used so far.
        level: How the endpoint is held to JSON; None before it is known.

    Raises:
        ConfigError: The rubric cannot be read.
        EndpointError: The endpoint needs a key and none is set.
        ValueError: An option does not fit.
    """

    def __init__(
        self,
        rubric: str,
        dimensions: Sequence[str] | None = None,
        temperature: float | None = 0.0,
        max_tokens: int = 512,
        max_characters: int = prompts.MAX_CHARACTERS,
        structured: Level = "json_schema",
        allow_self_judging: bool = False,
        **endpoint: Any,
    ) -> None:
        written = load_rubric(rubric)
        super().__init__(
            "",
            written if dimensions is None else written.only(dimensions),
            {
                "temperature": temperature,
                "max_tokens": max_tokens,
                "max_characters": max_characters,
                "structured": structured,
                "allow_self_judging": allow_self_judging,
            },
            endpoint,
        )
        self.dimensions: Sequence[Dimension] = tuple(
            self.rubric.dimension(criterion) for criterion in self.rubric.dimensions
        )

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item on every dimension it has the needs for, as answers come in.

        Raises:
            EndpointError: The endpoint refuses the key, lacks the model or cannot be reached.
            BudgetExceeded: The budget does not cover the next call.
        """
        todo = asks(self.rubric, items, self._prompt_settings.max_characters)

        def call(index: int, level: Level) -> ChatCall:
            ask = todo[index]
            seed = derived_seed(ask.seed, "judge") % 2**31
            return self._call(ask.messages, level, schema(ask.criteria), self.rubric.name, seed)

        for index, result in self._chat.chat(len(todo), call):
            yield from self._read(todo[index], result)

    def _read(self, ask: RubricCall, result: ChatResult) -> Iterator[Judgement]:
        if result.text is not None:
            yield from judgements(
                ask, result.text, result.cost, self._refusals, result.finish_reason
            )
        else:
            yield from failed(ask.item, [c.name for c in ask.criteria], result)


def failed(item: int, dimensions: Sequence[str], result: ChatResult) -> Iterator[Judgement]:
    """Yield judgements for a call that brought no text; the first has the cost."""
    error = result.error
    for position, dimension in enumerate(dimensions):
        yield Judgement(
            item=item,
            dimension=dimension,
            value=None,
            status="error" if error else "refused",
            reason=f"{error.kind}: {error.message}" if error else result.refusal,
            raw=None if error else result.refusal,
            transient=error.transient if error else False,
            cost=None if position else result.cost,
        )
