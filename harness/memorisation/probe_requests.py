"""What is asked of a subject for each probe, and how its reply becomes a record."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.config import ProbesSection
from harness.memorisation import copying, membership
from harness.memorisation.canaries import Canary, candidates
from harness.memorisation.nearest import Nearest, ResponseIndex
from harness.memorisation.own_rows import own_rows
from harness.memorisation.prompt_choice import Item
from harness.models.prompting import Renderer
from harness.records import (
    Completion,
    Failure,
    GenerationSettings,
    Message,
    Probe,
    Request,
    Sample,
    Scored,
    TokenLogprobs,
)
from harness.util.digest import digest

VERSION = 2
"""Raise it whenever the same reply would be scored otherwise."""


@dataclass(frozen=True)
class Ask:
    """One reply that is wanted.

    Attributes:
        blank: The record, still without its reply; it may hold the reason why none is possible.
        request: What is asked of the model: an answer, a rating, or nothing.
        against: What the reply is compared with.
        content: Digest of all that decides the reply, for the cache.
    """

    blank: Probe
    request: Request | Scored | None
    against: str
    content: str = ""


@dataclass
class Training:
    """The training rows as answers are compared with them.

    Attributes:
        samples: Every row.
        items: What is probed.
        index: The rows' responses.
        rows_of: An answer's own rows by the id of its training sample: they are no *other* sample's.
    """

    samples: Sequence[Sample]
    items: Sequence[Item]
    index: ResponseIndex = field(init=False)
    rows_of: dict[str, tuple[int, ...]] = field(init=False)
    content: str = field(init=False)

    def __post_init__(self) -> None:
        self.index = ResponseIndex([sample.reference or "" for sample in self.samples])
        self.content = digest([sample.made_from for sample in self.samples])
        self.rows_of = own_rows(self.samples, self.items)

    def nearest(self, answer: str, reference: str, own: Collection[int]) -> Nearest | None:
        """The row of another sample that an answer copies most from.

        Args:
            answer: What the subject wrote.
            reference: The prompt's own response: saying that is no copying from another sample.
            own: The prompt's own rows.
        """
        return self.index.nearest(
            answer, [reference, *(self.samples[row].reference or "" for row in own)]
        )


def of_items(
    items: Sequence[Item],
    spec: ProbesSection,
    *,
    subject: str,
    renderer: Renderer,
    adapter: str | None,
    generation: GenerationSettings,
    fingerprint: dict[str, str],
    continues: bool,
    training: Training,
) -> Iterator[Ask]:
    """Every probe of every item, for one subject.

    Args:
        items: From :func:`harness.memorisation.prompt_choice.choose`.
        spec: The suite's ``probes`` section.
        subject: Its name.
        renderer: Renders its prompts, as in training.
        adapter: What its requests name.
        generation: Its settings; answers are greedy and as long as ``spec`` says all the same.
        fingerprint: Content digests of its weights.
        continues: Whether it can be made to go on from a given beginning (no endpoint can).
        training: What answers are compared with.
    """
    settings = generation.model_copy(
        update={"max_new_tokens": spec.max_new_tokens, "temperature": 0.0}
    )

    def ask(probe: str, item: Item, request: Request | Scored | None, against: str) -> Ask:
        content = ""
        if request is not None:
            plain = request.model_dump(mode="json", exclude={"adapter"})
            content = digest(["probe", fingerprint, plain])
        extra = training.content if probe == "answer" else ""
        made_from = digest([VERSION, content, against, extra, item.sample_id])
        return Ask(item.record(probe, subject, made_from=made_from), request, against, content)

    for item in items:
        prompt, completion = renderer.example(item.messages, item.reference)
        yield ask("loss", item, Scored(prompt=prompt, continuation=completion, adapter=adapter), "")
        if item.form == "original":
            yield _continuation(item, spec, renderer, settings, adapter, continues, ask)
        if item.form != "foreign":
            request = Request(
                prompt=prompt,
                messages=renderer.conversation(item.messages),
                settings=settings,
                adapter=adapter,
            )
            yield ask("answer", item, request, item.reference)


def _continuation(
    item: Item,
    spec: ProbesSection,
    renderer: Renderer,
    settings: GenerationSettings,
    adapter: str | None,
    continues: bool,
    ask: Any,
) -> Ask:
    parts = copying.cut(item.reference, spec.prefix, spec.max_new_tokens)
    failure = None
    if parts is None:
        failure = Failure(
            kind=copying.TOO_SHORT,
            message=f"the reference has fewer than {copying.LEAST_WORDS} words: nothing to continue",
        )
    elif not continues:
        failure = Failure(
            kind="unsupported",
            message="an endpoint cannot be made to go on from the beginning of an answer",
        )
    if failure is not None:
        found: Ask = ask("continuation", item, None, "")
        return Ask(found.blank.model_copy(update={"error": failure}), None, "")
    assert parts is not None
    prompt, begun = renderer.example(item.messages, parts.shown)
    # Repetition is what is measured here: nothing may be held against it.
    plain = settings.model_copy(update={"repetition_penalty": 1.0})
    request = Request(
        prompt=prompt + begun.removesuffix(renderer.end_of_turn), settings=plain, adapter=adapter
    )
    made: Ask = ask("continuation", item, request, parts.rest)
    return made


def of_canaries(
    canaries: Sequence[Canary],
    spec: ProbesSection,
    *,
    subject: str,
    renderer: Renderer,
    adapter: str | None,
    fingerprint: dict[str, str],
    seed: int,
) -> Iterator[Ask]:
    """Ratings of every secret (replicate 0) and of its rivals, for one subject."""
    for canary in canaries:
        for number, code in enumerate(
            [canary.code, *candidates(canary, spec.canary_candidates, seed)]
        ):
            message = Message(role="user", content=canary.prompt)
            prompt, completion = renderer.example((message,), canary.response(code))
            request = Scored(prompt=prompt, continuation=completion, adapter=adapter)
            content = digest(["probe", fingerprint, request.model_dump(exclude={"adapter"})])
            blank = Probe(
                probe="canary",
                group="canary",
                sample_id=canary.id,
                replicate=number,
                subject=subject,
                values={"repeats": float(canary.repeats)},
                made_from=digest([VERSION, content, canary.repeats]),
            )
            yield Ask(blank, request, "", content)


def rated(ask: Ask, found: TokenLogprobs) -> Probe:
    """The record of a rating."""
    if found.error is not None:
        return ask.blank.model_copy(update={"error": found.error})
    if ask.blank.probe == "canary":
        values = {**ask.blank.values, "nll": -sum(found.logprobs)}
        return ask.blank.model_copy(update={"values": values})
    return ask.blank.model_copy(
        update={
            "values": membership.scores(found) | {"tokens": float(len(found.logprobs))},
            "logprobs": tuple(round(value, 5) for value in found.logprobs),
        }
    )


def answered(ask: Ask, found: Completion, training: Training, rouge: Any) -> Probe:
    """The record of an answer or a continuation.

    Args:
        ask: What was asked.
        found: What came back.
        training: What answers are compared with.
        rouge: Scores (reference, answer), as ``judges.rouge.RougeL.score``.
    """
    if found.text is None:
        error = found.error or Failure(kind="no_text", message="the model gave no text")
        return ask.blank.model_copy(update={"error": error})
    if ask.blank.probe == "continuation":
        values = copying.score(ask.against, found.text)
    else:
        values = {"rouge_l": rouge(ask.against, found.text)}
        # A clean prompt has no rows of its own, whatever its id.
        own = training.rows_of[ask.blank.sample_id] if ask.blank.group == "training" else ()
        near = training.nearest(found.text, ask.against, own)
        values |= {
            "other_span": near.span if near else 0.0,
            "other_share": near.share if near else 0.0,
        }
        if near is not None:
            values["other_row"] = float(near.row + 1)
    return ask.blank.model_copy(update={"values": values, "text": found.text})
