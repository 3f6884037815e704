"""An OpenAI-compatible endpoint: its settings, its calls and their results."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)

from harness.errors import JostleError
from harness.records import Cost, Failure, Message
from harness.util.secrets import first_fault, refuse_secrets

OPENAI = "https://api.openai.com/v1"
NO_KEY = "no-key"

_REFUSED_FIELDS = {
    ("max_tokens", "max_completion_tokens"): (
        ", which the budget must know: use max_tokens of the judge"
        " or generation.max_new_tokens of the subject"
    ),
    ("n", "best_of"): ": one answer is read, and all are billed",
    ("model", "messages", "response_format", "stream"): ", which Jostle sets itself",
}
"""Fields that ``extra_body`` must not hold, and why."""


class EndpointError(JostleError):
    """The endpoint as a whole refuses or cannot be reached; what was done before is kept."""


class _Settings(BaseModel):
    # An error must not print the value: a key may be in the wrong field.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Prices(_Settings):
    """Money per million tokens, in any one currency."""

    prompt: float = Field(default=0.0, ge=0)
    completion: float = Field(default=0.0, ge=0)


class Budget(_Settings):
    """What one invocation may spend; None means no limit."""

    money: float | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)


class EndpointSettings(_Settings):
    """Where an endpoint is and how it is treated.

    Attributes:
        model: The model's name at the endpoint.
        base_url: The address that ``/chat/completions`` is appended to.
        revision: What the provider calls this version of the weights. Without one, answers are
            cached within a run only, because the name may mean other weights tomorrow.
        api_key_env: Name of the environment variable that holds the key, in capitals.
        concurrency: Calls under way at a time.
        timeout_s: Seconds that one attempt may take in all, however slowly its bytes arrive.
        max_retries: Retries after a transient failure.
        backoff_s: Upper bound of the first random wait; doubles with every attempt.
        max_wait_s: The longest wait, for back-off and for what the server asks for.
        prices: Money per million tokens.
        budget: What one invocation may spend; money needs prices.
        extra_body: Further fields of every request, passed on as they are. Fields that set the
            length of an answer, which the budget must know, and those that we set are refused.
    """

    model: str = Field(min_length=1)
    base_url: str = OPENAI
    revision: str | None = None
    api_key_env: str = "OPENAI_API_KEY"
    concurrency: int = Field(default=8, ge=1, le=1024)
    timeout_s: float = Field(default=120.0, gt=0)
    max_retries: int = Field(default=6, ge=0, le=100)
    backoff_s: float = Field(default=0.5, ge=0)
    max_wait_s: float = Field(default=60.0, gt=0)
    prices: Prices = Prices()
    budget: Budget = Budget()
    extra_body: dict[str, Any] = {}

    @field_validator("revision", mode="before")
    @classmethod
    def _yaml_date(cls, value: Any) -> Any:
        # Unquoted in YAML, a revision such as 2024-07-18 is a date.
        return str(value) if isinstance(value, date) else value

    @field_validator("api_key_env")
    @classmethod
    def _names_a_variable(cls, value: str) -> str:
        # Capitals only: keys have small letters (sk-, gsk_, hf_), and the name is printed.
        if not re.fullmatch(r"[A-Z_][A-Z0-9_]{0,63}", value):
            raise ValueError(
                "must be the NAME of an environment variable in capitals, such as OPENAI_API_KEY,"
                " not a key (value not shown)"
            )
        return value

    @field_validator("base_url")
    @classmethod
    def _plain_address(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        except ValueError:  # its message quotes the value; a port above 65535 among others
            usable = False
        if not usable:
            raise ValueError(
                "must be an http(s) address such as http://127.0.0.1:8000/v1, with a port from 1"
                " to 65535 if any"
            )
        if parts.username or parts.password or parts.query:
            raise ValueError("must hold no user, password or query; put the key in api_key_env")
        return value.rstrip("/")

    @field_validator("budget")
    @classmethod
    def _money_has_prices(cls, value: Budget, info: ValidationInfo) -> Budget:
        prices = info.data.get("prices")
        if value.money is not None and prices is not None:
            named = {"prompt", "completion"} <= prices.model_fields_set
            if not named or prices.prompt + prices.completion == 0:
                raise ValueError(
                    "money can be counted only with both prices, per million tokens:"
                    " prices: {prompt: ..., completion: ...}"
                )
        return value

    @field_validator("extra_body")
    @classmethod
    def _not_ours(cls, value: dict[str, Any]) -> dict[str, Any]:
        refuse_secrets(value)
        for names, reason in _REFUSED_FIELDS.items():
            for name in names:
                if name in value:
                    raise ValueError(f"must not hold {name}{reason}")
        return value

    @property
    def fingerprint(self) -> dict[str, str]:
        """Return what decides an answer as far as it can be known: provider, model, revision."""
        fields = {
            "provider": self.base_url,
            "model": self.model,
            "revision": self.revision or "undeclared",
        }
        if self.extra_body:
            fields["extra_body"] = repr(sorted(self.extra_body.items()))
        return fields

    @property
    def durable(self) -> bool:
        """Return whether answers may be cached across runs."""
        return self.revision is not None

    def api_key(self) -> str:
        """Return the key from the environment, or a placeholder, which OpenAI itself does not take."""
        key = os.environ.get(self.api_key_env, "").strip()
        if not key and self.base_url == OPENAI:
            raise EndpointError(
                f"{self.base_url} needs a key: set the environment variable {self.api_key_env},"
                " or give the base_url of another endpoint"
            )
        return key or NO_KEY


def endpoint_settings(options: Mapping[str, Any]) -> EndpointSettings:
    """Validate a suite's options; raise ValueError with the name of a wrong one, not its value."""
    try:
        return EndpointSettings.model_validate(dict(options))
    except ValidationError as error:
        raise ValueError(first_fault(error, list(EndpointSettings.model_fields))) from None


@dataclass(frozen=True)
class ChatCall:
    """One request to ``/chat/completions``.

    Attributes:
        temperature: None leaves the field out, for models that refuse it.
        response_format: As the API takes it, or None.
        extra: Further fields of this request.
    """

    messages: tuple[Message, ...]
    max_tokens: int
    temperature: float | None = 0.0
    top_p: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    response_format: Mapping[str, Any] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ChatResult:
    """The result of a call. Exactly one of ``text``, ``refusal`` and ``error`` is set.

    Attributes:
        refusal: The text of a refusal that the API reports as one.
        prompt_tokens: Of the last attempt, as the server counts them; None if it does not say.
        cost: Tokens, money and seconds of all attempts together, failed ones included.
        estimated: Whether the server left some of it uncounted, so that ``cost`` is an estimate.
        accepted: Whether the server took the request as it was. A filter may refuse one before
            the rest of it is checked.
    """

    text: str | None = None
    refusal: str | None = None
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    cost: Cost = field(default_factory=Cost)
    estimated: bool = False
    attempts: int = 1
    accepted: bool = True
    error: Failure | None = None


def summed(costs: Iterable[Cost]) -> Cost:
    """Return the sum of several costs."""
    listed = list(costs)
    return Cost(
        prompt_tokens=sum(cost.prompt_tokens for cost in listed),
        completion_tokens=sum(cost.completion_tokens for cost in listed),
        money=sum(cost.money for cost in listed),
        seconds=round(sum(cost.seconds for cost in listed), 6),
    )
