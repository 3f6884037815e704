"""A judge must not judge its own answers: weights shared with a subject are refused or told."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Protocol

from harness.errors import PluginError

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
    shared = sorted(
        {
            name
            for member in _members(judge)
            for name, fingerprint in subjects.items()
            if _same(member.fingerprint, fingerprint)
        }
    )
    if not shared:
        return None
    whom = ", ".join(shared)
    if not all(
        getattr(member, "allow_self_judging", False)
        for member in _members(judge)
        if any(_same(member.fingerprint, subjects[name]) for name in shared)
    ):
        raise _refused(label, whom)
    return f"judge {label!r} has the same base weights as {whom}: it judges itself"


def check_named(label: str, judge: Any, subjects: Sequence[Subject]) -> None:
    """Refuse, by names alone, a local judge that names the very model of a subject.

    Loads nothing, so that the refusal comes before a run has spent anything; what goes by another
    name is found by ``check_self_judging`` once the subjects were loaded.

    Raises:
        PluginError: They are the same and ``allow_self_judging`` is not set.
    """
    for member in _named(judge):
        shared = [subject.name for subject in subjects if subject.model == member.named_model]
        if shared and not getattr(member, "allow_self_judging", False):
            raise _refused(label, ", ".join(shared))


def _refused(label: str, whom: str) -> PluginError:
    return PluginError(
        f"judge {label!r} has the same base weights as {whom}: a model must not judge itself;"
        " take another model, or set allow_self_judging: true, which the report then says"
    )


def _named(judge: Any) -> Iterator[Any]:
    members = getattr(judge, "members", None)
    if isinstance(members, Mapping):
        for member in members.values():
            yield from _named(member)
    elif getattr(judge, "named_model", None) is not None:
        yield judge


def _members(judge: Any) -> Iterator[Any]:
    members = getattr(judge, "members", None)
    if isinstance(members, Mapping):
        for member in members.values():
            yield from _members(member)
    elif getattr(judge, "fingerprint", None) is not None:
        yield judge


def _same(a: Mapping[str, str], b: Mapping[str, str]) -> bool:
    return any(all(a.get(f) and a.get(f) == b.get(f) for f in fields) for fields in _SAME)
