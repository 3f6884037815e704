"""What a calibration found, kept under the judge's version so that every report can say it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from harness.digest import digest
from harness.resources import cache_root
from judges.agreement import Estimate

TRUSTED_RHO = 0.3
"""The interval of rho must lie above this, on independent labels, for a judge to count as checked."""


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Step(_Frozen):
    """One step of the reliability chart: what people say where the judge says ``judge``."""

    judge: float
    people: float
    items: int


class KindMeans(_Frozen):
    """One sort of answer (tricks that must not pay included): the judge's mean and the people's."""

    items: int
    judge: float
    people: float


class Agreement(_Frozen):
    """Agreement on one dimension.

    Attributes:
        items: Items that the judge scored.
        people_alpha: Krippendorff's alpha (ordinal) among the annotators, where there are several.
        length_rho: Spearman of the judge's scores with the answers' length in characters.
        people_length_rho: The same of the labels.
    """

    dimension: str
    items: int
    spearman: Estimate
    kendall: Estimate
    kappa: Estimate
    accuracy: Estimate
    people_alpha: float | None
    length_rho: float | None
    people_length_rho: float | None
    reliability: tuple[Step, ...]
    kinds: dict[str, KindMeans] = {}


class Preference(_Frozen):
    """Agreement with pairwise preferences.

    Attributes:
        accuracy: Share of pairs on which judge and people say the same (a, b or tie).
        kappa: Quadratic-weighted, over b < tie < a.
        swap_consistency: Share of pairs judged alike in both orders, where the judge compares.
    """

    dimension: str
    items: int
    accuracy: Estimate
    kappa: Estimate
    swap_consistency: Estimate | None


class Calibration(_Frozen):
    """The result of checking one version of a judge against one file of labels.

    Attributes:
        judge: Its registered name.
        own: All labels come from the makers of the labelled set.
        items: Items in the labels (the split that was used).
        outcomes: Judgements by status, so that what could not be judged is seen.
    """

    judge: str
    version: str
    labels: str
    labels_digest: str
    split: str | None
    annotators: tuple[str, ...]
    own: bool
    items: int
    label_count: int
    outcomes: dict[str, int]
    dimensions: tuple[Agreement, ...] = ()
    preferences: tuple[Preference, ...] = ()

    @property
    def trusted(self) -> bool:
        """Whether every dimension is clearly above ``TRUSTED_RHO`` on independent labels."""
        lows = [a.spearman.low for a in self.dimensions]
        lows += [None if p.kappa.low is None else p.kappa.low for p in self.preferences]
        return (
            not self.own
            and bool(lows)
            and all(low is not None and low > TRUSTED_RHO for low in lows)
        )

    @property
    def summary(self) -> str:
        """One line for the report."""
        figures = [f"{a.dimension} rho {a.spearman} on {a.items}" for a in self.dimensions]
        figures += [
            f"{p.dimension} accuracy {p.accuracy} on {p.items} pairs" for p in self.preferences
        ]
        said = "; ".join(figures)
        if self.own:
            return (
                f"agrees with its authors' labels ({said} items);"
                " never checked against independent people"
            )
        count = len(self.annotators)
        return f"agrees with {count} annotator{'s' if count > 1 else ''}: {said} items"

    def of(self, dimension: str) -> str:
        """One line for the figures of one dimension."""
        found = next((a for a in self.dimensions if a.dimension == dimension), None)
        if found is None:
            return "never checked"
        said = f"rho {found.spearman} on {found.items} items"
        if self.own:
            return (
                f"agrees with its authors' labels: {said}; never checked against independent people"
            )
        count = len(self.annotators)
        return f"agrees with {count} annotator{'s' if count > 1 else ''}: {said}"

    def for_report(self) -> dict[str, Any]:
        """What the report takes: ``summary``, ``trusted``, a line a dimension, and all figures."""
        return {
            "summary": self.summary,
            "trusted": self.trusted,
            "by_dimension": {a.dimension: self.of(a.dimension) for a in self.dimensions},
            **self.model_dump(mode="json"),
        }


def store(calibration: Calibration) -> Path:
    """Keep a result under the judge's version, in the cache folder; returns the file."""
    folder = _folder(calibration.version)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{calibration.labels_digest[:16]}.json"
    draft = path.with_suffix(".part")
    draft.write_text(calibration.model_dump_json(indent=1), encoding="utf-8")
    draft.replace(path)
    return path


def lookup(version: str) -> Calibration | None:
    """The best result kept for this version: independent labels first, then the most items."""
    found = []
    for path in sorted(_folder(version).glob("*.json")):
        try:
            found.append(Calibration.model_validate_json(path.read_text(encoding="utf-8")))
        except (OSError, ValidationError):
            continue  # written by another version of Jostle: as good as none
    return max(found, key=lambda c: (not c.own, c.items), default=None)


def _folder(version: str) -> Path:
    return cache_root() / "calibrations" / digest(version)[:32]


class Calibrated:
    """For judges whose calibration is looked up by their version.

    Attributes:
        version: Of the judge.
    """

    version: str

    @property
    def calibration(self) -> dict[str, Any] | None:
        """How far this very version was checked, for the report; None where it never was."""
        found = lookup(self.version)
        return None if found is None else found.for_report()
