"""From a run's records to ``summary.json``: every figure of the report comes from here."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.analysis import evidence as telling
from harness.analysis import leak_gaps as leakage
from harness.analysis import sentences as words
from harness.analysis.common_levels import radar
from harness.analysis.counts import (
    FailureCount,
    JudgementCount,
    count_generations,
    count_variants,
)
from harness.analysis.estimands import Estimands, Scope, is_rate, sign_of
from harness.analysis.judge_outcomes import JudgingCount
from harness.analysis.table import ALL, Table, build, prompt_cluster
from harness.analysis.test_family import Ledger
from harness.errors import DataError
from harness.records import Dimension, Generation, Sample, Score, Variant
from harness.util.formatting import plural

SUMMARY_VERSION = 2
LLM_JUDGES = frozenset({"rubric", "pairwise", "panel", "local"})
MIN_SCOPE = 10
"""Fewest prompts for which a part of the run (clean, leaked, a topic) is estimated on its own."""

MAX_TOPICS = 30


@dataclass(frozen=True)
class Options:
    """What a summary can be told beyond the records.

    Attributes:
        resamples: Bootstrap resamples (and least number of sign flips).
        level: Confidence level of every interval.
        llm_judges: Names of the judges that are language models.
        deterministic: Subjects whose noise floor is zero by construction (fp32, greedy).
        calibration: By judge, how far it agrees with human labels: ``summary`` (one line) and
            ``trusted``.
        learned_judges: Names of the judges that were learned from people's labels.
        repeated_judges: Names of those that graded every answer more than once.
        panels: Names of the judges that are panels.
        topic_key: Field of a sample's metadata that names its topic.
    """

    resamples: int = 10_000
    level: float = 0.95
    llm_judges: Collection[str] = LLM_JUDGES
    deterministic: Collection[str] = ()
    calibration: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    learned_judges: Collection[str] = ()
    repeated_judges: Collection[str] = ()
    panels: Collection[str] = ()
    topic_key: str = "topic"


def summarise(
    *,
    samples: Sequence[Sample],
    variants: Sequence[Variant],
    generations: Iterable[Generation],
    scores: Iterable[Score],
    dimensions: Mapping[str, Sequence[Dimension]],
    baseline: str,
    subjects: Sequence[str],
    seed: int,
    warnings: Sequence[str] = (),
    resamples: int = 10_000,
    options: Options | None = None,
) -> dict[str, Any]:
    """Estimate everything the report shows.

    Args:
        samples: The prompts under test.
        variants: What was made of them, originals included, and what could not be made.
        generations: The answers; read once.
        scores: The judgements; read once.
        dimensions: What each judge measures, by judge name.
        baseline: The subject that the others are compared with.
        subjects: All subjects, in the order of the suite.
        seed: Seed of the run.
        warnings: Lines that must stand in the report.
        resamples: Bootstrap resamples.
        options: Further settings; ``resamples`` above wins over its own.

    Returns:
        A JSON-able dictionary; its keys are documented in ``reports/README.md``.

    Raises:
        DataError: No samples, or ``baseline`` is no subject.
    """
    options = options or Options()
    if not samples:
        raise DataError("nothing to analyse: the run has no samples")
    if baseline not in subjects:
        raise DataError(f"baseline {baseline!r} is not among the subjects ({', '.join(subjects)})")
    failures = FailureCount()
    kinds = count_variants(variants, failures)
    answers = count_generations(generations, subjects, failures)
    judgements = JudgementCount(failures)
    judging = JudgingCount(options.repeated_judges, options.panels)
    table = build(
        samples=samples,
        variants=variants,
        scores=judging.passing(judgements.passing(scores)),
        dimensions=dimensions,
        subjects=subjects,
        llm_judges=frozenset(options.llm_judges) & set(dimensions),
        learned_judges=frozenset(options.learned_judges) & set(dimensions),
    )
    headline = words.choose_headline(table)
    audit = _audit_labels(table, samples)
    scopes = _scopes(table, samples, audit)
    main = scopes[1] if len(scopes) > 1 and scopes[1].name == "clean" else scopes[0]
    ledger = Ledger(len(table.clusters))
    estimands = Estimands(table, ledger, headline, main, baseline)
    estimands.cells()
    estimands.contrasts([*scopes, *_topics(table, options.topic_key)])
    estimands.pairs()
    estimands.severities()
    estimands.worst_cases()
    solved = ledger.solve(seed=seed, resamples=resamples, level=options.level)
    contrasts = _contrasts(estimands, solved, table)
    cells = _cells(estimands, solved, table)
    evidence = telling.evidence(table, headline, contrasts, cells, main, baseline)
    notes = [*warnings, *table.notes, *_version_notes(dimensions, judgements)]
    gaps = leakage.three_ways(
        table, scopes, baseline, seed=seed, resamples=resamples, level=options.level
    )
    leak = leakage.first_line(audit, main.name, gaps, table, headline)
    cautions = words.cautions(evidence, int(main.prompts.sum()), answers)
    standing = telling.standing(headline, cells)
    finding = telling.finding(table, headline, evidence, standing, cautions, leak)
    agreement = {
        (judge, row["dimension"]): row["spearman"]["value"]
        for judge, known in options.calibration.items()
        for row in known.get("dimensions", ())
        if row["spearman"]["value"] is not None
    }
    whole = [c for c in contrasts if c["scope"] == main.name and c["kind"] == ALL]
    for said in finding["subjects"]:
        if line := words.elsewhere(table, said["subject"], whole, headline, agreement):
            said["also"].append(line)
    return {
        "schema_version": SUMMARY_VERSION,
        "seed": seed,
        "level": options.level,
        "resamples": resamples,
        "tests": ledger.tests,
        "baseline": baseline,
        "subjects": list(subjects),
        "prompts": len(table.clusters),
        "samples": len(samples),
        "kinds": kinds,
        "judges": {
            name: {
                "llm": name in table.llm,
                "dimensions": [d.model_dump(mode="json") for d in own],
                "learned": name in table.learned,
                **judgements.of(name),
                **judging.of(name),
                "calibration": dict(options.calibration[name])
                if name in options.calibration
                else None,
            }
            for name, own in dimensions.items()
        },
        "measures": _measures(table),
        "headline": {
            "measures": [list(m) for m in headline],
            "words": words.rests_on(table, headline),
            "scope": main.name,
            "prompts": int(main.prompts.sum()),
        },
        "finding": finding,
        "lights": telling.traffic_lights(
            table, headline, evidence, cells, contrasts, audit, main, options.calibration
        ),
        "radar": [radar(table, measure, main.prompts) for measure in headline],
        "contrasts": [c for c in contrasts if not c["scope"].startswith("topic ")],
        "topics": [c for c in contrasts if c["scope"].startswith("topic ")],
        "cells": cells,
        "pairs": estimands.read("pairs", solved),
        "severities": estimands.read("severities", solved),
        "worst": estimands.read("worst", solved),
        "leak_gaps": gaps,
        "noise": telling.noise(table, headline, cells, answers, options.deterministic),
        "audit": audit,
        "answers": answers,
        "failures": failures.rows(),
        "warnings": notes,
    }


def _measures(table: Table) -> list[dict[str, Any]]:
    return [
        {
            "judge": measure[0],
            "dimension": measure[1],
            "label": words.label(measure),
            "low": dimension.low,
            "high": dimension.high,
            "higher_is_better": dimension.higher_is_better,
            "llm": measure[0] in table.llm,
            "rate": is_rate(table, measure),
            "against": table.baseline_for(measure),
            "description": dimension.description,
            "mean_of": [m[1] for m in table.parts.get(measure, [])] or None,
        }
        for measure, dimension in table.dimensions.items()
    ]


def _audit_labels(table: Table, samples: Sequence[Sample]) -> dict[str, int]:
    """Source prompts by audit label; one leaked sample makes its prompt leaked."""
    labels = _labels(samples)
    found = [labels[content] for content in table.clusters]
    return {name: found.count(name) for name in ("clean", "leaked", "unchecked")}


def _labels(samples: Sequence[Sample]) -> dict[str, str]:
    rank = {"clean": 0, "unchecked": 1, "leaked": 2}
    labels: dict[str, str] = {}
    for sample in samples:
        content = prompt_cluster(sample)
        labels[content] = max(labels.get(content, "clean"), sample.audit, key=lambda x: rank[x])
    return labels


def _scopes(table: Table, samples: Sequence[Sample], audit: Mapping[str, int]) -> list[Scope]:
    """All prompts; where some leaked, also those that did not and those that did."""
    scopes = [Scope("all", np.ones(len(table.clusters), dtype=np.bool_))]
    if not audit["leaked"]:
        return scopes
    labels = _labels(samples)
    leaked = np.array([labels[c] == "leaked" for c in table.clusters], dtype=np.bool_)
    if (~leaked).sum() >= MIN_SCOPE:
        scopes.append(Scope("clean", ~leaked))
    scopes.append(Scope("leaked", leaked))
    return scopes


def _topics(table: Table, key: str) -> list[Scope]:
    """One scope for each topic with enough prompts, the largest first."""
    topics = np.array(
        [str(s.metadata[key]) if s.metadata.get(key) is not None else "" for s in table.samples],
        dtype=np.str_,
    )
    names, counts = np.unique(topics[topics != ""], return_counts=True)
    ranked = sorted(zip(names, counts, strict=True), key=lambda x: (-x[1], x[0]))
    if len(ranked) < 2:
        return []
    return [
        Scope(f"topic {name}", topics == name)
        for name, count in ranked[:MAX_TOPICS]
        if count >= MIN_SCOPE
    ]


def _contrasts(
    estimands: Estimands, solved: dict[Hashable, dict[str, Any]], table: Table
) -> list[dict[str, Any]]:
    rows = estimands.read("contrasts", solved)
    for row in rows:
        gain = row["gain_originals"]
        sign = sign_of(table, (row["judge"], row["dimension"]))
        ends = [gain["low"], gain["high"]] if gain else []
        real = bool(ends) and None not in ends and min(sign * end for end in ends) > 0
        if not real:
            row["kept"] = None
    return rows


def _cells(
    estimands: Estimands, solved: dict[Hashable, dict[str, Any]], table: Table
) -> list[dict[str, Any]]:
    """Cells with the drop (worse is positive) and the worst case at the largest common k."""
    worst: dict[tuple[str, ...], dict[str, Any]] = {}
    for row in estimands.read("worst", solved):
        key = (row["subject"], row["judge"], row["dimension"], row["kind"])
        if row["k"] > worst.get(key, {"k": 0})["k"]:
            worst[key] = row
    rows = estimands.read("cells", solved)
    for row in rows:
        change, sign = row["change"], sign_of(table, (row["judge"], row["dimension"]))
        row["drop"] = None
        if change is not None and sign:
            ends = [None if change[e] is None else -sign * change[e] + 0.0 for e in ("low", "high")]
            low, high = ends if sign < 0 else ends[::-1]
            row["drop"] = {"mean": -sign * change["mean"] + 0.0, "low": low, "high": high}
        found = worst.get((row["subject"], row["judge"], row["dimension"], row["kind"]))
        row["worst"] = {"k": found["k"], **found["expected_worst"]} if found else None
    return rows


def _version_notes(
    dimensions: Mapping[str, Sequence[Dimension]], judgements: JudgementCount
) -> list[str]:
    """A judge whose scores come from several versions is not one measure."""
    notes = []
    for name in dimensions:
        versions = judgements.of(name)["versions"]
        if len(versions) > 1:
            notes.append(
                f"judge {name}: its scores come from {plural(len(versions), 'version')};"
                " judge the run again before comparing them"
            )
    return notes
