"""Reads YAML into pydantic models, with errors that name file, line and field."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from harness.errors import ConfigError
from harness.util.suggestions import did_you_mean

M = TypeVar("M", bound=BaseModel)
Loc = tuple[str | int, ...]


def load_yaml(path: Path, overrides: Sequence[str], model: type[M]) -> M:
    """Read a YAML file, apply ``key=value`` overrides and validate.

    Args:
        path: The file.
        overrides: Items such as ``suite.seed=7`` or ``subjects.1.dtype=float32``; the value is YAML.
        model: The pydantic model to build.

    Raises:
        ConfigError: The file cannot be read or parsed, a key is unknown or a duplicate, or a value does
            not fit; one line with file, line and field.
    """
    data, lines = parse_yaml(path)
    overridden: dict[Loc, str] = {}
    for override in overrides:
        overridden[_apply_override(data, override)] = override
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise ConfigError(_explain(error, path, lines, overridden, model)) from None


def parse_yaml(path: Path) -> tuple[dict[str, Any], dict[Loc, int]]:
    """Read a YAML mapping, and the line (from 1) of every key and item.

    Raises:
        ConfigError: Not readable, not UTF-8, not YAML, a duplicate key, or not a mapping.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError(f"{path}: no such file") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 ({error.reason} at byte {error.start})") from None
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror}") from None
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        marked = error if isinstance(error, yaml.MarkedYAMLError) else None
        line = f":{marked.problem_mark.line + 1}" if marked and marked.problem_mark else ""
        problem = (marked and marked.problem) or str(error).splitlines()[0]
        raise ConfigError(f"{path}{line}: not valid YAML: {problem}") from None
    if node is None or not isinstance(data, dict):
        raise ConfigError(f"{path}: expected a YAML mapping (key: value lines)")
    lines: dict[Loc, int] = {}
    _collect_lines(node, (), lines, path)
    return data, lines


def _collect_lines(node: yaml.Node, loc: Loc, lines: dict[Loc, int], path: Path) -> None:
    lines.setdefault(loc, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            child = (*loc, str(key.value))
            if child in lines:
                raise ConfigError(
                    f"{path}:{key.start_mark.line + 1}: {_dotted(child)}: duplicate key"
                    f" (first on line {lines[child]}); remove one"
                )
            lines[child] = key.start_mark.line + 1
            _collect_lines(value, child, lines, path)
    elif isinstance(node, yaml.SequenceNode):
        for index, value in enumerate(node.value):
            _collect_lines(value, (*loc, index), lines, path)


def _apply_override(data: dict[str, Any], override: str) -> Loc:
    key, equals, text = override.partition("=")
    if not equals or not key:
        raise ConfigError(f"override {override!r}: expected key=value, for example suite.seed=7")
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError:
        raise ConfigError(f"override {override!r}: the value is not valid YAML") from None
    loc: Loc = tuple(int(part) if part.isdigit() else part for part in key.split("."))
    here: Any = data
    for depth, part in enumerate(loc, 1):
        if not isinstance(here, dict | list):
            raise ConfigError(f"override {override!r}: {_dotted(loc[: depth - 1])} holds no keys")
        if isinstance(here, list) and (not isinstance(part, int) or part >= len(here)):
            raise ConfigError(
                f"override {override!r}: {part!r} is not an item of that list (0 to {len(here) - 1})"
            )
        place: Any = part if isinstance(here, list) else str(part)
        if depth == len(loc):
            here[place] = value
        elif isinstance(here, dict) and here.get(place) is None:
            here[place] = {}
        here = here[place]
    return loc


def _explain(
    error: ValidationError,
    path: Path,
    lines: dict[Loc, int],
    overridden: dict[Loc, str],
    model: type[BaseModel],
) -> str:
    first, *others = error.errors(include_url=False)
    loc: Loc = tuple(first["loc"])
    if first["type"] == "extra_forbidden":
        known = _known_fields(model, loc[:-1])
        message = f"unknown key {loc[-1]!r}.{did_you_mean(str(loc[-1]), known)}"
    elif first["type"] == "missing":
        message = f"required key {loc[-1]!r} is missing"
    else:
        message = first["msg"].removeprefix("Value error, ")
        given = first.get("input")
        if isinstance(given, str | int | float | bool):
            message += f" (got {given!r})"
    within = [loc[:length] for length in range(len(loc), -1, -1)]  # the innermost first
    override = next((overridden[part] for part in within if part in overridden), None)
    line = next((f":{lines[part]}" for part in within if part in lines), "")
    where = f"override {override!r}" if override else f"{path}{line}"
    more = f" (and {len(others)} more)" if others else ""
    field = f"{_dotted(loc)}: " if loc else ""
    return f"{where}: {field}{message}{more}"


def _dotted(loc: Loc) -> str:
    return ".".join(str(part) for part in loc)


def _known_fields(model: type[BaseModel], loc: Loc) -> list[str]:
    here: type[BaseModel] | None = model
    for part in loc:
        if here is not None and part in here.model_fields:  # the items of a list keep the model
            here = _inner_model(here.model_fields[str(part)].annotation)
    return list(here.model_fields) if here else []


def _inner_model(annotation: Any) -> type[BaseModel] | None:
    """Return the pydantic model inside ``X | None``, ``list[X]``, ``tuple[X, ...]`` and the like."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next(filter(None, map(_inner_model, get_args(annotation))), None)
