"""The rates of the test with unanswerable prompts, from a run's records.

=======================  ==========================================================================
refusal                  answers to unknown prompts that refuse
false_answer             answers to unknown prompts that say something and do not refuse
uses_name                those of them that use the invented name, and so are about it for certain
empty                    answers that hold neither letter nor digit, to unknown or known prompts
false_refusal            answers to known prompts that refuse
exact_match              answers to known prompts equal to the reference after normalisation
rouge_l                  closeness to the reference on known prompts, from a judge's scores
=======================  ==========================================================================

A prompt counts once: several answers to it (variants, repeats) are averaged first. Failed
generations are counted as missing and are in no rate. Prompts whose metadata hold no ``known`` are
left out and counted.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness.analysis.table import RunRecords, families_of
from harness.analysis.unanswerable_schema import (
    AnswerRate,
    AnswerRates,
    DetectorComparison,
    PromptCount,
    RefusalAgreement,
    RefusalDisagreement,
    RefusalRates,
    SubjectRates,
    Unanswerable,
)
from harness.records import IDENTITY, ORIGINAL, VariantKey
from harness.stats.bootstrap import studentised_bootstrap
from harness.stats.closed_forms import Floats
from harness.stats.cluster_sums import Clustered
from harness.stats.ratios import clustered_wilson
from harness.text.normalise import normalise_prompt
from harness.unanswerable.detectors import JUDGE, RefusalWays
from harness.util.digest import derived_seed

VARIANTS = "variants"
EXAMPLES = 10


_RateInterval: TypeAlias = Callable[
    [Floats, int, NDArray[np.int64]], tuple[float | None, float | None]
]
"""Makes an interval of the prompts' means, the number of answers, and the prompts' families."""


class _Reply(NamedTuple):
    """One answer, as the rates see it.

    Attributes:
        family: Number of the prompt's family, see ``families_of``.
        known: Whether the prompt can be answered.
        names_it: Whether it uses the name that was invented for the prompt.
        refused: By way; None where that way has no verdict (the judge failed).
        exact: Equal to the reference, where there is one.
    """

    sample_id: str
    family: int
    perturbation: str
    known: bool
    empty: bool
    names_it: bool
    refused: dict[str, bool | None]
    exact: bool | None
    closeness: float | None
    text: str


def unanswerable_rates(
    records: RunRecords, ways: RefusalWays, *, closeness: str, seed: int = 0
) -> Unanswerable:
    """Count the rates of every subject, on the originals, under perturbation and for each kind.

    ``closeness`` is the dimension that measures closeness to the reference.
    """
    replies, missing = _replies(records, ways, closeness)
    stream_seed = derived_seed(seed, "unknown", closeness)
    marks = [sample.metadata.get("known") for sample in records.samples]
    return Unanswerable(
        prompts=PromptCount(
            known=sum(known is True for known in marks),
            unknown=sum(known is False for known in marks),
            unmarked=sum(not isinstance(known, bool) for known in marks),
        ),
        primary=ways.primary,
        subjects={
            subject: SubjectRates(
                missing=missing[subject],
                asked=_rates_by_wording(answers, ways.primary, stream_seed),
                detectors=_comparison(
                    [reply for reply in answers if reply.perturbation == ORIGINAL], ways.names
                ),
            )
            for subject, answers in replies.items()
        },
    )


def _replies(
    records: RunRecords, ways: RefusalWays, closeness: str
) -> tuple[dict[str, list[_Reply]], dict[str, int]]:
    """Return the answers by subject, and the number of failed generations by subject."""
    by_id = {s.id: s for s in records.samples if isinstance(s.metadata.get("known"), bool)}
    valid = {
        v.variant_key for v in records.variants if v.status == "valid" and v.sample_id in by_id
    }
    families = families_of(list(by_id.values()))
    close: dict[tuple[str, VariantKey, int], list[float]] = defaultdict(list)
    verdicts: dict[tuple[str, VariantKey, int], list[float]] = defaultdict(list)
    for score in records.scores:
        if score.status != "scored" or score.value is None:
            continue
        key = (score.subject, score.variant_key, score.repeat)
        if ways.judge is not None and (score.judge, score.dimension) == ways.judge:
            verdicts[key].append(score.value)
        elif score.dimension == closeness:
            close[key].append(score.value)
    replies: dict[str, list[_Reply]] = defaultdict(list)
    missing: dict[str, int] = defaultdict(int)
    for generation in records.generations:
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
            name: detector(text, names) for name, detector in ways.detectors.items()
        }
        if ways.judge is not None:
            refused[JUDGE] = float(np.mean(verdicts[key])) >= 0.5 if verdicts[key] else None
        replies[generation.subject].append(
            _Reply(
                sample_id=sample.id,
                family=families[sample.id],
                perturbation=generation.perturbation,
                known=sample.metadata["known"] is True,
                empty=not any(character.isalnum() for character in text),
                names_it=any(name.lower() in text.lower() for name in names),
                refused=refused,
                exact=None
                if sample.reference is None
                else normalise_prompt(text) == normalise_prompt(sample.reference),
                closeness=float(np.mean(close[key])) if close[key] else None,
                text=text,
            )
        )
    subjects = sorted({*replies, *missing})
    return {subject: replies[subject] for subject in subjects}, missing


def _rates_by_wording(replies: Sequence[_Reply], way: str, seed: int) -> dict[str, AnswerRates]:
    """Count the rates on the originals, on all variants, and on each kind of them."""
    groups = {
        ORIGINAL: [reply for reply in replies if reply.perturbation == ORIGINAL],
        VARIANTS: [reply for reply in replies if reply.perturbation != ORIGINAL],
    }
    for name in sorted({reply.perturbation for reply in groups[VARIANTS]}):
        groups[name] = [reply for reply in replies if reply.perturbation == name]
    return {name: _rates(group, way, seed) for name, group in groups.items()}


def _rates(replies: Sequence[_Reply], way: str, seed: int) -> AnswerRates:
    unknown = [reply for reply in replies if not reply.known]
    known = [reply for reply in replies if reply.known]

    def false_answer(reply: _Reply) -> bool | None:
        refused = reply.refused[way]
        return None if refused is None else not refused and not reply.empty

    def uses_name(reply: _Reply) -> bool | None:
        return false_answer(reply) and reply.names_it

    def bootstrap(
        means: Floats, answers: int, families: NDArray[np.int64]
    ) -> tuple[float | None, float | None]:
        stream = np.random.Generator(np.random.PCG64(seed))
        prompts = Clustered(means[:, None], families)
        interval = studentised_bootstrap(prompts, rng=stream, low=0.0, high=1.0)
        return _number(interval.low), _number(interval.high)

    return AnswerRates(
        refusal=_rate(unknown, _refused_by(way)),
        false_answer=_rate(unknown, false_answer),
        uses_name=_rate(unknown, uses_name),
        empty_unknown=_rate(unknown, lambda reply: reply.empty),
        false_refusal=_rate(known, _refused_by(way)),
        empty_known=_rate(known, lambda reply: reply.empty),
        exact_match=_rate(known, lambda reply: reply.exact),
        rouge_l=_rate(known, lambda reply: reply.closeness, bootstrap),
    )


def _refused_by(way: str) -> Callable[[_Reply], bool | None]:
    return lambda reply: reply.refused[way]


def _number(values: Floats) -> float | None:
    return None if np.isnan(values[0]) else float(values[0])


def _share_interval(
    means: Floats, answers: int, families: NDArray[np.int64]
) -> tuple[float | None, float | None]:
    return clustered_wilson(means, answers, clusters=families)


def _rate(
    replies: Iterable[_Reply],
    value_of: Callable[[_Reply], float | None],
    interval: _RateInterval | None = None,
) -> AnswerRate | None:
    """Estimate a mean over prompts; None without answers. An answer without a value is left out.

    The interval is made from the prompts' means, the number of answers and the prompts' families.
    Shares have Wilson's, on the effective sample size where a prompt was sent more than once.
    """
    by_prompt: dict[str, list[float]] = defaultdict(list)
    family: dict[str, int] = {}
    for reply in replies:
        value = value_of(reply)
        if value is not None:
            by_prompt[reply.sample_id].append(float(value))
            family[reply.sample_id] = reply.family
    if not by_prompt:
        return None
    means = np.array([np.mean(by_prompt[key]) for key in sorted(by_prompt)])
    answers = sum(map(len, by_prompt.values()))
    families = np.array([family[key] for key in sorted(by_prompt)], dtype=np.int64)
    low, high = (interval or _share_interval)(means, answers, families)
    return AnswerRate(
        mean=float(means.mean()), low=low, high=high, prompts=len(means), answers=answers
    )


def _comparison(replies: Sequence[_Reply], ways: Sequence[str]) -> DetectorComparison:
    """Compare the rates of every way on the originals, and each two ways answer by answer."""
    known = [reply for reply in replies if reply.known]
    unknown = [reply for reply in replies if not reply.known]
    return DetectorComparison(
        rates={
            way: RefusalRates(
                refusal=_rate(unknown, _refused_by(way)),
                false_refusal=_rate(known, _refused_by(way)),
            )
            for way in ways
        },
        pairs=tuple(_agreement(replies, pair) for pair in combinations(ways, 2)),
    )


def _agreement(replies: Sequence[_Reply], ways: tuple[str, str]) -> RefusalAgreement:
    first, second = ways
    both = [r for r in replies if None not in (r.refused[first], r.refused[second])]
    a = np.array([bool(reply.refused[first]) for reply in both], dtype=bool)
    b = np.array([bool(reply.refused[second]) for reply in both], dtype=bool)
    return RefusalAgreement(
        ways=ways,
        answers=len(both),
        agreement=float((a == b).mean()) if both else None,
        kappa=_kappa(a, b) if both else None,
        only_first=int((a & ~b).sum()),
        only_second=int((b & ~a).sum()),
        examples=tuple(
            RefusalDisagreement(
                sample_id=reply.sample_id,
                refused={way: bool(reply.refused[way]) for way in ways},
                answer=" ".join(reply.text.split())[:200],
            )
            for reply in [r for r in both if r.refused[first] != r.refused[second]][:EXAMPLES]
        ),
    )


def _kappa(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float | None:
    """Compute Cohen's kappa (1960); None where chance alone agrees always."""
    expected = float(a.mean() * b.mean() + (1 - a.mean()) * (1 - b.mean()))
    return None if expected == 1.0 else float(((a == b).mean() - expected) / (1 - expected))
