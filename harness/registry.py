"""One small generic registry: decorator, entry points, lazy targets, did-you-mean.

Our own plug-ins come in by the entry points of our own distribution, as anybody else's do.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import sys
from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from harness.errors import PluginError
from harness.util.digest import digest, file_digest
from harness.util.formatting import listing
from harness.util.suggestions import did_you_mean

FIRST_OPTION = ""
"""Stands for the name of a plug-in's first option in its short form (``- fitted: counseling``)."""

OWN_DISTRIBUTION = "jostle"
"""Plug-ins that its entry points name are ours: their versions hold all that decides."""

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Registry(Generic[T]):
    """Names to plug-ins, each a class to construct or a function to use as it is.

    Args:
        noun: What is registered, for messages ("perturbation").
        group: Entry-point group to read on first use.
    """

    def __init__(self, noun: str, group: str) -> None:
        self.noun = noun
        self._group = group
        self._targets: dict[str, str | Callable[..., Any]] = {}
        self._scanned = False
        self._shipped: set[str] = set()

    def register(self, name: str) -> Callable[[F], F]:
        """Return a decorator that registers a class or function under the name that users write."""
        self._scan()

        def decorate(plugin: F) -> F:
            self._add(name, plugin)
            return plugin

        return decorate

    def names(self) -> list[str]:
        """Return all known names, sorted."""
        self._scan()
        return sorted(self._targets)

    def get(self, name: str) -> Callable[..., Any]:
        """Return the class or function behind ``name``, imported now; raise PluginError if unknown."""
        self._scan()
        if name not in self._targets:
            raise PluginError(
                f"unknown {self.noun} {name!r}.{did_you_mean(name, list(self._targets))}"
            )
        target = self._targets[name]
        if isinstance(target, str):
            module, _, attribute = target.partition(":")
            try:
                target = getattr(importlib.import_module(module), attribute)
            except (ImportError, AttributeError) as error:
                raise PluginError(
                    f"{self.noun} {name!r} points to {target!r}, which cannot be imported: {error}"
                ) from error
            self._targets[name] = target
        return target

    def create(self, name: str, options: Mapping[str, Any] | None = None, **given: Any) -> T:
        """Build the plug-in: a class is called with ``options``, a function is used as it is.

        Args:
            name: Registered name.
            options: The user's options, checked against the signature.
            given: What the harness offers; passed only to those who ask for it by name.

        Raises:
            PluginError: Unknown name, unknown or missing option, or the plug-in refused its options.
        """
        plugin = self.get(name)
        options = dict(options or {})
        if not inspect.isclass(plugin):
            if options:
                raise PluginError(
                    f"{self.noun} {name!r} is a plain function and takes no options;"
                    f" remove {', '.join(sorted(options))}"
                )
            return cast(T, plugin)
        parameters = inspect.signature(plugin).parameters
        if FIRST_OPTION in options and parameters:
            options[next(iter(parameters))] = options.pop(FIRST_OPTION)
        takes_any = any(p.kind is p.VAR_KEYWORD for p in parameters.values())
        for option in options:
            if option not in parameters and not takes_any:
                raise PluginError(
                    f"{self.noun} {name!r} has no option {option!r}."
                    f"{did_you_mean(option, [p for p in parameters if p not in given])}"
                )
        offered = {k: v for k, v in given.items() if k in parameters}
        if missing := [p for p in _required(parameters) if p not in options and p not in offered]:
            raise PluginError(f"{self.noun} {name!r} needs {listing(missing)}")
        try:
            return cast(T, plugin(**{**offered, **options}))
        except (TypeError, ValueError) as error:
            raise PluginError(f"{self.noun} {name!r}: {error}") from error

    def describe(self, name: str) -> str:
        """Return the first line of the plug-in's docstring."""
        return (inspect.getdoc(self.get(name)) or "").partition("\n")[0]

    def foreign_digest(self, name: str, options: Mapping[str, Any] | None = None) -> str:
        """Return a digest that tells a foreign plug-in from others: its name, options and file.

        A version alone does not: one file may hold several plug-ins that all say "1", and it may be
        edited. Empty for the plug-ins of our own distribution, whose versions hold all that decides:
        a release must not throw away paid judgements for a comment.

        Raises:
            PluginError: Unknown name, or its module cannot be imported.
        """
        plugin = self.get(name)
        if name in self._shipped:
            return ""
        try:
            code = file_digest(Path(inspect.getfile(plugin)))
        except (TypeError, OSError):
            code = ""
        # YAML has values that JSON lacks, such as dates.
        given = json.loads(json.dumps(dict(options or {}), default=str))
        return digest([name, given, code])

    def _add(self, name: str, target: str | Callable[..., Any]) -> None:
        if name in self._targets and self._identity(self._targets[name]) != self._identity(target):
            raise PluginError(
                f"{self.noun} {name!r} is registered twice: by {self._identity(self._targets[name])}"
                f" and by {self._identity(target)}; rename one of them"
            )
        self._targets[name] = target

    @staticmethod
    def _identity(target: str | Callable[..., Any]) -> str:
        if isinstance(target, str):
            return target
        return f"{target.__module__}:{target.__qualname__}"

    def _scan(self) -> None:
        if self._scanned:
            return
        self._scanned = True
        for point in entry_points(group=self._group):
            self._add(point.name, point.value)
            if point.dist is not None and point.dist.name == OWN_DISTRIBUTION:
                self._shipped.add(point.name)


def _required(parameters: Mapping[str, inspect.Parameter]) -> list[str]:
    """Return the options without which a plug-in cannot be built."""
    variadic = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return [
        name
        for name, p in parameters.items()
        if p.default is inspect.Parameter.empty and p.kind not in variadic
    ]


perturbations: Registry[Any] = Registry("perturbation", "jostle.perturbations")
judges: Registry[Any] = Registry("judge", "jostle.judges")
models: Registry[Any] = Registry("model provider", "jostle.models")

perturbation = perturbations.register
judge = judges.register
model = models.register


def load_plugin_file(path: Path) -> None:
    """Import a user's Python file, so that its decorators register what it holds."""
    path = path.resolve()
    name = f"jostle_plugin_{path.stem}_{digest(str(path))[:8]}"
    if name in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None or not path.is_file():
        raise PluginError(f"plug-in file {path} does not exist or is not a Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        if isinstance(error, PluginError):
            raise
        raise PluginError(f"plug-in file {path}: {type(error).__name__}: {error}") from error
