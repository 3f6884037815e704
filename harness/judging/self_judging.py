"""A judge must not judge its own answers: weights shared with a subject are refused or told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from harness.errors import PluginError
from harness.judging.members import leaves

_SAME = (("weights",), ("provider", "model"))
"""Fields of a fingerprint that make two models the same base weights."""


class Subject(Protocol):
    """What is read of a suite's subject."""

    @property
    def name(self) -> str:
        """Its name in the suite."""

    @property
    def model(self) -> str:
        """The model as the suite names it."""


def check_self_judging(
    label: str, judge: Any, subjects: Mapping[str, Mapping[str, str]]
) -> str | None:
    """Refuse a judge that shares base weights with a subject, unless the suite allows it.

    Args:
        label: The judge's name in the suite.
        judge: Any judge; one without a ``fingerprint`` (or ``members`` with one) shares nothing.
        subjects: By name, the fingerprint of each subject's model.

    Returns:
        The warning that the report must show where it is allowed; None where nothing is shared.

    Raises:
        PluginError: It shares the weights and ``allow_self_judging`` is not set.
    """
    shared: set[str] = set()
    allowed = True
    for leaf in leaves(judge):
        own = getattr(leaf, "fingerprint", None) or {}
        mine = {name for name, known in subjects.items() if _same(own, known)}
        shared |= mine
        allowed &= not mine or bool(getattr(leaf, "allow_self_judging", False))
    if not shared:
        return None
    whom = ", ".join(sorted(shared))
    if not allowed:
        raise _refused(label, whom)
    return f"judge {label!r} has the same base weights as {whom}: it judges itself"


def check_named(label: str, judge: Any, subjects: Sequence[Subject]) -> None:
    """Refuse, by names alone, a local judge that names the very model of a subject.

    Loads nothing, so that the refusal comes before a run has spent anything; what goes by another
    name is found by ``check_self_judging`` once the subjects were loaded.

    Raises:
        PluginError: They are the same and ``allow_self_judging`` is not set.
    """
    for leaf in leaves(judge):
        own = getattr(leaf, "named_model", None)
        shared = [subject.name for subject in subjects if own and subject.model == own]
        if shared and not getattr(leaf, "allow_self_judging", False):
            raise _refused(label, ", ".join(shared))


def _refused(label: str, whom: str) -> PluginError:
    return PluginError(
        f"judge {label!r} has the same base weights as {whom}: a model must not judge itself;"
        " take another model, or set allow_self_judging: true, which the report then says"
    )


def _same(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    return any(all(a.get(f) and a.get(f) == b.get(f) for f in fields) for fields in _SAME)
