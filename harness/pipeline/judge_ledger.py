"""What a run keeps about its judges: entries in the manifest, costs included, and members' verdicts."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cache
from typing import Any

from harness.judging.metered import Metered, is_priced
from harness.judging.traits import declared_traits, traits_of
from harness.pipeline.assemble import NamedJudge
from harness.pipeline.cache import Cache
from harness.pipeline.session import Session
from harness.protocols import Judge, ReportsStructure, Spending, VerdictStore

EVERY_S = 10.0
"""A process that is killed loses at most this much from the ledger."""

WITHIN_RUN = "members.sqlite"
"""In the run folder: verdicts that may not be kept across runs."""


@contextmanager
def ledger_entry(session: Session, label: str, meter: Metered) -> Iterator[Callable[[], None]]:
    """Add to the manifest what the meter counts within the block, however the block ends.

    Yields what is to be called now and then, so that the ledger on disk keeps up.
    """
    begun = meter.spent
    before = session.manifest.judges.get(label, {}).get("cost") or {}
    spent_before = Spending(**{name: before.get(name, 0) for name in Spending._fields})
    written = time.monotonic()

    def write() -> None:
        total = spent_before.plus(meter.spent.minus(begun))
        if total == spent_before:
            return
        # Sums of binary fractions are not the sums that people write.
        cost: dict[str, Any] = {name: round(value, 9) for name, value in total._asdict().items()}
        cost["priced"] = is_priced(meter.judge)
        entry = session.manifest.judges.get(label, {}) | {"cost": cost}
        session.update(judges=session.manifest.judges | {label: entry})

    def keep_up() -> None:
        nonlocal written
        if time.monotonic() - written > EVERY_S:
            written = time.monotonic()
            write()

    try:
        yield keep_up
    finally:
        write()


def manifest_entries(session: Session, judges: Sequence[NamedJudge]) -> dict[str, Any]:
    """Return the manifest's entries of the judges, with what each cost so far.

    One that the suite no longer lists keeps an entry where it cost something: that is spent.
    """
    before = session.manifest.judges
    entries: dict[str, Any] = {}
    for named in judges:
        known = before.get(named.label, {})
        entry = {
            "version": named.judge.version,
            "repeats": named.repeats,
            "llm": declared_traits(named.judge).llm,
            "structured": _structured(named.judge),
            "dimensions": [each.model_dump(mode="json") for each in named.judge.dimensions],
        }
        if entry["structured"] is None and known.get("version") == entry["version"]:
            entry["structured"] = known.get("structured")  # this time nothing had to be asked
        entries[named.label] = entry | {"cost": known.get("cost")}
    gone = {
        label: {"gone": True, "cost": known["cost"]}
        for label, known in before.items()
        if label not in entries and known.get("cost")
    }
    return entries | gone


def _structured(judge: Judge) -> Any:
    """Return how an endpoint was held to JSON, as far as that is known; of a panel, by member."""
    members = declared_traits(judge).members
    if not members:
        return judge.level if isinstance(judge, ReportsStructure) else None
    known = {label: _structured(member) for label, member in members.items()}
    return {label: level for label, level in known.items() if level} or None


@contextmanager
def member_stores(session: Session) -> Iterator[Callable[[Judge], VerdictStore]]:
    """Yield the store for a panel's member: across runs where verdicts may be kept, else in the run."""
    with ExitStack() as opened:
        within_run = cache(
            lambda: opened.enter_context(closing(Cache(session.run.root / WITHIN_RUN)))
        )
        yield lambda member: session.cache if traits_of(member).durable else within_run()
