"""Options of a command as one record, in place of a long list of parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

Options = TypeVar("Options")
Result = TypeVar("Result")


def collected(
    options: Callable[..., Options],
) -> Callable[[Callable[[Options], Result]], Callable[..., Result]]:
    """Pass what click parsed as one frozen dataclass; use it below the options of a command.

    Args:
        options: The dataclass; its fields are named as click names the parameters.
    """

    def decorate(function: Callable[[Options], Result]) -> Callable[..., Result]:
        @functools.wraps(function)
        def command(**values: object) -> Result:
            return function(options(**values))

        return command

    return decorate
