"""The pairwise judge: which of two answers is better, asked in both orders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from harness.digest import digest
from harness.records import Cost, Dimension, JudgeItem, Judgement, Message
from harness.transport import ChatCall, ChatResult, Transport, endpoint_settings
from judges import parsing, prompts
from judges.calibration_records import Calibrated
from judges.refusals import Refusals
from judges.rubrics import RubricFile, load_rubric
from judges.structured import Level, StructuredChat, response_format

Order = Literal["first", "second"]

CHOICES = ("first", "second", "tie")
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "reason": {"type": "string"},
        "winner": {"type": "string", "enum": list(CHOICES)},
    },
    "required": ["reason", "winner"],
    "additionalProperties": False,
}

_OPPONENT: tuple[Literal["opponent"], ...] = ("opponent",)
DIMENSIONS = (
    Dimension(
        name="win",
        low=0.0,
        high=1.0,
        needs=_OPPONENT,
        description="1 preferred to the opponent's answer in both orders, 0 not, 0.5 a tie",
    ),
    Dimension(
        name="position_flip",
        low=0.0,
        high=1.0,
        higher_is_better=False,
        needs=_OPPONENT,
        description="1 where the verdict changed with the order of the two answers",
    ),
    Dimension(
        name="position_bias",
        low=-1.0,
        high=1.0,
        higher_is_better=None,
        needs=_OPPONENT,
        description="1 where the answer shown first was preferred both times, -1 the second",
    ),
)


class Showing(NamedTuple):
    """One of the two calls about an item: where the judged answer stands."""

    item: int
    order: Order
    messages: tuple[Message, ...]


class Reading(NamedTuple):
    """What one call said: a choice with its reason, or the judgement's fate without one."""

    winner: str | None
    status: Literal["scored", "unparsed", "refused", "error"]
    reason: str
    raw: str | None
    transient: bool
    cost: Cost


