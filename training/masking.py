"""Token ids and labels of training examples: only responses are learned from.

Rendering and encoding are those of :mod:`harness.models.prompting`, so the model learns to continue
the same tokens that evaluation gives it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.errors import ConfigError, DataError
from harness.models.prompting import Renderer, encode, encode_example
from harness.records import Message, Sample

IGNORED = -100
"""The label that the loss leaves out."""

_GAP = " … "


@dataclass(frozen=True)
class MaskedRow:
    """One sequence for the model; ``labels`` is ``input_ids`` with the prompts masked by −100."""

    input_ids: list[int]
    labels: list[int]


@dataclass
class EncodingCounts:
    """Counts of encoded and cut examples, for the log.

    Attributes:
        examples: Responses to learn from (one for every assistant turn).
        rows: Sequences made from them.
        tokens: Tokens in all rows.
        response_tokens: Tokens that are learned from.
        responses_cut: Responses shortened at their end; they have no end-of-turn.
        prompts_cut: Prompts shortened in their middle, or by their oldest turns.
        dropped: Examples whose template and system prompt leave no room for a response.
    """

    examples: int = 0
    rows: int = 0
    tokens: int = 0
    response_tokens: int = 0
    responses_cut: int = 0
    prompts_cut: int = 0
    dropped: int = 0


def turns(sample: Sample, which: str = "all") -> Iterator[tuple[tuple[Message, ...], str]]:
    """Yield ``all`` responses of a sample or the ``last``, each with the conversation before it.

    Raises:
        DataError: The sample has no response.
    """
    if sample.reference is None:
        raise DataError(
            f"sample {sample.id}: no response to learn from (prompt begins"
            f" {sample.prompt[:60]!r}); give every training row a response"
        )
    if which == "all":
        for index, message in enumerate(sample.messages):
            answers = index > 0 and sample.messages[index - 1].role == "user"
            if message.role == "assistant" and answers and message.content.strip():
                yield sample.messages[:index], message.content
    yield sample.messages, sample.reference


def encode_samples(
    samples: Sequence[Sample], renderer: Renderer, max_length: int, which: str = "all"
) -> tuple[list[MaskedRow], EncodingCounts]:
    """Encode samples into rows of at most ``max_length`` tokens, and count what is cut.

    Turns of one conversation share a row where the template renders a longer conversation as a
    continuation of the shorter one; otherwise each has a separate row.

    Raises:
        DataError: A sample without a response.
        ConfigError: Nothing is left to learn from.
    """
    rows: list[MaskedRow] = []
    counts = EncodingCounts()
    for sample in samples:
        rows += _conversation(sample, renderer, max_length, which, counts)
    if not rows:
        raise ConfigError(
            f"max_length {max_length} leaves no room for a response in any of {len(samples)}"
            " examples: the template and system prompt fill it; raise max_length"
        )
    counts.rows = len(rows)
    counts.tokens = sum(len(row.input_ids) for row in rows)
    counts.response_tokens = sum(label != IGNORED for row in rows for label in row.labels)
    return rows, counts


def _conversation(
    sample: Sample, renderer: Renderer, max_length: int, which: str, counts: EncodingCounts
) -> list[MaskedRow]:
    rows: list[MaskedRow] = []
    for messages, response in turns(sample, which):
        fitted = fit(messages, [response], renderer, max_length, counts)
        if fitted is None:
            continue
        before, [after] = fitted
        shared = rows[-1] if rows else MaskedRow([], [])
        if rows and before[: len(shared.input_ids)] == shared.input_ids:
            rows.pop()
        else:
            shared = MaskedRow([], [])
        masked = [IGNORED] * (len(before) - len(shared.input_ids))
        rows.append(MaskedRow(before + after, shared.labels + masked + after))
    return rows


def fit(
    messages: tuple[Message, ...],
    responses: Sequence[str],
    renderer: Renderer,
    max_length: int,
    counts: EncodingCounts,
) -> tuple[list[int], list[list[int]]] | None:
    """Encode a prompt and each response to it, so that every response fits after the prompt.

    At least half of the length (or the longest response, if that is shorter) is for the responses.
    A cut response has no end-of-turn: the model must not learn to stop there.

    Returns:
        The prompt's ids and each response's; None where the template leaves no room at all.
    """
    counts.examples += len(responses)
    rendered = [renderer.example(messages, response) for response in responses]
    encoded = [encode_example(renderer.tokenizer, *pair) for pair in rendered]
    before, afters = encoded[0][0], [after for _, after in encoded]
    longest = max(len(after) for after in afters)
    room = max_length - min(longest, max_length // 2)
    if len(before) + longest > max_length and len(before) > room:
        shortened = _shorten(messages, renderer, room)
        if shortened is None:
            counts.dropped += len(responses)
            return None
        before = shortened
        counts.prompts_cut += 1
    left = max_length - len(before)
    counts.responses_cut += sum(len(after) > left for after in afters)
    return before, [after[:left] for after in afters]


def _shorten(messages: tuple[Message, ...], renderer: Renderer, room: int) -> list[int] | None:
    """Shorten a prompt to ``room`` tokens in its full format: oldest turns first, then the middle.

    Returns:
        Its ids; None where the template and system prompt fill the room.
    """
    keep: int | None = None
    while True:
        ids = encode(renderer.tokenizer, renderer.prompt(messages))
        if len(ids) <= room:
            return ids
        first = 1 if messages[0].role == "system" else 0
        if len(messages) > first + 2:
            messages = messages[:first] + messages[first + 2 :]
            continue
        content_ids = _ids(messages[-1].content, renderer.tokenizer)
        # Never more than before: a cut inside a character can come back as more tokens.
        keep = min(len(content_ids), keep or len(content_ids)) - (len(ids) - room) - 4
        if keep < 2:
            return None
        head, tail = (
            renderer.tokenizer.decode(part)
            for part in (content_ids[: keep // 2], content_ids[keep // 2 - keep :])
        )
        content = f"{head.rstrip()}{_GAP}{tail.lstrip()}"
        messages = (*messages[:-1], Message(role="user", content=content))


def _ids(text: str, tokenizer: Any) -> list[int]:
    text = text.replace(_GAP, " ")
    return [int(i) for i in tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]]
