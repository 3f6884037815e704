"""A judge must not judge its own answers: weights shared with a subject are refused or reported."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from harness.errors import PluginError
from harness.judging.traits import declared_traits, leaves, traits_of
from harness.protocols import Judge

_SAME_MODEL = (("weights",), ("provider", "model"))
"""Fields of a fingerprint that make two models the same base weights."""


def check_self_judging(
    label: str, judge: Judge, subjects: Mapping[str, Mapping[str, str]]
) -> str | None:
    """Refuse a judge that shares base weights with a subject, unless the suite allows it.

    A judge without a fingerprint (or members with one) shares nothing.

    Returns:
        The warning for the report; None where nothing is shared.

    Raises:
        PluginError: It shares the weights and ``allow_self_judging`` is not set.
    """

    def shared(leaf: Judge) -> list[str]:
        own_fingerprint = traits_of(leaf).fingerprint
        return [name for name, known in subjects.items() if _same(own_fingerprint, known)]

    return _check(label, judge, shared)


def check_named(label: str, judge: Judge, models: Mapping[str, str]) -> None:
    """Refuse, by names alone, a local judge that names the very model of a subject (by its name).

    Loads nothing, so that the refusal comes before a run has spent anything; what goes by another
    name is noticed by ``check_self_judging`` once the subjects were loaded.

    Raises:
        PluginError: They are the same and ``allow_self_judging`` is not set.
    """

    def shared(leaf: Judge) -> list[str]:
        named = declared_traits(leaf).named_model
        return [name for name, model in models.items() if named and model == named]

    _check(label, judge, shared)


def _check(label: str, judge: Judge, shared: Callable[[Judge], list[str]]) -> str | None:
    by_leaf = [(declared_traits(leaf).allow_self_judging, shared(leaf)) for leaf in leaves(judge)]
    subjects = ", ".join(sorted({name for _, names in by_leaf for name in names}))
    if any(names and not allowed for allowed, names in by_leaf):
        raise PluginError(
            f"judge {label!r} has the same base weights as {subjects}: a model must not judge"
            " itself; take another model, or set allow_self_judging: true, which the report then"
            " says"
        )
    return (
        f"judge {label!r} has the same base weights as {subjects}: it judges itself"
        if subjects
        else None
    )


def _same(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    return any(all(a.get(f) and a.get(f) == b.get(f) for f in fields) for fields in _SAME_MODEL)
