"""Keeps secrets out of configs, which are printed and written into manifests, and out of errors."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from pydantic import ValidationError

from harness.util.suggestions import did_you_mean

_SECRET = frozenset(
    ("apikey", "xapikey", "key", "token", "accesstoken", "authorization", "password", "secret")
)


def refuse_secrets(value: Any) -> None:
    """Raise ValueError for a field that holds a secret, however deeply nested; name it alone."""
    if isinstance(value, dict):
        for key, inner in value.items():
            if "".join(filter(str.isalnum, str(key).lower())) in _SECRET:
                raise ValueError(
                    f"{key!r}: secrets come from environment variables only;"
                    " name the variable with api_key_env"
                )
            refuse_secrets(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            refuse_secrets(inner)


def first_fault(error: ValidationError, known: Iterable[str], noun: str = "option") -> str:
    """Describe the first fault of a pydantic error: field (a ``noun``) and reason, never the value."""
    first = error.errors(include_url=False, include_input=False)[0]
    name = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f"unknown {noun} {name!r}.{did_you_mean(name, known)}"
    if first["type"] == "missing":
        return f"{noun} {name!r} is required"
    reason = first["msg"].removeprefix("Value error, ").replace("Input should be", "must be")
    return f"{noun} {name!r}: {reason}"
