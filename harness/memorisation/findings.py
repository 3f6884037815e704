"""From probe records to ``summary["memorisation"]``: evidence with intervals, and the verdict.

The unit is the prompt: the rewordings of one prompt are averaged first. Subject and base are paired
prompt by prompt; training and clean prompts are different prompts and are not paired.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from harness.analysis.memorisation_schema import Memorisation
from harness.analysis.summary_schema import LightColour, Summary, TrafficLight
from harness.analysis.test_family import number
from harness.analysis.traffic_lights import make_light
from harness.memorisation import conditions as rules
from harness.memorisation.canaries import SPACE_BITS, exposure
from harness.memorisation.copying import TOO_SHORT
from harness.memorisation.subject_evidence import SubjectEvidence
from harness.records import Probe

MEMORISATION_VERSION = 2
LEAST_RIVALS = 20
QUESTION = "Learned?"


def memorisation(
    probes: Iterable[Probe],
    *,
    baseline: str,
    subjects: Sequence[str],
    seed: int,
    resamples: int = 10_000,
    level: float = 0.95,
) -> dict[str, Any]:
    """Evidence and verdict for every subject but the baseline.

    Args:
        probes: All records of the stage.
        baseline: The control.
        subjects: All subjects, in the order of the suite.
        seed: Seed of the run.
        resamples: Bootstrap resamples.
        level: Confidence level.

    Returns:
        JSON-able; the keys are documented in ``reports/README.md``.
    """
    records = list(probes)
    of: dict[str, list[Probe]] = defaultdict(list)
    for record in records:
        of[record.subject].append(record)
    errors = Counter(
        (r.subject, r.probe, r.error.kind, r.error.message) for r in records if r.error is not None
    )
    failed = [
        {"subject": s, "probe": p, "kind": k, "message": m, "count": count}
        for (s, p, k, m), count in sorted(errors.items())
    ]
    return {
        "version": MEMORISATION_VERSION,
        "rules": {
            "version": rules.RULES_VERSION,
            **{
                name.lower(): getattr(rules, name)
                for name in (
                    "LEAST_PROMPTS",
                    "STILL",
                    "CHANGED",
                    "LEAST_GAIN",
                    "LOST",
                    "KEPT",
                    "FOREIGN",
                    "FORM",
                    "RECITED",
                )
            },
        },
        "subjects": [
            SubjectEvidence(
                of[baseline], of[name], (baseline, name), seed, resamples, level
            ).summary()
            for name in subjects
            if name != baseline
        ],
        "canaries": _canaries(of, subjects),
        "failures": [row for row in failed if row["kind"] != TOO_SHORT],
        "not_applicable": [row for row in failed if row["kind"] == TOO_SHORT],
    }


def _canaries(of: dict[str, list[Probe]], subjects: Sequence[str]) -> list[dict[str, Any]]:
    """Exposure of every canary for every subject, in bits."""
    rows = []
    for subject in subjects:
        found: dict[str, dict[int, Probe]] = defaultdict(dict)
        for record in of[subject]:
            if record.probe == "canary" and record.error is None:
                found[record.sample_id][record.replicate] = record
        for name, ratings in sorted(found.items()):
            rivals = [r.values["nll"] for number_, r in sorted(ratings.items()) if number_]
            if 0 not in ratings or len(rivals) < LEAST_RIVALS:
                continue
            bits = exposure(ratings[0].values["nll"], rivals)
            rows.append(
                {
                    "subject": subject,
                    "canary": name,
                    "repeats": int(ratings[0].values["repeats"]),
                    "exposure": number(bits.fitted),
                    "sampled": number(bits.sampled),
                    "rank": bits.rank,
                    "rivals": len(rivals),
                    "most": number(SPACE_BITS),
                }
            )
    return rows


COLOURS: dict[str, LightColour] = {
    "learned": "green",
    "partly memorised": "amber",
    "memorised": "red",
    "no effect": "amber",
    "cannot tell": "grey",
}


def lights_of(memorisation: Memorisation) -> list[TrafficLight]:
    """Return one light a subject."""
    return [
        make_light(QUESTION, COLOURS[s.verdict], s.reasons[0], s.subject, s.verdict)
        for s in memorisation.subjects
    ]


def with_memorisation(summary: Summary, memorisation: Memorisation | None) -> Summary:
    """Return a run's summary with the probes' part, and their lights before the others."""
    others = [light for light in summary.traffic_lights if light.question != QUESTION]
    lights = lights_of(memorisation) if memorisation else []
    return summary.model_copy(
        update={"memorisation": memorisation, "traffic_lights": (*lights, *others)}
    )
