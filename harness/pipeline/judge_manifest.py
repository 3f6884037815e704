"""What the manifest says of the judges of a run."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.judging.traits import declared_traits
from harness.pipeline.assemble import NamedJudge
from harness.pipeline.session import Session
from harness.protocols import Judge, ReportsStructure


def described(session: Session, named: Sequence[NamedJudge]) -> dict[str, Any]:
    """The judges as the manifest tells of them, with what each cost so far.

    One that the suite no longer lists stays there where it cost something: that is spent.
    """
    before = session.manifest.judges
    found: dict[str, Any] = {}
    for one in named:
        told = _describe(one)
        known = before.get(one.label, {})
        if told["structured"] is None and known.get("version") == told["version"]:
            told["structured"] = known.get("structured")  # this time nothing had to be asked
        found[one.label] = told | {"cost": known.get("cost")}
    gone = {
        label: {"gone": True, "cost": known["cost"]}
        for label, known in before.items()
        if label not in found and known.get("cost")
    }
    return found | gone


def _describe(named: NamedJudge) -> dict[str, Any]:
    """What the manifest says of a judge."""
    return {
        "version": named.judge.version,
        "repeats": named.repeats,
        "llm": declared_traits(named.judge).llm,
        "structured": _structured(named.judge),
        "dimensions": [dimension.model_dump(mode="json") for dimension in named.judge.dimensions],
    }


def _structured(judge: Judge) -> Any:
    """How an endpoint was held to JSON, as far as that is known; of a panel, by member."""
    members = declared_traits(judge).members
    if not members:
        return judge.level if isinstance(judge, ReportsStructure) else None
    known = {label: _structured(member) for label, member in members.items()}
    return {label: level for label, level in known.items() if level} or None
