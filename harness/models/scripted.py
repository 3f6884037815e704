"""Model with scripted answers, for tests, documentation and trials.

In a suite, ``scripted:echo`` answers every prompt with itself, and ``scripted:FILE.json`` reads its
answers from a file (see :class:`Script`). In Python, :class:`ScriptedModel` takes a queue of
answers, a mapping from prompts, or a function, and records the requests.
"""

from __future__ import annotations

import json
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import FunctionType, MethodType
from typing import Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from harness.errors import ModelError
from harness.records import Completion, Failure, Request, Scored, TokenLogprobs
from harness.util.digest import digest

PREFIX = "scripted:"

Output = str | Completion | Failure
Outputs = Callable[[Request], Output] | Mapping[str, Output] | Sequence[Output]


class ScriptedFailure(Failure):
    """Requests that fail on purpose.

    Attributes:
        contains: Text that the prompt must contain; empty is every prompt.
        times: Failures in one process before it is answered; None is always.
    """

    kind: str = "scripted"
    message: str = "this failure is in the script"
    contains: str = ""
    times: int | None = Field(default=None, ge=1)


class Script(BaseModel):
    """Content of ``scripted:FILE.json``.

    Attributes:
        answers: From a prompt, exactly, to its answer.
        contains: From a text to the answer of the prompts that contain it; the first match counts.
        default: The answer to all others; ``{prompt}`` is replaced by the prompt.
        failures: Prompts that fail; they are checked first.
        latency_s: Seconds that every answer takes.
        batch: Answers at a time, as a batched model gives them.
        adapters: Scripts of adapters by the subject's name, each instead of this one.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    answers: dict[str, str] = {}
    contains: dict[str, str] = {}
    default: str = "{prompt}"
    failures: tuple[ScriptedFailure, ...] = ()
    latency_s: float = Field(default=0.0, ge=0)
    batch: int = Field(default=1, ge=1)
    adapters: dict[str, Script] = {}

    def answer(self, prompt: str) -> str:
        """Return the answer to a prompt, failures aside."""
        if prompt in self.answers:
            return self.answers[prompt]
        answers = (text for part, text in self.contains.items() if part in prompt)
        return next(answers, self.default).replace("{prompt}", prompt)


class ScriptedModel:
    """Implements :class:`harness.protocols.Model` without any model.

    Attributes:
        calls: Every request of ``complete``, in order of answering.
        scored: Every request of ``logprobs``.
    """

    def __init__(
        self,
        outputs: Outputs,
        *,
        fingerprint: Mapping[str, str] | None = None,
        durable: bool = True,
        latency_s: float = 0.0,
        batch: int = 1,
        ratings: Callable[[Scored], TokenLogprobs] | None = None,
    ) -> None:
        """Answer from ``outputs``.

        Args:
            outputs: A sequence is used up one by one; a mapping goes from the last user turn to
                its answer; a function gets the request. Each gives a text, a whole completion, or
                a failure.
            fingerprint: By default the digest of ``outputs`` where they are plain texts.
            durable: Whether answers are valid across runs.
            latency_s: Seconds that every answer takes.
            batch: Answers at a time.
            ratings: Answers ``logprobs``; without it every rating is a failure.
        """
        plain = callable(outputs) or isinstance(outputs, Mapping)
        self._queue = None if plain else deque(cast(Sequence[Output], outputs))
        self._outputs = outputs
        self._fingerprint = dict(fingerprint or {"script": _digest_of(outputs)})
        self.durable = durable
        self._latency_s = latency_s
        self._batch = batch
        self._ratings = ratings
        self.calls: list[Request] = []
        self.scored: list[Scored] = []

    def fingerprint(self, adapter: str | None = None) -> dict[str, str]:
        """Return the script's digest; an adapter adds its name, the only thing it has here."""
        return self._fingerprint | ({"adapter": adapter} if adapter else {})

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Answer in order, ``batch`` at a time."""
        for start in range(0, len(requests), self._batch):
            part = requests[start : start + self._batch]
            time.sleep(self._latency_s * len(part))
            done = [_completion(request, self._next(request)) for request in part]
            self.calls += part
            yield from enumerate(done, start)

    def logprobs(self, requests: Sequence[Scored]) -> Iterator[tuple[int, TokenLogprobs]]:
        """Rate with ``ratings``."""
        for index, request in enumerate(requests):
            self.scored.append(request)
            yield index, self._ratings(request) if self._ratings else _NO_RATINGS

    def _next(self, request: Request) -> Output:
        if self._queue is not None:
            if not self._queue:
                raise ModelError(
                    f"the script has no answer left (it was asked {len(self.calls) + 1} times)"
                )
            return self._queue.popleft()
        if isinstance(self._outputs, Mapping):
            if (asked := question(request)) not in self._outputs:
                raise ModelError(f"the script has no answer to {asked[:80]!r}")
            return self._outputs[asked]
        assert callable(self._outputs)
        return self._outputs(request)


def question(request: Request) -> str:
    """Return the last user turn, or the rendered prompt of a request without messages."""
    return request.messages[-1].content if request.messages else request.prompt


def open_scripted(specs: Sequence[Any]) -> ScriptedModel:
    """Open the model behind ``scripted:echo`` or ``scripted:FILE.json`` for these subjects.

    Raises:
        ModelError: No such file, or it is no script, or an adapter folder is missing.
    """
    for spec in specs:
        for part in spec.adapters:
            if not Path(part.path).expanduser().is_dir():
                raise ModelError(f"adapter of {spec.name!r} {part.path}: no such folder")
    return _follow(_read_script(specs[0].model.removeprefix(PREFIX)))


def _read_script(rest: str) -> Script:
    if rest == "echo":
        return Script()
    path = Path(rest).expanduser()
    try:
        return Script.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise ModelError(
            f"{PREFIX}{rest}: no such file; write {PREFIX}echo, or name a JSON file"
        ) from None
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"])) or "the file"
        raise ModelError(f"{PREFIX}{rest}: {field}: {first['msg']}") from error
    except (OSError, ValueError) as error:
        raise ModelError(f"{PREFIX}{rest}: {error}") from error


def _follow(script: Script) -> ScriptedModel:
    counts: Counter[tuple[str | None, int]] = Counter()

    def answer(request: Request) -> Output:
        asked = question(request)
        active = script.adapters.get(request.adapter or "", script)
        for number, failure in enumerate(active.failures):
            key = (request.adapter, number)
            spent = failure.times is not None and counts[key] >= failure.times
            if failure.contains in asked and not spent:
                counts[key] += 1
                return Failure(**failure.model_dump(exclude={"contains", "times"}))
        return active.answer(asked)

    # Speed and batch size decide no answer.
    content = script.model_dump(mode="json", exclude={"latency_s", "batch"})
    return ScriptedModel(
        answer,
        fingerprint={"script": digest(content)},
        latency_s=script.latency_s,
        batch=script.batch,
    )


_NO_RATINGS = TokenLogprobs(
    error=Failure(kind="unsupported", message="this script has no log-probabilities")
)


def _digest_of(outputs: Outputs) -> str:
    if callable(outputs):
        named = outputs if isinstance(outputs, FunctionType | MethodType) else type(outputs)
        return f"function {named.__qualname__}"

    def plain(output: Output) -> Any:
        return output if isinstance(output, str) else output.model_dump(mode="json")

    if isinstance(outputs, Mapping):
        return digest({key: plain(value) for key, value in outputs.items()})
    return digest([plain(output) for output in outputs])


def _completion(request: Request, output: Output) -> Completion:
    if isinstance(output, Completion):
        return output
    if isinstance(output, Failure):
        return Completion.failed(output)
    words = output.split()
    over = len(words) > request.settings.max_new_tokens
    return Completion(
        text=" ".join(words[: request.settings.max_new_tokens]) if over else output,
        finish_reason="length" if over else "stop",
        prompt_tokens=len(request.prompt.split()),
        completion_tokens=min(len(words), request.settings.max_new_tokens),
        seconds=0.0,
    )
