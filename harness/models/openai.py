"""Subject behind an OpenAI-compatible endpoint: ``openai:MODEL``. Thin over harness/endpoint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from harness.endpoint import (
    ChatCall,
    ChatResult,
    EndpointClient,
    EndpointSettings,
    endpoint_settings,
)
from harness.errors import ModelError
from harness.records import (
    Completion,
    Failure,
    FinishReason,
    Message,
    Request,
    Scored,
    TokenLogprobs,
)

PREFIX = "openai:"

_FINISHES: dict[str, FinishReason] = {"length": "length", "content_filter": "content_filter"}
_UNSUPPORTED = Failure(
    kind="unsupported",
    message="chat endpoints do not rate given texts; log-probabilities need the weights",
)


class EndpointModel:
    """Implements :class:`harness.protocols.Model`; the endpoint renders the conversation itself.

    Attributes:
        client: Makes the calls; its ``usage`` says what was spent.
        warnings: Settings that have no effect here.
    """

    def __init__(self, settings: EndpointSettings, warnings: Sequence[str] = ()) -> None:
        """Raise EndpointError where OpenAI's endpoint is named and no key is set."""
        self.client = EndpointClient(settings)
        self.warnings = tuple(warnings)

    @property
    def durable(self) -> bool:
        """Return whether a revision is declared: without one the name may mean other weights later."""
        return self.client.settings.durable

    def fingerprint(self, adapter: str | None = None) -> dict[str, str]:
        """Return provider, model and declared revision; raise ModelError for an adapter."""
        _refuse_adapter(adapter)
        return self.client.settings.fingerprint

    def complete(self, requests: Sequence[Request]) -> Iterator[tuple[int, Completion]]:
        """Request every answer, several at a time; yield them as they come.

        Raises:
            EndpointError: The endpoint refuses all calls; answers yielded before are valid.
            BudgetExceeded: Likewise.
            ModelError: A request names an adapter.
        """
        for request in requests:
            _refuse_adapter(request.adapter)
        for index, result in self.client.chat([_call(request) for request in requests]):
            yield index, _completion(result)

    def logprobs(self, requests: Sequence[Scored]) -> Iterator[tuple[int, TokenLogprobs]]:
        """Yield a recorded failure each: the API rates only what the model itself wrote."""
        for index, _ in enumerate(requests):
            yield index, TokenLogprobs(error=_UNSUPPORTED)


def open_endpoint(specs: Sequence[Any]) -> EndpointModel:
    """Open the endpoint behind ``openai:MODEL`` for subjects that share it.

    Raises:
        ModelError: A setting that an endpoint cannot honour.
        EndpointError: A key is needed and not set.
    """
    first = specs[0]
    for spec in specs:
        for field, value in (("adapters", spec.adapters), ("quantization", spec.quantization)):
            if value:
                raise ModelError(
                    f"subject {spec.name!r}: {field} is decided by the server behind"
                    f" {spec.model}; remove it, and name the served model"
                )
    options = first.endpoint.model_dump(exclude_none=True) if first.endpoint else {}
    options |= {"model": first.model.removeprefix(PREFIX), "revision": first.revision}
    warnings = [
        f"subject {spec.name!r}: the endpoint renders prompts itself; template has no effect"
        for spec in specs
        if spec.template is not None
    ]
    try:
        return EndpointModel(endpoint_settings(options), warnings)
    except ValueError as error:
        raise ModelError(f"subject {first.name!r}: {error}") from error


def _refuse_adapter(adapter: str | None) -> None:
    if adapter is not None:
        raise ModelError(f"adapter {adapter!r}: an endpoint takes no adapters; name a served model")


def _call(request: Request) -> ChatCall:
    settings = request.settings
    sampled = settings.temperature > 0
    # Not in OpenAI's API; vLLM and others accept them, and a server that does not says so.
    given = settings.model_dump(include={"top_k", "repetition_penalty"}, exclude_defaults=True)
    return ChatCall(
        messages=request.messages or (Message(role="user", content=request.prompt),),
        max_tokens=settings.max_new_tokens,
        temperature=settings.temperature,
        top_p=settings.top_p if settings.top_p < 1 else None,
        seed=request.seed % 2**31 if sampled else None,  # Servers differ; all take 31 bits.
        stop=settings.stop,
        extra=given,
    )


def _completion(result: ChatResult) -> Completion:
    if result.error is not None:
        text, finish = None, "error"
    elif result.refusal is not None:
        text, finish = result.refusal, "content_filter"
    else:
        text, finish = result.text, result.finish_reason
    return Completion(
        text=text,
        finish_reason="error" if text is None else _FINISHES.get(finish, "stop"),
        prompt_tokens=result.prompt_tokens,
        completion_tokens=result.completion_tokens,
        seconds=result.cost.seconds,
        error=result.error,
    )
