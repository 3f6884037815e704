"""Learned or memorised: verdicts, conditions and evidence of the probes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass

from harness.analysis.estimates import Interval
from harness.analysis.memorisation_schema import (
    CanaryExposure,
    Memorisation,
    SeparationAuc,
    SubjectMemorisation,
    TextComparison,
    TextShift,
)
from reports.sections.section import PageData, PageSection

SCORES = {"loss": "Loss", "min_k": "Min-K%", "min_k_pp": "Min-K%++"}


def membership_rows(one: SubjectMemorisation) -> list[tuple[str, Mapping[str, Interval]]]:
    """Return, for each score that tells training from clean prompts, its AUC by ``how``."""
    rows: defaultdict[str, dict[str, Interval]] = defaultdict(dict)
    for auc in one.membership:
        rows[auc.score][auc.how] = Interval(mean=auc.value, low=auc.low, high=auc.high)
    return [(label, rows[score]) for score, label in SCORES.items() if score in rows]


def interval_of(area: SeparationAuc) -> Interval:
    """Return an AUC as the cell of a table shows it."""
    return Interval(mean=area.value, low=area.low, high=area.high)


def comparisons(shift: TextShift) -> list[tuple[TextComparison, str]]:
    """Return what was compared: all texts and, where there are any, matched pairs, with a title."""
    whole, matched = shift.whole, shift.matched
    rows = [(whole, f"{whole.training} training and {whole.clean} clean texts")]
    if matched is not None:
        rows.append((matched, f"{matched.training} pairs matched on length and topic"))
    return rows


def likeness_words(shift: TextShift) -> str:
    """Say whether training and clean texts are alike, and what that means for the verdict."""
    words = {
        "alike": "Yes, as far as a classifier can tell: a difference between their gains is not that of"
        " two kinds of text.",
        "different": "No: a classifier tells them apart without any model. What their gains differ in"
        " may be the kind of text.",
        "unclear": "That is not shown: there are too few texts to say.",
    }
    text = words[shift.whole.likeness]
    if shift.whole.likeness == "alike" or shift.match == "never":
        return text
    if shift.matched is None:
        return f"{text} Only {len(shift.pairs)} pairs of them match on length and topic, too few."
    if shift.matched.likeness == "alike":
        return (
            f"{text} {len(shift.pairs)} pairs matched on length and topic are alike and are used."
        )
    return f"{text} {len(shift.pairs)} pairs matched on length and topic are not shown to be alike."


@dataclass(frozen=True)
class ExposureRow:
    """The canaries that were planted equally often, for one subject; exposures in bits."""

    subject: str
    repeats: int
    canaries: int
    mean: float
    most: float
    possible: float
    likeliest: int


def exposure_rows(memorisation: Memorisation) -> list[ExposureRow]:
    """Summarise the canaries by subject and number of repeats."""
    groups: defaultdict[tuple[str, int], list[CanaryExposure]] = defaultdict(list)
    for canary in memorisation.canaries:
        groups[canary.subject, canary.repeats].append(canary)
    rows = []
    for (subject, repeats), canaries in sorted(groups.items()):
        exposures = [canary.exposure or 0.0 for canary in canaries]
        rows.append(
            ExposureRow(
                subject=subject,
                repeats=repeats,
                canaries=len(canaries),
                mean=sum(exposures) / len(exposures),
                most=max(exposures),
                possible=canaries[0].most,
                likeliest=sum(canary.rank == 1 for canary in canaries),
            )
        )
    return rows


def context(page: PageData) -> dict[str, object]:
    """Return the names that the template needs."""
    memorisation = page.summary.memorisation
    assert memorisation is not None
    return {
        "memorisation": memorisation,
        "membership_rows": membership_rows,
        "comparisons": comparisons,
        "interval_of": interval_of,
        "likeness_words": likeness_words,
        "exposures": exposure_rows(memorisation),
    }


def applies(page: PageData) -> bool:
    """Return whether anything was probed."""
    return page.summary.memorisation is not None


SECTION = PageSection("memory", "Learned?", "memorisation", context, applies)
