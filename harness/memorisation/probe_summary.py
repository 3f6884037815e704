"""The probes' part of the summary: evidence with intervals, and the verdict on every subject.

The unit is the prompt: the rewordings of one prompt are averaged first. Subject and base are paired
prompt by prompt; training and clean prompts are different prompts and are not paired.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.analysis.memorisation_schema import (
    CanaryExposure,
    Memorisation,
    ProbeFailureCount,
    TextShift,
)
from harness.analysis.summary_schema import LightColour, Summary, TrafficLight
from harness.analysis.test_family import BootstrapSettings, number
from harness.analysis.traffic_lights import make_light
from harness.memorisation.canaries import SPACE_BITS, exposure
from harness.memorisation.conditions import RULES
from harness.memorisation.copying import TOO_SHORT, Closeness
from harness.memorisation.counterfactual import Counterfactual
from harness.memorisation.halves import halves_contrasts
from harness.memorisation.levels import PromptMeans
from harness.memorisation.subject_evidence import MemorisationBasis, SubjectEvidence
from harness.records import Probe

MEMORISATION_VERSION = 3
LEAST_RIVALS = 20
QUESTION = "Learned?"


@dataclass(frozen=True)
class BesideProbes:
    """What a verdict rests on besides the probes; all of it may be missing.

    Attributes:
        shift: How alike training and clean texts are.
        halves: Records of halves studies, by the subject that they are evidence about.
        unfit: Why a named record is no evidence about a subject, by subject.
    """

    shift: TextShift | None = None
    halves: Mapping[str, Counterfactual] = field(default_factory=dict)
    unfit: Mapping[str, str] = field(default_factory=dict)

    def matched(self) -> bool:
        """Say whether the verdicts rest on matched pairs: they are alike, and all texts are not.

        Where pairs were asked for in any case, the verdicts rest on them however alike the whole is.
        """
        shift = self.shift
        if shift is None or shift.matched is None:
            return False
        return shift.match == "always" or shift.matched.likeness == "alike"

    def of_pairs(self, records: Sequence[Probe]) -> list[Probe]:
        """Keep the records of matched prompts, and those of no group."""
        assert self.shift is not None
        chosen = {
            "training": {pair[0] for pair in self.shift.pairs},
            "clean": {pair[1] for pair in self.shift.pairs},
        }
        return [r for r in records if r.group not in chosen or r.sample_id in chosen[r.group]]

    def basis(self, subject: str, settings: BootstrapSettings) -> MemorisationBasis:
        """Return what the verdict on one subject rests on."""
        record = self.halves.get(subject)
        comparison = None
        if self.shift is not None:
            comparison = self.shift.matched if self.matched() else self.shift.whole
        return MemorisationBasis(
            comparison=comparison,
            matched=self.matched(),
            halves=None
            if record is None
            else halves_contrasts(record, settings, lost=RULES.lost, kept=RULES.kept),
            halves_words=self.unfit.get(subject, "") if record is None else record.sentence(),
        )


def summarise_probes(
    probes: Iterable[Probe],
    *,
    baseline: str,
    subjects: Sequence[str],
    closeness: Closeness,
    settings: BootstrapSettings,
    beside: BesideProbes | None = None,
) -> Memorisation:
    """Collect evidence and verdict for every subject, in this order, but for the baseline.

    ``closeness`` is the measure with which the answers were compared; ``beside`` is other evidence,
    without which nothing is called learned or memorised.
    """
    beside = beside or BesideProbes()
    records = list(probes)
    if beside.matched():
        records = beside.of_pairs(records)
    by_subject: dict[str, list[Probe]] = defaultdict(list)
    for record in records:
        by_subject[record.subject].append(record)
    failures = tuple(_failures(records))
    base = by_subject[baseline]
    evidence = {
        name: SubjectEvidence(
            base, by_subject[name], (baseline, name), PromptMeans(name, settings), closeness
        )
        for name in subjects
        if name != baseline
    }
    return Memorisation(
        version=MEMORISATION_VERSION,
        rules=RULES,
        shift=beside.shift,
        subjects=tuple(one.summary(beside.basis(name, settings)) for name, one in evidence.items()),
        canaries=tuple(_exposures(by_subject, subjects)),
        failures=tuple(row for row in failures if row.kind != TOO_SHORT),
        not_applicable=tuple(row for row in failures if row.kind == TOO_SHORT),
    )


def _failures(records: Iterable[Probe]) -> Iterator[ProbeFailureCount]:
    """Count the failures that are alike."""
    counts = Counter(
        (r.subject, r.probe, r.error.kind, r.error.message) for r in records if r.error is not None
    )
    for (subject, probe, kind, message), count in sorted(counts.items()):
        yield ProbeFailureCount(
            subject=subject, probe=probe, kind=kind, message=message, count=count
        )


def _exposures(
    records: Mapping[str, Sequence[Probe]], subjects: Sequence[str]
) -> Iterator[CanaryExposure]:
    """Yield the exposure of every canary for every subject, in bits."""
    for subject in subjects:
        ratings: dict[str, dict[int, Probe]] = defaultdict(dict)
        for record in records[subject]:
            if record.probe == "canary" and record.error is None:
                ratings[record.sample_id][record.replicate] = record
        for name, of_canary in sorted(ratings.items()):
            secret = of_canary.pop(0, None)
            rivals = [rival.values["nll"] for _, rival in sorted(of_canary.items())]
            if secret is None or len(rivals) < LEAST_RIVALS:
                continue
            bits = exposure(secret.values["nll"], rivals)
            yield CanaryExposure(
                subject=subject,
                canary=name,
                repeats=int(secret.values["repeats"]),
                exposure=number(bits.fitted),
                sampled=number(bits.sampled),
                rank=bits.rank,
                rivals=len(rivals),
                most=round(SPACE_BITS, 4),
            )


def with_memorisation(summary: Summary, memorisation: Memorisation | None) -> Summary:
    """Return a run's summary with the probes' part, and their lights before the others."""
    others = [one for one in summary.traffic_lights if one.question != QUESTION]
    verdicts = traffic_lights(memorisation) if memorisation else ()
    return summary.model_copy(
        update={"memorisation": memorisation, "traffic_lights": (*verdicts, *others)}
    )


COLOURS: dict[str, LightColour] = {
    "learned": "green",
    "partly memorised": "amber",
    "memorised": "red",
    "no effect": "amber",
    "cannot tell": "grey",
}


def traffic_lights(memorisation: Memorisation) -> Iterator[TrafficLight]:
    """Yield a traffic light for each subject."""
    for one in memorisation.subjects:
        yield make_light(QUESTION, COLOURS[one.verdict], one.reasons[0], one.subject, one.word)