class Pairwise(Calibrated):
    """Which of two answers is better, asked in both orders; a verdict that flips is a tie.

    Args:
        rubric: The criteria: a shipped rubric by name, or a YAML file by its path.
        temperature: Of the judge; null leaves it out.
        max_tokens: Of the verdict with its reason.
        max_characters: Of one shown text.
        allow_self_judging: Let an endpoint's model judge its own answers.
        endpoint: As for the rubric judge: ``model``, ``base_url``, ``revision`` and so on.

    Raises:
        ConfigError: The rubric cannot be read.
        EndpointError: The endpoint needs a key and none is set.
        ValueError: An option does not fit.
    """

    llm = True
    dimensions: Sequence[Dimension] = DIMENSIONS

    def __init__(
        self,
        rubric: str,
        temperature: float | None = 0.0,
        max_tokens: int = 512,
        max_characters: int = prompts.MAX_CHARACTERS,
        allow_self_judging: bool = False,
        **endpoint: Any,
    ) -> None:
        self.rubric = load_rubric(rubric)
        self.allow_self_judging = allow_self_judging
        settings = endpoint_settings(endpoint)
        self.transport = Transport(settings)
        self._chat = StructuredChat(self.transport)
        self._refusals = Refusals(similarity=None)
        self._temperature = temperature
        self._max_tokens = max_tokens
        self._max_characters = max_characters
        self.durable = settings.durable
        self.fingerprint = settings.fingerprint
        decides = [
            settings.fingerprint,
            temperature,
            max_tokens,
            max_characters,
            prompts.PROMPT_VERSION,
        ]
        self.version = (
            f"pairwise {self.rubric.label}, {settings.model}@{settings.revision or 'undeclared'},"
            f" settings {digest(decides)[:8]}"
        )

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Compare every item's answer with its opponent's.

        Raises:
            EndpointError: The endpoint refuses the key, lacks the model or cannot be reached.
            BudgetExceeded: The budget does not cover the next call.
        """
        showings: list[Showing] = []
        for index, item in enumerate(items):
            if item.opponent_answer is None:
                continue
            if item.opponent_answer.strip() == item.answer.strip():
                yield from _verdict(
                    index, 0.5, 0.0, 0.0, "the two answers are the same", None, None
                )
                continue
            showings += self._showings(index, item)
        waiting: dict[int, dict[Order, Reading]] = {}
        for position, result in self._chat.chat(
            len(showings), lambda position, level: self._call(showings[position], level)
        ):
            showing = showings[position]
            both = waiting.setdefault(showing.item, {})
            both[showing.order] = self._read(result)
            if len(both) == 2:
                yield from combine(showing.item, waiting.pop(showing.item))

    def _showings(self, index: int, item: JudgeItem) -> Iterator[Showing]:
        texts = prompts.shown_texts(item, ("question",))
        for order in ("first", "second"):
            pair = (item.answer, item.opponent_answer or "")
            first, second = pair if order == "first" else pair[::-1]
            shown = {**texts, "answer_1": first, "answer_2": second}
            yield Showing(index, order, pair_messages(self.rubric, shown, self._max_characters))

    def _call(self, showing: Showing, level: Level) -> ChatCall:
        return ChatCall(
            messages=showing.messages,
            max_tokens=self._max_tokens,
            temperature=self._temperature,
            response_format=response_format(level, SCHEMA, "preference"),
        )

    def _read(self, result: ChatResult) -> Reading:
        if result.error is not None:
            error = result.error
            reason = f"{error.kind}: {error.message}"
            return Reading(None, "error", reason, None, error.transient, result.cost)
        if result.text is None:
            said = result.refusal or "refused"
            return Reading(None, "refused", said, said, False, result.cost)
        found = parsing.choice(result.text, "winner", CHOICES)
        if found is not None:
            return Reading(found[0], "scored", found[1], result.text, False, result.cost)
        declined = self._refusals.found(parsing.own_turn(result.text))
        status: Literal["refused", "unparsed"] = "refused" if declined else "unparsed"
        said = declined or "no valid verdict in the answer"
        return Reading(None, status, said, result.text, False, result.cost)


def pair_messages(rubric: RubricFile, texts: Mapping[str, str], limit: int) -> tuple[Message, ...]:
    """The conversation that asks which of two answers is better."""
    criteria = "\n".join(f"- {c.name}: {c.description}" for c in rubric.dimensions)
    form = json.dumps({"reason": "...", "winner": "..."})
    guidance = f"\n\n{rubric.guidance.strip()}" if rubric.guidance.strip() else ""
    system = (
        f"You are {rubric.role}. You compare two answers to the same question and say which is"
        f" better on the whole.\n\n{prompts.RULES} The order of the answers means nothing."
        f"{guidance}\n\nLook at:\n{criteria}\n\nAnswer with one JSON object and nothing after it:"
        " first the reason in one or two sentences, then the winner: first, second or tie:\n"
        f"{form}"
    )
    user = f"{prompts.sections(texts, limit)}\n\nWhich answer is better? Answer as JSON."
    return Message(role="system", content=system), Message(role="user", content=user)


def combine(item: int, readings: Mapping[Order, Reading]) -> Iterator[Judgement]:
    """One verdict out of the two orders; without both there is none."""
    first, second = readings["first"], readings["second"]
    cost = Cost(
        prompt_tokens=first.cost.prompt_tokens + second.cost.prompt_tokens,
        completion_tokens=first.cost.completion_tokens + second.cost.completion_tokens,
        money=first.cost.money + second.cost.money,
        seconds=first.cost.seconds + second.cost.seconds,
    )
    raw = json.dumps({"shown first": first.raw, "shown second": second.raw}, ensure_ascii=False)
    failed = next((reading for reading in (first, second) if reading.winner is None), None)
    if failed is not None:
        where = "first" if failed is first else "second"
        for position, dimension in enumerate(DIMENSIONS):
            yield Judgement(
                item=item,
                dimension=dimension.name,
                value=None,
                status=failed.status,
                reason=f"shown {where}: {failed.reason}",
                raw=raw,
                order="both",
                transient=first.transient or second.transient,
                cost=None if position else cost,
            )
        return
    # From the judged answer's side: 1 preferred, -1 the opponent, 0 a tie.
    when_first = {"first": 1, "second": -1, "tie": 0}[str(first.winner)]
    when_second = {"first": -1, "second": 1, "tie": 0}[str(second.winner)]
    same = when_first == when_second
    yield from _verdict(
        item,
        (1 + when_first) / 2 if same else 0.5,
        float(not same),
        (when_first - when_second) / 2,
        first.reason if same else f"shown first: {first.reason} | shown second: {second.reason}",
        raw,
        cost,
    )


def _verdict(
    item: int, win: float, flip: float, bias: float, reason: str, raw: str | None, cost: Cost | None
) -> Iterator[Judgement]:
    for position, (dimension, value) in enumerate(zip(DIMENSIONS, (win, flip, bias), strict=True)):
        yield Judgement(
            item=item,
            dimension=dimension.name,
            value=value,
            reason=reason,
            raw=raw,
            order="both",
            cost=None if position else cost,
        )
