"""What reports say of a judge that was checked: of each dimension, its best check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Protocol, runtime_checkable

from harness.judging.calibration_records import Calibration, Compared, lookup
from harness.protocols import Judge

_Found = tuple[Calibration, Compared]


@runtime_checkable
class BringsCalibrations(Protocol):
    """A judge that brings results of checks with it, as one learned from labels does."""

    @property
    def calibrations(self) -> Sequence[Calibration]:
        """Return how far it was checked before it was installed."""
        ...


def calibration_of(judge: Judge, name: str, code: str = "") -> dict[str, Any] | None:
    """Return how far a judge was checked: here by ``jostle calibrate``, or before it came here.

    Args:
        judge: The judge.
        name: Its registered name.
        code: Digest of a foreign plug-in (``Registry.foreign_digest``).

    Returns:
        What ``report`` returns.
    """
    brought = judge.calibrations if isinstance(judge, BringsCalibrations) else ()
    return report([*lookup(name, judge.version, code), *brought])


def summary(compared: Sequence[Compared]) -> str:
    """One line for a judge: what it agrees with, dimension by dimension."""
    groups: dict[str, list[Compared]] = {}
    for one in compared:
        groups.setdefault(one.verdict, []).append(one)
    parts = []
    for verdict, members in groups.items():
        # Rows name several dimensions at once: the greatest count is the number of rows.
        most = max(members, key=lambda one: one.independent_labels or one.author_labels or 0)
        labelled = "" if most.independent_labels is None else f" ({most.labelled})"
        said = ", ".join(f"{one.dimension} {one.figure}" for one in members)
        parts.append(f"{verdict}: {said}{labelled}")
    by_authors = [one for one in compared if one.basis == "authors"]
    if by_authors and len(by_authors) == len(compared):
        never = "not" if any(one.independent_labels for one in by_authors) else "never"
        parts.append(f"{never} checked against independent people")
    elif by_authors:
        names = ", ".join(one.dimension for one in by_authors)
        parts.append(f"not checked against independent people: {names}")
    return "; ".join(parts)


def report(calibrations: Iterable[Calibration]) -> dict[str, Any] | None:
    """The best check of every dimension, for summary and page; None where there is none.

    Independent people go before authors, labels that the judge was not learned from before
    cross-validation, and then the most items.

    Returns:
        ``summary``, ``trusted`` and ``own`` (authors' labels alone) of the judge; ``by_dimension``,
        a sentence each; ``dimensions[]`` and ``preferences[]``, all figures with the labels they
        come from; ``sources[]``, the files of labels with their outcomes.
    """
    everything = list(calibrations)
    scores = _best((c, a) for c in everything for a in c.dimensions)
    pairs = _best((c, p) for c in everything for p in c.preferences)
    found = [*scores, *pairs]
    if not found:
        return None
    by_dimension: dict[str, str] = {}
    for _, one in sorted(found, key=_rank, reverse=True):
        by_dimension.setdefault(one.dimension, one.sentence)
    sources = {id(calibration): calibration for calibration, _ in found}.values()
    compared = [one for _, one in found]
    return {
        "summary": summary(compared),
        "trusted": all(one.trusted for one in compared),
        "own": all(one.basis == "authors" for one in compared),
        "by_dimension": {one.dimension: by_dimension[one.dimension] for one in compared},
        "dimensions": [_row(*pair) for pair in scores],
        "preferences": [_row(*pair) for pair in pairs],
        "sources": [
            calibration.model_dump(mode="json", exclude={"dimensions", "preferences"})
            for calibration in sources
        ],
    }


def _best(found: Iterable[_Found]) -> list[_Found]:
    best: dict[str, _Found] = {}
    for pair in found:
        known = best.get(pair[1].dimension)
        if known is None or _rank(pair) > _rank(known):
            best[pair[1].dimension] = pair
    return list(best.values())


def _rank(pair: _Found) -> tuple[bool, bool, int]:
    one = pair[1]
    return one.basis == "people", not one.cross_validated, one.items


def _row(calibration: Calibration, one: Compared) -> dict[str, Any]:
    return {
        **one.model_dump(mode="json"),
        "trusted": one.trusted,
        "labels": calibration.labels,
        "split": calibration.split,
    }
