"""A run out of arrays: what every subject scored on every variant, analysed by the real functions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.analysis import (
    AnalysisSettings,
    BootstrapSettings,
    RunRecords,
    Summary,
    summarise,
)
from harness.analysis.summary_schema import TrafficLight
from harness.judging.traits import JudgeInfo
from harness.records import Completion, Dimension, Generation, Message, Sample, Score, Variant

SUBJECTS = ("base", "tuned")
PEOPLE = ("sister", "manager", "father", "friend", "neighbour", "partner", "teacher", "landlord")
THINGS = ("a letter", "the rent", "an exam", "the garden", "a fever", "our wedding", "the car")


def array_records(
    values: Mapping[Dimension, NDArray[np.float64]],
    kinds: Sequence[str],
    subjects: Sequence[str] = SUBJECTS,
) -> RunRecords:
    """Build the records of a run.

    Args:
        values: By dimension (each of a judge of its own name), shape (prompts, subjects, kinds);
            NaN is an answer that the judge could not read.
        kinds: What was asked, ``original`` first.
        subjects: The baseline first.
    """
    samples, variants, generations, scores = [], [], [], []
    prompts = len(next(iter(values.values())))
    for number in range(prompts):
        person, thing = PEOPLE[number % 8], THINGS[number // 8 % 7]
        text = f"{number} {person}: what do I say to my {person} about {thing}, number {number}?"
        sample = Sample(id=f"s{number:04d}", messages=(Message(role="user", content=text),))
        samples.append(sample)
        for place, kind in enumerate(kinds):
            key: dict[str, Any] = {"sample_id": sample.id, "perturbation": kind}
            variants.append(Variant(**key, messages=sample.messages))
            for column, subject in enumerate(subjects):
                completion = Completion(text=f"{subject} {number} {kind}", finish_reason="stop")
                generations.append(Generation(**key, subject=subject, completion=completion))
                for dimension, of_dimension in values.items():
                    value = float(of_dimension[number, column, place])
                    unread = bool(np.isnan(value))
                    if "original_answer" in dimension.needs and kind == "original":
                        continue
                    scores.append(
                        Score(
                            **key,
                            judge=dimension.name,
                            dimension=dimension.name,
                            version="1",
                            subject=subject,
                            value=None if unread else value,
                            status="unparsed" if unread else "scored",
                        )
                    )
    return RunRecords(samples, variants, generations, scores, list(subjects), subjects[0])


def array_summary(
    values: Mapping[Dimension, NDArray[np.float64]],
    kinds: Sequence[str] = ("original", "typo"),
    subjects: Sequence[str] = SUBJECTS,
    **settings: Any,
) -> Summary:
    """Analyse such a run; ``settings`` are those of the analysis."""
    judges = [JudgeInfo(dimension.name, [dimension]) for dimension in values]
    return summarise(
        array_records(values, kinds, subjects),
        judges,
        AnalysisSettings(BootstrapSettings(1, 1000), **settings),
    )


def light(summary: Summary, question: str, subject: str = "tuned") -> TrafficLight:
    """Return one traffic light of a subject."""
    return next(
        one for one in summary.traffic_lights if (one.question, one.subject) == (question, subject)
    )
