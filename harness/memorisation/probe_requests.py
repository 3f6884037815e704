"""The requests of each probe to a subject, and the records of its replies."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from harness.config import ProbesSection
from harness.memorisation import copying
from harness.memorisation.canaries import Canary, rival_codes
from harness.memorisation.membership import membership_scores
from harness.memorisation.prompt_choice import ProbedPrompt
from harness.memorisation.training_responses import TrainingResponses
from harness.models.prompting import Renderer
from harness.records import (
    Completion,
    Failure,
    GenerationSettings,
    Message,
    Probe,
    Request,
    Scored,
    TokenLogprobs,
)
from harness.util.digest import digest

VERSION = 3
"""Raise it whenever the same reply would be scored otherwise."""


@dataclass(frozen=True)
class ProbeRequest:
    """One reply that is wanted.

    Attributes:
        record: The record, still without its reply; it may hold the reason why none is possible.
        request: The request to the model, or nothing.
        expected: The text that the reply is compared with.
        prompt: The prompt as asked, of a continuation: what stands there is not recited.
        content: Digest of all that decides the reply, for the cache.
    """

    record: Probe
    request: Request | Scored | None
    expected: str
    content: str = ""
    prompt: str = ""


@dataclass(frozen=True)
class ProbedSubject:
    """A subject as the probes address it.

    Attributes:
        renderer: Renders its prompts, as in training.
        fingerprint: Content digests of its weights.
        generation: Its settings; answers are greedy and as long as the probes say all the same.
        continues: Whether it can be made to go on from a given beginning (no endpoint can).
    """

    name: str
    renderer: Renderer
    adapter: str | None
    fingerprint: dict[str, str]
    generation: GenerationSettings
    continues: bool

    def content(self, request: Request | Scored) -> str:
        """Digest all that decides this subject's reply."""
        plain = request.model_dump(mode="json", exclude={"adapter"})
        return digest(["probe", self.fingerprint, plain])


@dataclass(frozen=True)
class PromptProbes:
    """The probes of prompts, for one subject; answers are compared with rows of this digest."""

    subject: ProbedSubject
    spec: ProbesSection
    training_content: str

    def requests(self, prompts: Sequence[ProbedPrompt]) -> Iterator[ProbeRequest]:
        """Yield every probe of every prompt."""
        renderer, adapter = self.subject.renderer, self.subject.adapter
        for prompt in prompts:
            rendered, completion = renderer.example(prompt.messages, prompt.reference)
            rating = Scored(prompt=rendered, continuation=completion, adapter=adapter)
            yield self._request("loss", prompt, rating)
            if prompt.form == "original":
                yield self._continuation(prompt)
            if prompt.form in ("original", "variant"):
                answer = Request(
                    prompt=rendered,
                    messages=renderer.conversation(prompt.messages),
                    settings=self._settings(),
                    adapter=adapter,
                )
                yield self._request("answer", prompt, answer, prompt.reference)

    def _settings(self) -> GenerationSettings:
        return self.subject.generation.model_copy(
            update={"max_new_tokens": self.spec.max_new_tokens, "temperature": 0.0}
        )

    def _continuation(self, prompt: ProbedPrompt) -> ProbeRequest:
        parts = copying.cut(prompt.reference, self.spec.prefix, self.spec.max_new_tokens)
        if parts is None:
            failure = Failure(
                kind=copying.TOO_SHORT,
                message=f"the reference has fewer than {copying.LEAST_WORDS} words: nothing to"
                " continue",
            )
            return self._request("continuation", prompt, None, error=failure)
        if not self.subject.continues:
            failure = Failure(
                kind="unsupported",
                message="an endpoint cannot be made to go on from the beginning of an answer",
            )
            return self._request("continuation", prompt, None, error=failure)
        renderer = self.subject.renderer
        rendered, shown = renderer.example(prompt.messages, parts.shown)
        request = Request(
            prompt=rendered + shown.removesuffix(renderer.end_of_turn),
            # Repetition is what is measured here: no penalty may suppress it.
            settings=self._settings().model_copy(update={"repetition_penalty": 1.0}),
            adapter=self.subject.adapter,
        )
        return self._request("continuation", prompt, request, parts.rest)

    def _request(
        self,
        probe: str,
        prompt: ProbedPrompt,
        request: Request | Scored | None,
        expected: str = "",
        error: Failure | None = None,
    ) -> ProbeRequest:
        content = "" if request is None else self.subject.content(request)
        training = self.training_content if probe in ("answer", "continuation") else ""
        made_from = digest([VERSION, content, expected, training, prompt.sample_id])
        record = prompt.record(probe, self.subject.name, made_from=made_from, error=error)
        asked = "\n".join(message.content for message in prompt.messages)
        return ProbeRequest(record, request, expected, content, asked)


def canary_requests(
    canaries: Sequence[Canary], spec: ProbesSection, subject: ProbedSubject, seed: int
) -> Iterator[ProbeRequest]:
    """Yield a rating of every secret (replicate 0) and of its rivals, for one subject."""
    for canary in canaries:
        codes = [canary.code, *rival_codes(canary, spec.canary_candidates, seed)]
        message = Message(role="user", content=canary.prompt)
        for replicate, code in enumerate(codes):
            prompt, completion = subject.renderer.example((message,), canary.response(code))
            request = Scored(prompt=prompt, continuation=completion, adapter=subject.adapter)
            content = subject.content(request)
            record = Probe(
                probe="canary",
                group="canary",
                sample_id=canary.id,
                replicate=replicate,
                subject=subject.name,
                values={"repeats": float(canary.repeats)},
                made_from=digest([VERSION, content, canary.repeats]),
            )
            yield ProbeRequest(record, request, "", content)


def rating_record(request: ProbeRequest, ratings: TokenLogprobs) -> Probe:
    """Make the record of a rating."""
    record = request.record
    reply: dict[str, Any]
    if ratings.error is not None:
        reply = {"error": ratings.error}
    elif record.probe == "canary":
        reply = {"values": {**record.values, "nll": -sum(ratings.logprobs)}}
    else:
        reply = {
            "values": membership_scores(ratings) | {"tokens": float(len(ratings.logprobs))},
            "logprobs": tuple(round(value, 5) for value in ratings.logprobs),
        }
    return record.model_copy(update=reply)


def answer_record(
    request: ProbeRequest,
    completion: Completion,
    training: TrainingResponses,
    closeness: copying.Closeness,
) -> Probe:
    """Make the record of an answer or a continuation."""
    record = request.record
    if completion.text is None:
        error = completion.error or Failure(kind="no_text", message="the model gave no text")
        return record.model_copy(update={"error": error})
    if record.probe == "continuation":
        values = copying.recitation(request.expected, completion.text)
        values |= training.own_recitation(request.expected, completion.text, request.prompt)
    else:
        values = {closeness.name: closeness(request.expected, completion.text)}
        # A clean prompt has no training rows, whatever its id.
        rows = training.rows_of[record.sample_id] if record.group == "training" else ()
        nearest = training.nearest(completion.text, request.expected, rows)
        if nearest is None:
            values |= {"other_span": 0.0, "other_share": 0.0}
        else:
            values |= {"other_span": nearest.span, "other_share": nearest.share}
            values["other_row"] = float(nearest.row + 1)
    return record.model_copy(update={"values": values, "text": completion.text})
