"""Keeps secrets out of configs, which are printed, digested and written into manifests."""

from __future__ import annotations

from typing import Any

_SECRET = frozenset(
    ("apikey", "xapikey", "key", "token", "accesstoken", "authorization", "password", "secret")
)


def refuse_secrets(value: Any) -> None:
    """Refuse fields that hold a secret, however deeply nested.

    Raises:
        ValueError: There is one; the message names the field and not its value.
    """
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
