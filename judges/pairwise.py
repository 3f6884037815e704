"""The pairwise judge: which of two answers is better, asked in both orders."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, NamedTuple

from harness.endpoint import ChatCall, ChatResult, summed
from harness.records import Cost, Dimension, JudgeItem, Judgement, Message, Need
from harness.util.digest import derived_seed
from judges.llm import parsing, prompts
from judges.llm.endpoint_judge import EndpointJudge
from judges.llm.rubric_file import RubricFile, load_rubric
from judges.llm.structured_output import Level, response_format
from judges.rubric import unparsed

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

DIMENSIONS = (
    Dimension(
        name="win",
        low=0.0,
        high=1.0,
        needs=("opponent",),
        description="1 preferred to the opponent's answer in both orders, 0 not, 0.5 a tie",
    ),
    Dimension(
        name="position_flip",
        low=0.0,
        high=1.0,
        higher_is_better=False,
        needs=("opponent",),
        description="1 where the verdict changed with the order of the two answers",
    ),
    Dimension(
        name="position_bias",
        low=-1.0,
        high=1.0,
        higher_is_better=None,
        needs=("opponent",),
        description="1 where the answer shown first was preferred both times, -1 the second",
    ),
)


class PairwiseCall(NamedTuple):
    """One of the two calls about an item: where the judged answer stands."""

    item: int
    order: Order
    messages: tuple[Message, ...]
    seed: int
    shown: tuple[str, ...]


class PairwiseReading(NamedTuple):
    """What one call said: a choice with its reason, or the judgement's fate without one."""

    winner: str | None
    status: Literal["scored", "unparsed", "refused", "error"]
    reason: str
    raw: str | None
    transient: bool
    cost: Cost


class Pairwise(EndpointJudge):
    """Which of two answers is better, asked in both orders; a verdict that flips is a tie.

    Shown beside the two answers is what the rubric shows on any of its dimensions, where an item
    has it; but not the answer to the original prompt, which comes from one of the two authors.

    Args:
        rubric: The criteria: a shipped rubric by name, or a YAML file by its path.
        options: As for ``EndpointJudge``: how it asks, and its endpoint.

    Raises:
        ConfigError: The rubric cannot be read.
        EndpointError: The endpoint needs a key and none is set.
        ValueError: An option does not fit.
    """

    def __init__(self, rubric: str, **options: Any) -> None:
        super().__init__("pairwise ", load_rubric(rubric), options)
        self._show = [t for t in self.rubric.texts if t not in ("answer", "original_answer")]
        self._needs_reference = "reference" in self.rubric.required(self.rubric.show)
        needs: tuple[Need, ...] = ("opponent", *(("reference",) if self._needs_reference else ()))
        self.dimensions: Sequence[Dimension] = tuple(
            dimension.model_copy(update={"needs": needs}) for dimension in DIMENSIONS
        )

    def grade(self, items: Sequence[JudgeItem]) -> Iterator[Judgement]:
        """Compare every item's answer with its opponent's.

        Raises:
            EndpointError: The endpoint refuses the key, lacks the model or cannot be reached.
            BudgetExceeded: The budget does not cover the next call.
        """
        calls: list[PairwiseCall] = []
        for index, item in enumerate(items):
            if item.opponent_answer is None or (self._needs_reference and item.reference is None):
                continue
            if item.opponent_answer.strip() == item.answer.strip():
                yield from _verdict(index, (0.5, 0.0, 0.0), reason="the two answers are the same")
                continue
            calls += self._calls(index, item)
        waiting: dict[int, dict[Order, PairwiseReading]] = {}

        def build(position: int, level: Level) -> ChatCall:
            call = calls[position]
            return self._call(
                call.messages, response_format(level, SCHEMA, "preference"), call.seed
            )

        # The two calls of a pair are asked next to each other: where a budget ends or an endpoint
        # goes away, no pair is half done but those under way.
        for position, result in self._chat.chat(len(calls), build):
            call = calls[position]
            both = waiting.setdefault(call.item, {})
            both[call.order] = self._read(call, result)
            if len(both) == 2:
                yield from combine(call.item, waiting.pop(call.item))

    def _calls(self, index: int, item: JudgeItem) -> Iterator[PairwiseCall]:
        texts = prompts.shown_texts(item, self._show)
        limit = self._prompt_settings.max_characters
        for order in ("first", "second"):
            pair = (item.answer, item.opponent_answer or "")
            first, second = pair if order == "first" else pair[::-1]
            shown = {**texts, "answer_1": first, "answer_2": second}
            yield PairwiseCall(
                index,
                order,
                pair_messages(self.rubric, shown, limit),
                derived_seed(item.seed, "judge", order) % 2**31,
                prompts.quotable(shown, limit),
            )

    def _read(self, call: PairwiseCall, result: ChatResult) -> PairwiseReading:
        if (error := result.error) is not None:
            reason = f"{error.kind}: {error.message}"
            return PairwiseReading(None, "error", reason, None, error.transient, result.cost)
        if result.text is None:
            refusal = result.refusal or "refused"
            return PairwiseReading(None, "refused", refusal, refusal, False, result.cost)
        choice = parsing.choice(result.text, "winner", CHOICES, call.shown, result.finish_reason)
        if choice is not None:
            return PairwiseReading(choice[0], "scored", choice[1], result.text, False, result.cost)
        declined = self._refusals.evidence(parsing.own_turn(result.text, call.shown))
        status: Literal["refused", "unparsed"] = "refused" if declined else "unparsed"
        reason = declined or unparsed(result.finish_reason)
        return PairwiseReading(None, status, reason, result.text, False, result.cost)


