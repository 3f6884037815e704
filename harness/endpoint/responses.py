"""Reads what an endpoint sent back, and tells transient failures from permanent ones."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any

from harness.endpoint.settings import EndpointSettings
from harness.records import Failure
from harness.text.normalise import valid_unicode

SHOWN = 200
"""Characters of a server's message that are kept."""

_CONTEXT = re.compile(r"context.{0,20}(?:length|window)|maximum context|too many tokens", re.I)
_INVALID = re.compile(r"\d+ validation errors?\b", re.I)
"""How llama-cpp-python's server begins a 500 for an invalid request."""

_TRANSIENT_4XX = (408, 409, 425, 429)

Redact = Callable[[str], str]
"""Takes the key out of a text. It runs before the text is shortened: half a key is a leak too."""


@dataclass
class Attempt:
    """The outcome of one attempt.

    Attributes:
        retry_after: Seconds that the server asks to wait, or None.
        wants_rename: The server knows ``max_completion_tokens`` only.
        fatal: No other call can succeed either.
        connected: Whether a server was reached.
        billable: Whether the server may charge for it: it answered, or may have gone on working.
        accepted: Whether the server took the request as it was: a 200, whatever it says.
    """

    text: str | None = None
    refusal: str | None = None
    finish_reason: str = "stop"
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    failure: Failure | None = None
    retry_after: float | None = None
    wants_rename: bool = False
    fatal: bool = False
    connected: bool = True
    billable: bool = False
    accepted: bool = False
    seconds: float = 0.0


def read_completion(response: Any, redact: Redact) -> Attempt:
    """Read an HTTP 200 defensively: servers send HTML, half a JSON text, or no choice."""
    attempt = _read_body(response, redact)
    attempt.billable = attempt.accepted = True
    return attempt


def _read_body(response: Any, redact: Redact) -> Attempt:
    try:
        body = response.json()
    except ValueError:
        kind = _short(response.headers.get("content-type", "no content type"), redact)
        detail = _short(response.text, redact)
        return _failed("bad_response", f"not JSON ({kind}): {detail!r}", transient=True)
    if not isinstance(body, dict):
        detail = _short(str(body), redact)
        return _failed("bad_response", f"not a JSON object: {detail!r}", transient=True)
    attempt = _first_choice(body, redact)
    usage = body.get("usage")
    if isinstance(usage, dict):
        attempt.prompt_tokens = _count(usage.get("prompt_tokens"))
        attempt.completion_tokens = _count(usage.get("completion_tokens"))
    return attempt


def _first_choice(body: Mapping[str, Any], redact: Redact) -> Attempt:
    if body.get("error"):
        detail = _short(str(body["error"]), redact)
        return _failed("bad_response", f"an error as 200: {detail}", True)
    choices = body.get("choices")
    choice = choices[0] if isinstance(choices, list) and choices else None
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return _failed("empty_choice", "the server sent no choice", transient=True)
    finish = choice.get("finish_reason")
    attempt = Attempt(finish_reason=_short(finish, redact) if isinstance(finish, str) else "stop")
    content, refusal = message.get("content"), message.get("refusal")
    if isinstance(content, list):  # some servers send parts
        parts = [part.get("text") for part in content if isinstance(part, dict)]
        content = "".join(part for part in parts if isinstance(part, str))
    if isinstance(refusal, str) and refusal:
        attempt.refusal = redact(valid_unicode(refusal))
    elif finish == "content_filter" and not content:
        attempt.refusal = "stopped by the content filter"
    elif isinstance(content, str):
        attempt.text = redact(valid_unicode(content))
    else:
        attempt.failure = Failure(
            kind="empty_choice", message="the choice holds no text", transient=True
        )
    return attempt


def classify(error: Exception, settings: EndpointSettings, redact: Redact) -> Attempt:
    """Turn an exception into the outcome of an attempt."""
    import httpx2
    import openai

    while isinstance(error, ExceptionGroup):  # of a task group below: the cause is inside
        error = error.exceptions[0]
    cause = error.__cause__ or error
    detail = f"{type(cause).__name__}: {_short(str(cause), redact)}"
    if isinstance(cause, httpx2.ConnectError | httpx2.ConnectTimeout):
        return _failed("connection", detail, True, connected=False)
    if isinstance(error, openai.APITimeoutError | TimeoutError):
        message = f"no answer within {settings.timeout_s:g} s"
        return _failed("timeout", message, True, billable=True)
    if isinstance(error, openai.APIStatusError):
        return _classify_status(error, settings, redact)
    if isinstance(error, openai.APIConnectionError):
        # The request was sent, and may have been worked on: servers bill broken-off answers too.
        message = f"the server broke off its answer: {detail}"
        return _failed("broken_off", message, True, billable=True)
    detail = f"{type(error).__name__}: {_short(str(error), redact)}"
    if isinstance(error, openai.APIError | ValueError) and not isinstance(error, UnicodeError):
        return _failed("bad_response", detail, True)
    return _failed("client_error", detail)


def _classify_status(error: Any, settings: EndpointSettings, redact: Redact) -> Attempt:
    status, headers = error.status_code, error.response.headers
    body = error.body if isinstance(error.body, dict) else {}
    detail = _short(str(body.get("message") or error.message), redact)
    code = str(body.get("code") or body.get("type") or "")
    at, key = settings.base_url, settings.api_key_env
    if status == 401:
        message = f"{at} refused the key (401): check {key}: {detail}"
        return _failed("unauthorized", message, fatal=True)
    if status == 402 or code == "insufficient_quota":
        message = f"{at}: the account has no credit left ({status}): {detail}"
        return _failed("quota", message, fatal=True)
    if status == 404:
        message = f"{at} has no model {settings.model!r} or no chat there (404): {detail}"
        return _failed("not_found", message, fatal=True)
    if status == 500 and _INVALID.match(detail):
        return _failed("bad_request", f"500: {detail}")
    if status in _TRANSIENT_4XX or status >= 500:
        kind = "rate_limited" if status == 429 else f"http_{status}"
        wait = retry_after(headers, time.time())
        return _failed(kind, f"{status}: {detail}", True, retry_after=wait)
    if status == 403:
        return _failed("forbidden", f"403: {detail}")
    if code == "content_filter":
        return Attempt(refusal=f"refused by the content filter: {detail}")
    if code == "context_length_exceeded" or _CONTEXT.search(detail):
        return _failed("context_length", f"{status}: {detail}")
    if status in (400, 422):
        renamed = "max_completion_tokens" in detail
        return _failed("bad_request", f"{status}: {detail}", wants_rename=renamed)
    return _failed(f"http_{status}", f"{status}: {detail}")


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Return the seconds that ``Retry-After`` (seconds or an HTTP date) or ``retry-after-ms`` asks for.

    At least 0; None if there is no such header (names are in lower case) or it cannot be read.
    ``now`` is in seconds since the epoch.
    """
    for name, scale in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        with suppress(ValueError):
            seconds = float(headers.get(name, "")) / scale
            if 0 <= seconds < float("inf"):
                return seconds
    try:
        return max(0.0, parsedate_to_datetime(headers.get("retry-after", "")).timestamp() - now)
    except (ValueError, TypeError, OverflowError):
        return None


def _failed(kind: str, message: str, transient: bool = False, **facts: Any) -> Attempt:
    return Attempt(failure=Failure(kind=kind, message=message, transient=transient), **facts)


def _short(text: str, redact: Redact) -> str:
    line = redact(" ".join(valid_unicode(text).split()))
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"


def _count(value: Any) -> int | None:
    """Read a number of tokens; some servers send 10.0."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
