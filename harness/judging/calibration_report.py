"""What reports say of a judge that was checked: of each dimension, its best check."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Protocol, TypeVar, get_args, runtime_checkable

from harness.judging.calibration_records import (
    Calibration,
    CalibrationReport,
    CheckedAgreement,
    CheckedPreference,
    Compared,
    lookup,
)
from harness.judging.labels import Basis
from harness.protocols import Judge

ComparedT = TypeVar("ComparedT", bound=Compared)
_Check = tuple[Calibration, ComparedT]


@runtime_checkable
class BringsCalibrations(Protocol):
    """A judge that brings results of checks with it, as one learned from labels does."""

    calibrations: Sequence[Calibration]


def calibration_of(judge: Judge, name: str, code: str = "") -> CalibrationReport | None:
    """Return how far a judge was checked: here by ``jostle calibrate``, or before it came here."""
    brought = judge.calibrations if isinstance(judge, BringsCalibrations) else ()
    return report([*lookup(name, judge.version, code), *brought])


def summary(compared: Sequence[Compared]) -> str:
    """Return one line for a judge: what it agrees with, dimension by dimension."""
    groups: dict[str, list[Compared]] = {}
    for one in compared:
        groups.setdefault(one.verdict, []).append(one)
    parts = []
    for verdict, members in groups.items():
        # Rows name several dimensions at once: the greatest count is the number of rows.
        most = max(members, key=lambda one: one.label_count)
        labelled = "" if most.independent_labels is None else f" ({most.labelled})"
        figures = ", ".join(f"{one.dimension} {one.figure}{one.elsewhere}" for one in members)
        parts.append(f"{verdict}: {figures}{labelled}")
    unchecked = [one for one in compared if one.basis != "people"]
    if unchecked and len(unchecked) == len(compared):
        never = "not" if any(one.independent_labels for one in unchecked) else "never"
        parts.append(f"{never} checked against independent people")
    elif unchecked:
        names = ", ".join(one.dimension for one in unchecked)
        parts.append(f"not checked against independent people: {names}")
    return "; ".join(parts)


def report(calibrations: Iterable[Calibration]) -> CalibrationReport | None:
    """Choose the best check of every dimension; None where there is none.

    Independent people go before language models and these before authors, labels that the judge was not learned from before
    cross-validation, and then the most items.
    """
    everything = list(calibrations)
    scores = _best((c, a) for c in everything for a in c.dimensions)
    pairs = _best((c, p) for c in everything for p in c.preferences)
    checks: list[tuple[Calibration, Compared]] = [*scores, *pairs]
    if not checks:
        return None
    sentences: dict[str, str] = {}
    for _, one in sorted(checks, key=_rank, reverse=True):
        sentences.setdefault(one.dimension, one.sentence)
    sources = {id(calibration): calibration for calibration, _ in checks}.values()
    compared = [one for _, one in checks]
    return CalibrationReport(
        summary=summary(compared),
        trusted=all(one.trusted for one in compared),
        authors_only=all(one.basis == "authors" for one in compared),
        by_dimension={one.dimension: sentences[one.dimension] for one in compared},
        dimensions=tuple(
            CheckedAgreement(**dict(one), labels=source.labels, split=source.split)
            for source, one in scores
        ),
        preferences=tuple(
            CheckedPreference(**dict(one), labels=source.labels, split=source.split)
            for source, one in pairs
        ),
        sources=tuple(
            source.model_copy(update={"dimensions": (), "preferences": ()}) for source in sources
        ),
    )


def _best(checks: Iterable[_Check[ComparedT]]) -> list[_Check[ComparedT]]:
    by_dimension: dict[str, list[_Check[ComparedT]]] = {}
    for check in checks:
        by_dimension.setdefault(check[1].dimension, []).append(check)
    return [max(of_dimension, key=_rank) for of_dimension in by_dimension.values()]


def _rank(check: tuple[Calibration, Compared]) -> tuple[int, bool, int]:
    one = check[1]
    return -get_args(Basis).index(one.basis), not one.cross_validated, one.items
