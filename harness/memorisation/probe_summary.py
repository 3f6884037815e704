"""The probes' part of the summary: evidence with intervals, and the verdict on every subject.

The unit is the prompt: the rewordings of one prompt are averaged first. Subject and base are paired
prompt by prompt; training and clean prompts are different prompts and are not paired.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence

from harness.analysis.memorisation_schema import CanaryExposure, Memorisation, ProbeFailureCount
from harness.analysis.summary_schema import LightColour, Summary, TrafficLight
from harness.analysis.test_family import BootstrapSettings, number
from harness.analysis.traffic_lights import make_light
from harness.memorisation.canaries import SPACE_BITS, exposure
from harness.memorisation.conditions import RULES
from harness.memorisation.copying import TOO_SHORT, Closeness
from harness.memorisation.levels import PromptMeans
from harness.memorisation.subject_evidence import SubjectEvidence
from harness.records import Probe

MEMORISATION_VERSION = 2
LEAST_RIVALS = 20
QUESTION = "Learned?"


def summarise_probes(
    probes: Iterable[Probe],
    *,
    baseline: str,
    subjects: Sequence[str],
    closeness: Closeness,
    settings: BootstrapSettings,
) -> Memorisation:
    """Collect evidence and verdict for every subject, in this order, but for the baseline.

    ``closeness`` is the measure with which the answers were compared.
    """
    records = list(probes)
    by_subject: dict[str, list[Probe]] = defaultdict(list)
    for record in records:
        by_subject[record.subject].append(record)
    failures = tuple(_failures(records))
    base = by_subject[baseline]
    evidence = [
        SubjectEvidence(
            base, by_subject[name], (baseline, name), PromptMeans(name, settings), closeness
        )
        for name in subjects
        if name != baseline
    ]
    return Memorisation(
        version=MEMORISATION_VERSION,
        rules=RULES,
        subjects=tuple(one.summary() for one in evidence),
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
        yield make_light(QUESTION, COLOURS[one.verdict], one.reasons[0], one.subject, one.verdict)
