"""Learned or memorised: verdicts, conditions and evidence of the probes."""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.estimates import Interval
from harness.analysis.memorisation_schema import CanaryExposure, Memorisation, SubjectMemorisation
from reports.sections.section import PageData, PageSection

SCORES = {"loss": "Loss", "min_k": "Min-K%", "min_k_pp": "Min-K%++"}


@dataclass(frozen=True)
class MembershipRow:
    """How well one score tells training from clean prompts, as an AUC.

    Attributes:
        label: The score's name for people.
        base: By the baseline's score.
        raw: By the subject's score.
        relative: By the subject's score less the baseline's.
    """

    label: str
    base: Interval | None
    raw: Interval | None
    relative: Interval | None


def membership_rows(one: SubjectMemorisation) -> list[MembershipRow]:
    """Return a row for each score that tells training from clean prompts."""
    rows = []
    for score, label in SCORES.items():
        aucs = {
            auc.how: Interval(mean=auc.value, low=auc.low, high=auc.high)
            for auc in one.membership
            if auc.score == score
        }
        if aucs:
            rows.append(
                MembershipRow(label, aucs.get("base"), aucs.get("raw"), aucs.get("relative"))
            )
    return rows


@dataclass(frozen=True)
class ExposureRow:
    """The canaries that were planted equally often, for one subject.

    Attributes:
        subject: The subject.
        repeats: How often they were planted.
        canaries: The canaries.
    """

    subject: str
    repeats: int
    canaries: tuple[CanaryExposure, ...]

    @property
    def mean(self) -> float:
        """Return the mean exposure in bits."""
        return sum(self._exposures) / len(self.canaries)

    @property
    def most(self) -> float:
        """Return the largest exposure in bits."""
        return max(self._exposures)

    @property
    def first(self) -> int:
        """Return the number of canaries that are likelier than every rival."""
        return sum(canary.rank == 1 for canary in self.canaries)

    @property
    def _exposures(self) -> list[float]:
        return [canary.exposure or 0.0 for canary in self.canaries]


def exposure_rows(memorisation: Memorisation) -> list[ExposureRow]:
    """Group the canaries by subject and number of repeats."""
    groups: dict[tuple[str, int], list[CanaryExposure]] = {}
    for canary in memorisation.canaries:
        groups.setdefault((canary.subject, canary.repeats), []).append(canary)
    return [ExposureRow(*key, tuple(rows)) for key, rows in sorted(groups.items())]


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    memorisation = page.summary.memorisation
    assert memorisation is not None
    return {
        "memorisation": memorisation,
        "membership_rows": membership_rows,
        "exposures": exposure_rows(memorisation),
    }


def applies(page: PageData) -> bool:
    """Return whether anything was probed."""
    return page.summary.memorisation is not None


SECTION = PageSection("memory", "Learned?", "memorisation", context, applies)
