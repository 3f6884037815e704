"""The rates of the unknown-prompt test, out of a run's records.

=======================  ==========================================================================
refusal                  answers to unknown prompts that refuse
false_answer             answers to unknown prompts that say something and do not refuse
uses_name                those of them that use the invented name, and so are about it for certain
empty                    answers that hold neither letter nor digit, to unknown or known prompts
false_refusal            answers to known prompts that refuse
exact_match              answers to known prompts equal to the reference after normalisation
rouge_l                  ROUGE-L to the reference on known prompts, from the judge's scores
=======================  ==========================================================================

A prompt counts once: several answers to it (variants, repeats) are averaged first. Failed
generations are counted as missing and are in no rate. Prompts whose metadata hold no ``known`` are
left out and counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.records import IDENTITY, ORIGINAL, Generation, Sample, Score, Variant, VariantKey
from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import clustered_wilson
from harness.text.normalise import normalise_prompt
from harness.unanswerable.detectors import Detector
from harness.util.digest import derived_seed

VARIANTS = "variants"
PHRASES = "phrases"
JUDGE = "judge"
SHOWN = 10


class Reply(NamedTuple):
    """One answer, as the rates see it.

    Attributes:
        known: Whether the prompt can be answered.
        names_it: Whether it uses the name that was invented for the prompt.
        refused: By detector; None where that detector has no verdict (the judge failed).
        exact: Equal to the reference; None without a reference.
        rouge_l: To the reference; None without a score.
    """

    sample_id: str
    perturbation: str
    known: bool
    empty: bool
    names_it: bool
    refused: dict[str, bool | None]
    exact: bool | None
    rouge_l: float | None
    text: str


def unknown_rates(
    samples: Sequence[Sample],
    variants: Iterable[Variant],
    generations: Iterable[Generation],
    scores: Iterable[Score],
    detectors: Mapping[str, Detector],
    *,
    judge: tuple[str, str] | None = None,
    primary: str = PHRASES,
    seed: int = 0,
) -> dict[str, Any]:
    """Rates for every subject, on the originals, under perturbation and for each kind of it.

    Args:
        samples: With ``known`` in their metadata, see ``harness.unanswerable.plant``.
        variants: Of those samples; only valid ones count.
        generations: The subjects' answers.
        scores: For ROUGE-L (dimension ``rouge_l``), and for the judge's verdict on refusals.
        detectors: Name to detector, see ``detect.detectors``.
        judge: Label and dimension of the judge that says whether an answer refuses, on a scale
            from 0 to 1 (0.5 and more refuses), as rubric ``refusal`` has it; None without one.
        primary: Which way of finding refusals the rates rest on: a detector's name or ``judge``.
        seed: Of the intervals' resamples.

    Returns:
        ``{"prompts": {known, unknown, unmarked}, "primary", "subjects": {name: {"missing",
        "asked": {"original" | "variants" | perturbation: {rate: {value, low, high, prompts} or
        None}}, "detectors": {...}}}}``. ``detectors`` has each one's refusal rates on the originals
        and, for every two, the share of answers on which they agree, Cohen's kappa, and answers on
        which they do not.

    Raises:
        ValueError: ``primary`` names no detector.
    """
    ways = [*detectors, *([JUDGE] if judge else [])]
    if primary not in ways:
        raise ValueError(f"primary must be one of {', '.join(ways)}, not {primary!r}")
    replies, missing = _replies(samples, variants, generations, scores, detectors, judge)
    marked = [sample.metadata.get("known") for sample in samples]
    return {
        "prompts": {
            "known": sum(known is True for known in marked),
            "unknown": sum(known is False for known in marked),
            "unmarked": sum(not isinstance(known, bool) for known in marked),
        },
        "primary": primary,
        "subjects": {
            subject: {
                "missing": missing[subject],
                "asked": _asked(found, primary, seed),
                "detectors": _compared(
                    [reply for reply in found if reply.perturbation == ORIGINAL], ways, seed
                ),
            }
            for subject, found in replies.items()
        },
    }


def _replies(
    samples: Sequence[Sample],
    variants: Iterable[Variant],
    generations: Iterable[Generation],
    scores: Iterable[Score],
    detectors: Mapping[str, Detector],
    judge: tuple[str, str] | None,
) -> tuple[dict[str, list[Reply]], dict[str, int]]:
    """Answers by subject, and how many generations failed."""
    by_id = {s.id: s for s in samples if isinstance(s.metadata.get("known"), bool)}
    valid = {v.variant_key for v in variants if v.status == "valid" and v.sample_id in by_id}
    rouge: dict[tuple[str, VariantKey, int], list[float]] = defaultdict(list)
    verdicts: dict[tuple[str, VariantKey, int], list[float]] = defaultdict(list)
    for score in scores:
        if score.status != "scored" or score.value is None:
            continue
        key = (score.subject, score.variant_key, score.repeat)
        if judge is not None and (score.judge, score.dimension) == judge:
            verdicts[key].append(score.value)
        elif score.dimension == "rouge_l":
            rouge[key].append(score.value)
    replies: dict[str, list[Reply]] = defaultdict(list)
    missing: dict[str, int] = defaultdict(int)
    for generation in generations:
        if generation.variant_key not in valid or generation.perturbation == IDENTITY:
            continue
        text = generation.completion.text
        if text is None:
            missing[generation.subject] += 1
            continue
        key = (generation.subject, generation.variant_key, generation.repeat)
        sample = by_id[generation.sample_id]
        planted = sample.metadata.get("planted")
        names = [str(name) for name in planted] if isinstance(planted, list) else []
        refused: dict[str, bool | None] = {
            name: detector(text, names) for name, detector in detectors.items()
        }
        if judge is not None:
            refused[JUDGE] = float(np.mean(verdicts[key])) >= 0.5 if verdicts[key] else None
        replies[generation.subject].append(
            Reply(
                sample_id=sample.id,
                perturbation=generation.perturbation,
                known=sample.metadata["known"] is True,
                empty=not any(character.isalnum() for character in text),
                names_it=any(name.lower() in text.lower() for name in names),
                refused=refused,
                exact=_same(text, sample.reference),
                rouge_l=float(np.mean(rouge[key])) if rouge[key] else None,
                text=text,
            )
        )
    for subject in missing:
        replies.setdefault(subject, [])
    return dict(sorted(replies.items())), missing


def _same(answer: str, reference: str | None) -> bool | None:
    return None if reference is None else normalise_prompt(answer) == normalise_prompt(reference)


def _asked(replies: Sequence[Reply], primary: str, seed: int) -> dict[str, dict[str, Any]]:
    groups = {
        ORIGINAL: [reply for reply in replies if reply.perturbation == ORIGINAL],
        VARIANTS: [reply for reply in replies if reply.perturbation != ORIGINAL],
    }
    for name in sorted({reply.perturbation for reply in groups[VARIANTS]}):
        groups[name] = [reply for reply in replies if reply.perturbation == name]
    return {name: _rates(group, primary, seed) for name, group in groups.items()}


def _rates(replies: Sequence[Reply], way: str, seed: int) -> dict[str, Any]:
    unknown = [reply for reply in replies if not reply.known]
    known = [reply for reply in replies if reply.known]

    def false_answer(reply: Reply) -> bool | None:
        refused = reply.refused[way]
        return None if refused is None else not refused and not reply.empty

    columns: dict[str, list[tuple[str, float | None]]] = {
        "refusal": [(r.sample_id, r.refused[way]) for r in unknown],
        "false_answer": [(r.sample_id, false_answer(r)) for r in unknown],
        "uses_name": [
            (r.sample_id, None if (said := false_answer(r)) is None else said and r.names_it)
            for r in unknown
        ],
        "empty_unknown": [(r.sample_id, r.empty) for r in unknown],
        "false_refusal": [(r.sample_id, r.refused[way]) for r in known],
        "empty_known": [(r.sample_id, r.empty) for r in known],
        "exact_match": [(r.sample_id, r.exact) for r in known],
        "rouge_l": [(r.sample_id, r.rouge_l) for r in known],
    }
    return {name: _estimate(values, name, seed) for name, values in columns.items()}


def _estimate(
    values: Iterable[tuple[str, float | None]], name: str, seed: int
) -> dict[str, Any] | None:
    """Mean over prompts with its 95 % interval; None where nothing is there to average.

    Zeros and ones have the Wilson interval, on the effective sample size where a prompt was asked
    more than once; ROUGE-L has the studentised bootstrap.
    """
    by_prompt: dict[str, list[float]] = defaultdict(list)
    for sample_id, value in values:
        if value is not None:
            by_prompt[sample_id].append(float(value))
    if not by_prompt:
        return None
    answers = sum(map(len, by_prompt.values()))
    means = np.array([np.mean(by_prompt[key]) for key in sorted(by_prompt)])
    low: float | None
    high: float | None
    if name == "rouge_l":
        stream = np.random.Generator(np.random.PCG64(derived_seed(seed, "unknown", name)))
        interval = studentised_bootstrap(means[:, None], rng=stream, low=0.0, high=1.0)
        low, high = _number(interval.low), _number(interval.high)
    else:
        low, high = clustered_wilson(means, answers)
    return {
        "mean": float(means.mean()),
        "low": low,
        "high": high,
        "prompts": len(means),
        "answers": answers,
    }


def _number(values: NDArray[np.float64]) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])


def _compared(replies: Sequence[Reply], ways: Sequence[str], seed: int) -> dict[str, Any]:
    """Each way's rates on the originals, and how far each two of them agree."""
    rates: dict[str, Any] = {}
    for way in ways:
        found = _rates(replies, way, seed)
        rates[way] = {name: found[name] for name in ("refusal", "false_refusal")}
    pairs = []
    for first, second in combinations(ways, 2):
        both = [r for r in replies if None not in (r.refused[first], r.refused[second])]
        a = np.array([bool(reply.refused[first]) for reply in both])
        b = np.array([bool(reply.refused[second]) for reply in both])
        apart = [reply for reply, x, y in zip(both, a, b, strict=True) if x != y]
        pairs.append(
            {
                "ways": [first, second],
                "answers": len(both),
                "agreement": float((a == b).mean()) if both else None,
                "kappa": _kappa(a, b) if both else None,
                "only_first": int((a & ~b).sum()) if both else 0,
                "only_second": int((b & ~a).sum()) if both else 0,
                "examples": [
                    {
                        "sample_id": reply.sample_id,
                        "refused": {way: reply.refused[way] for way in (first, second)},
                        "answer": " ".join(reply.text.split())[:200],
                    }
                    for reply in apart[:SHOWN]
                ],
            }
        )
    return {"rates": rates, "pairs": pairs}


def _kappa(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float | None:
    """Cohen's kappa (1960); None where chance alone agrees always."""
    expected = float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
    return None if expected == 1.0 else float(((a == b).mean() - expected) / (1 - expected))