def pair_messages(rubric: RubricFile, texts: Mapping[str, str], limit: int) -> tuple[Message, ...]:
    """Build the conversation that asks which of two answers is better."""
    criteria = "\n".join(f"- {c.name}: {c.description}" for c in rubric.dimensions)
    return prompts.conversation(
        rubric,
        "You compare two answers to the same question and say which is better on the whole.\n\n"
        f"{prompts.RULES} The order of the answers means nothing.",
        f"Look at:\n{criteria}\n\nAnswer with one JSON object and nothing after it:"
        " first the reason in one or two sentences, then the winner: first, second or tie:\n"
        '{"reason": "...", "winner": "..."}',
        f"{prompts.sections(texts, limit)}\n\nWhich answer is better? Answer as JSON.",
    )


def combine(item: int, readings: Mapping[Order, PairwiseReading]) -> Iterator[Judgement]:
    """Combine the two orders into one verdict; without both there is none."""
    first, second = readings["first"], readings["second"]
    cost = summed([first.cost, second.cost])
    raw = json.dumps({"shown first": first.raw, "shown second": second.raw}, ensure_ascii=False)
    failed = next((reading for reading in (first, second) if reading.winner is None), None)
    if failed is not None:
        where = "first" if failed is first else "second"
        yield from _verdict(
            item,
            (None, None, None),
            cost,
            status=failed.status,
            reason=f"shown {where}: {failed.reason}",
            raw=raw,
            transient=first.transient or second.transient,
        )
        return
    # From the judged answer's side: 1 preferred, -1 the opponent, 0 a tie.
    when_first = {"first": 1, "second": -1, "tie": 0}[str(first.winner)]
    when_second = {"first": -1, "second": 1, "tie": 0}[str(second.winner)]
    same = when_first == when_second
    values = (
        (1 + when_first) / 2 if same else 0.5,
        float(not same),
        (when_first - when_second) / 2,
    )
    both = f"shown first: {first.reason} | shown second: {second.reason}"
    yield from _verdict(item, values, cost, reason=first.reason if same else both, raw=raw)


def _verdict(
    item: int, values: Sequence[float | None], cost: Cost | None = None, **common: Any
) -> Iterator[Judgement]:
    """Yield the values of ``DIMENSIONS``, in their order; the cost goes with the first."""
    for position, (dimension, value) in enumerate(zip(DIMENSIONS, values, strict=True)):
        yield Judgement(
            item=item,
            dimension=dimension.name,
            value=value,
            order="both",
            cost=None if position else cost,
            **common,
        )
