"""The prompts that are probed: training prompts, their rewordings, and clean ones beside them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.analysis.table import families_of
from harness.audit import mark_families
from harness.config import ProbesSection
from harness.data.loading import first_per_prompt
from harness.records import ORIGINAL, Message, Probe, Sample
from harness.text.normalise import normalise_prompt
from harness.util.digest import derived_rng
from harness.variants.expand import expand
from harness.variants.gate import Gate
from harness.variants.kinds import Kind


class ProbedPrompt(NamedTuple):
    """One prompt to probe; group, form and replicate as in :class:`harness.records.Probe`."""

    group: str
    form: str
    sample_id: str
    replicate: int
    messages: tuple[Message, ...]
    reference: str

    def record(self, probe: str, subject: str, **fields: Any) -> Probe:
        """Make the record of a probe of this prompt."""
        group, form, sample_id, replicate, *_ = self
        return Probe.model_validate(
            {"probe": probe, "group": group, "form": form, "sample_id": sample_id}
            | {"replicate": replicate, "subject": subject}
            | fields
        )


OTHER_RESPONSE, REWORDED = 0, 1
"""Replicate of a neighbour: another response to the same prompt in the data, or a rewording of ours."""


def choose_prompts(
    training: Sequence[Sample],
    evaluation: Sequence[Sample],
    spec: ProbesSection,
    seed: int,
    kinds: Sequence[Kind],
    gate: Gate,
) -> list[ProbedPrompt]:
    """Draw the probed prompts; the same seed and data give the same prompts.

    Of the prompts under test (``evaluation``) only those are drawn that the audit found clean.

    Returns:
        Training prompts, their rewordings, neighbours of their responses, clean prompts, and each
        clean prompt's reference under the prompt of another clean sample (where there are two). Rows
        without an answer, system rows and repeated prompts are never drawn.
    """
    trained = _draw(training, spec.training, seed, "training")
    clean = _draw([s for s in evaluation if s.audit == "clean"], spec.clean, seed, "clean")
    prompts = [_original("training", sample) for sample in trained]
    prompts += _reworded(trained, spec.variants, seed, kinds, gate)
    prompts += _neighbours(trained, training, seed, kinds, gate)
    prompts += [_original("clean", sample) for sample in clean]
    if len(clean) > 1:
        # A rotation of a drawn order leaves no reference at its own prompt.
        others = [*clean[1:], clean[0]]
        prompts += [
            _original("clean", sample)._replace(form="foreign", messages=other.messages)
            for sample, other in zip(clean, others, strict=True)
        ]
    return prompts


def usable_samples(samples: Sequence[Sample]) -> list[Sample]:
    """Keep the samples that can be probed: each prompt once, and only with a response."""
    return [s for s in first_per_prompt(samples) if s.reference and s.reference.strip()]


def _draw(samples: Sequence[Sample], count: int, seed: int, group: str) -> list[Sample]:
    """Draw prompts, of related ones (near-duplicates, ``group_by``) only one: each is an observation.

    Others are drawn in the place of those left out, as long as there are any.
    """
    rest, rng = usable_samples(samples), derived_rng(seed, "probes", group)
    chosen: list[Sample] = []
    while rest and len(chosen) < count:
        drawn = rng.sample(rest, min(count - len(chosen), len(rest)))
        taken = {id(sample) for sample in drawn}
        rest = [sample for sample in rest if id(sample) not in taken]
        chosen = _unrelated([*chosen, *drawn])
    return chosen


def _unrelated(samples: Sequence[Sample]) -> list[Sample]:
    """Keep the first of each family."""
    number = families_of(mark_families(samples).samples)
    seen: set[int] = set()
    kept = []
    for sample in samples:
        if number[sample.id] not in seen:
            seen.add(number[sample.id])
            kept.append(sample)
    return kept


def _original(group: str, sample: Sample) -> ProbedPrompt:
    assert sample.reference is not None
    return ProbedPrompt(group, "original", sample.id, 0, sample.messages, sample.reference)


def _reworded(
    samples: Sequence[Sample], count: int, seed: int, kinds: Sequence[Kind], gate: Gate
) -> list[ProbedPrompt]:
    """Make the first ``count`` valid rewordings of each sample, its kinds in a drawn order."""
    conversations = _rewordings(samples, count, seed, kinds, gate)
    return [
        _original("training", sample)._replace(form="variant", replicate=number, messages=messages)
        for sample in samples
        for number, messages in enumerate(conversations[sample.id][:count])
    ]


def _neighbours(
    samples: Sequence[Sample],
    training: Sequence[Sample],
    seed: int,
    kinds: Sequence[Kind],
    gate: Gate,
) -> list[ProbedPrompt]:
    """Put beside each response another one to the same prompt, or else a rewording of it.

    What was learned makes these likelier too; what was memorised does not. Responses that can be
    reworded by no kind have no neighbour.
    """
    others: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for row in training:
        if row.reference and row.reference.strip():
            others[_normalised(row)].append(row.reference)
    neighbours: dict[str, tuple[int, str]] = {}
    for sample in samples:
        same = normalise_prompt(sample.reference or "")
        other = next(
            (text for text in others[_normalised(sample)] if normalise_prompt(text) != same), None
        )
        if other is not None:
            neighbours[sample.id] = (OTHER_RESPONSE, other)
    as_prompts = [
        sample.model_copy(
            update={
                "messages": (Message(role="user", content=sample.reference or ""),),
                "metadata": {},
            }
        )
        for sample in samples
        if sample.id not in neighbours
    ]
    for sample_id, drawn in _rewordings(as_prompts, 1, seed, kinds, gate).items():
        if drawn:
            neighbours[sample_id] = (REWORDED, drawn[0][-1].content)
    return [
        _original("training", sample)._replace(form="neighbour", replicate=how, reference=text)
        for sample in samples
        if sample.id in neighbours
        for how, text in [neighbours[sample.id]]
    ]


def _normalised(sample: Sample) -> tuple[str, ...]:
    return tuple(f"{m.role} {normalise_prompt(m.content)}" for m in sample.messages)


def _rewordings(
    samples: Sequence[Sample], count: int, seed: int, kinds: Sequence[Kind], gate: Gate
) -> dict[str, list[tuple[Message, ...]]]:
    """Return the valid rewordings of each sample, by id, in a drawn order."""
    if not count or not samples:
        return defaultdict(list)
    expanded = expand(
        samples,
        [kind for kind in kinds if not kind.traits.same_text],
        seed=seed,
        variants_per_kind=1,
        variants_per_prompt=count,
        gate=gate,
    )
    conversations: dict[str, list[tuple[Message, ...]]] = defaultdict(list)
    for variant in expanded:
        if variant.status == "valid" and variant.perturbation != ORIGINAL:
            conversations[variant.sample_id].append(variant.messages)
    for sample_id, drawn in conversations.items():
        derived_rng(seed, "probes", "variants", sample_id).shuffle(drawn)
    return conversations


class ProbeWorkload(NamedTuple):
    """The work of one subject, at most: a rewording that no kind can make is not sent.

    Attributes:
        ratings: Texts whose likelihood is measured; nothing is written for them.
        answers: Answers and continuations of up to ``max_new_tokens`` tokens.
    """

    training: int
    clean: int
    ratings: int
    answers: int


def probe_workload(
    spec: ProbesSection, *, training: int, clean: int, canaries: int = 0
) -> ProbeWorkload:
    """Count the requests to one subject, by the prompts that could be probed and the canaries."""
    training, clean = min(training, spec.training), min(clean, spec.clean)
    reworded = training * spec.variants
    foreign = clean if clean > 1 else 0
    return ProbeWorkload(
        training=training,
        clean=clean,
        ratings=2 * training + reworded + clean + foreign + canaries * (1 + spec.canary_candidates),
        answers=training + reworded + clean + training + clean,
    )
