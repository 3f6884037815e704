"""The rubric judge: a language model behind any OpenAI-compatible endpoint grades by a rubric."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from harness.digest import derived_seed, digest
from harness.records import Cost, Dimension, JudgeItem, Judgement, Message
from harness.transport import ChatCall, ChatResult, Transport, endpoint_settings
from judges import parsing, prompts
from judges.calibration_records import Calibrated
from judges.refusals import Refusals
from judges.rubrics import Criterion, RubricFile, load_rubric, schema
from judges.structured import LEVELS, Level, StructuredChat, response_format


class Ask(NamedTuple):
    """One call: the dimensions of one item that show the same texts."""

    item: int
    criteria: tuple[Criterion, ...]
    messages: tuple[Message, ...]
    seed: int


def asks(
    rubric: RubricFile, items: Sequence[JudgeItem], limit: int = prompts.MAX_CHARACTERS
) -> list[Ask]:
    """What is to be asked about the items; dimensions whose needs an item lacks are left out."""
    found = []
    for index, item in enumerate(items):
        for show, criteria in rubric.groups:
            if any(getattr(item, name) is None for name in rubric.required(show)):
                continue
            messages = prompts.rubric_messages(
                rubric, criteria, prompts.shown_texts(item, show), limit
            )
            found.append(Ask(index, criteria, messages, item.seed))
    return found


def judgements(ask: Ask, text: str, cost: Cost | None, refusals: Refusals) -> Iterator[Judgement]:
    """What a model's text says on each dimension of an ask; the cost stands with the first."""
    found = parsing.verdicts(text, {c.name: c.steps for c in ask.criteria})
    declined = None if found else refusals.found(parsing.own_turn(text))
    for position, criterion in enumerate(ask.criteria):
        verdict = found.get(criterion.name)
        yield Judgement(
            item=ask.item,
            dimension=criterion.name,
            value=None if verdict is None else float(verdict.score),
            status="scored" if verdict else "refused" if declined else "unparsed",
            reason=verdict.reason if verdict else declined or "no valid verdict in the answer",
            raw=text,
            cost=None if position else cost,
        )


class Rubric(Calibrated):
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
        transport: The client, with what it used so far.

    Raises:
        ConfigError: The rubric cannot be read.
        EndpointError: The endpoint needs a key and none is set.
        ValueError: An option does not fit.
    """

    llm = True

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
        if structured not in LEVELS:
            raise ValueError(f"structured must be one of {', '.join(LEVELS)}, not {structured!r}")
        if max_tokens < 1 or max_characters < 100:
            raise ValueError("max_tokens must be at least 1 and max_characters at least 100")
        self.rubric = load_rubric(rubric)
        if dimensions is not None:
            self.rubric = self.rubric.only(dimensions)
        self.allow_self_judging = allow_self_judging
        settings = endpoint_settings(endpoint)
        self.transport = Transport(settings)
        self._chat = StructuredChat(self.transport, structured)
        self._refusals = Refusals(similarity=None)
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._max_characters = max_characters
        self.durable = settings.durable
        self.fingerprint = settings.fingerprint
        self.dimensions: Sequence[Dimension] = tuple(
            self.rubric.dimension(criterion) for criterion in self.rubric.dimensions
        )
        decides = [
            settings.fingerprint,
            temperature,
            max_tokens,
            max_characters,
            structured,
            prompts.PROMPT_VERSION,
        ]
        self.version = (
            f"{self.rubric.label}, {settings.model}@{settings.revision or 'undeclared'},"
            f" settings {digest(decides)[:8]}"
        )

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Grade every item on every dimension it has the needs for, as answers come in.

        Raises:
            EndpointError: The endpoint refuses the key, lacks the model or cannot be reached.
            BudgetExceeded: The budget does not cover the next call.
        """
        todo = asks(self.rubric, items, self._max_characters)
        for index, result in self._chat.chat(
            len(todo), lambda index, level: self._call(todo[index], level)
        ):
            yield from self._read(todo[index], result)

    def _call(self, ask: Ask, level: Level) -> ChatCall:
        return ChatCall(
            messages=ask.messages,
            max_tokens=self._max_tokens,
            temperature=self._temperature,
            # Some servers know no seed: it is sent only where it can matter.
            seed=derived_seed(ask.seed, "judge") % 2**31 if self._temperature else None,
            response_format=response_format(level, schema(ask.criteria), self.rubric.name),
        )

    def _read(self, ask: Ask, result: ChatResult) -> Iterator[Judgement]:
        if result.text is not None:
            yield from judgements(ask, result.text, result.cost, self._refusals)
        else:
            yield from failed(ask.item, [c.name for c in ask.criteria], result)


def failed(item: int, dimensions: Sequence[str], result: ChatResult) -> Iterator[Judgement]:
    """Judgements for a call that brought no text; the cost stands with the first."""
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
