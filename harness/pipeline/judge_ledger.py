"""The ledger of what the judges cost: cumulative, by judge, in the manifest."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from harness.judging.metered import Metered
from harness.judging.traits import is_priced
from harness.pipeline.session import Session
from harness.protocols import Spending

EVERY_S = 10.0
"""A process that is killed loses at most this much from the ledger."""


@contextmanager
def booked(session: Session, label: str, meter: Metered) -> Iterator[Callable[[], None]]:
    """Add to the ledger what the meter counts within the block, however the block ends.

    Yields:
        To be called now and then, so that the ledger on disk keeps up.
    """
    begun = meter.spent
    before = session.manifest.judges.get(label, {})
    spent_before = Spending(
        **{name: (before.get("cost") or {}).get(name, 0) for name in Spending._fields}
    )
    written = time.monotonic()

    def write() -> None:
        total = spent_before.plus(meter.spent.minus(begun))
        if total == spent_before:
            return
        # Sums of binary fractions are not the sums that people write.
        entry: dict[str, Any] = {
            name: round(value, 9) for name, value in total._asdict().items()
        } | {"priced": is_priced(meter.judge)}
        told = session.manifest.judges.get(label, {})
        session.update(judges={**session.manifest.judges, label: {**told, "cost": entry}})

    def now_and_then() -> None:
        nonlocal written
        if time.monotonic() - written > EVERY_S:
            written = time.monotonic()
            write()

    try:
        yield now_and_then
    finally:
        write()
