"""Which prompts are probed: training prompts, their rewordings, and clean ones beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from harness.config import ProbesSection
from harness.data.loading import first_per_prompt
from harness.records import ORIGINAL, Message, Probe, Sample
from harness.util.digest import derived_rng
from harness.variants.expand import expand
from harness.variants.kinds import Kind


class Item(NamedTuple):
    """One prompt to probe.

    Attributes:
        group: As in :class:`harness.records.Probe`.
        form: Likewise.
        replicate: Number of the rewording.
        messages: What is asked.
        reference: What the sample's own answer is.
    """

    group: str
    form: str
    sample_id: str
    replicate: int
    messages: tuple[Message, ...]
    reference: str

    def record(self, probe: str, subject: str, **fields: Any) -> Probe:
        """The record of a probe of this prompt."""
        return Probe.model_validate(
            {
                "probe": probe,
                "group": self.group,
                "form": self.form,
                "sample_id": self.sample_id,
                "replicate": self.replicate,
                "subject": subject,
                **fields,
            }
        )


def choose(
    training: Sequence[Sample],
    evaluation: Sequence[Sample],
    spec: ProbesSection,
    kinds: Sequence[Kind],
    *,
    seed: int,
    gate: Any = None,
) -> list[Item]:
    """Draw the probed prompts; the same seed and data give the same prompts.

    Args:
        training: Every row that was trained on.
        evaluation: The prompts under test with the audit's verdict; only clean ones are drawn.
        spec: How many of each.
        kinds: The suite's perturbations, for the rewordings.
        seed: The suite's seed.
        gate: What decides whether a rewording is valid; the default gate if None.

    Returns:
        Training prompts, their rewordings, clean prompts, and each clean prompt's reference under
        the prompt of another clean sample (where there are two). Rows without an answer, system
        rows and prompts that stand there again are never drawn.
    """
    trained = _draw(training, spec.training, seed, "training")
    clean = _draw([s for s in evaluation if s.audit == "clean"], spec.clean, seed, "clean")
    items = [_item("training", sample) for sample in trained]
    items += _variants(trained, kinds, spec.variants, seed, gate)
    items += [_item("clean", sample) for sample in clean]
    if len(clean) > 1:
        # A rotation of a drawn order leaves no reference at its own prompt.
        others = [*clean[1:], clean[0]]
        items += [
            _item("clean", sample)._replace(form="foreign", messages=other.messages)
            for sample, other in zip(clean, others, strict=True)
        ]
    return items


def usable(samples: Sequence[Sample]) -> list[Sample]:
    """Samples that can be probed: each prompt once, and only with a response."""
    return [s for s in first_per_prompt(samples) if s.reference and s.reference.strip()]


def _draw(samples: Sequence[Sample], count: int, seed: int, what: str) -> list[Sample]:
    found = usable(samples)
    return derived_rng(seed, "probes", what).sample(found, min(count, len(found)))


def _item(group: str, sample: Sample) -> Item:
    assert sample.reference is not None
    return Item(group, "original", sample.id, 0, sample.messages, sample.reference)


def _variants(
    samples: Sequence[Sample], kinds: Sequence[Kind], count: int, seed: int, gate: Any
) -> list[Item]:
    """The first ``count`` valid rewordings of each sample, its kinds in a drawn order."""
    if not count or not samples:
        return []
    found: dict[str, list[tuple[Message, ...]]] = {sample.id: [] for sample in samples}
    real = [kind for kind in kinds if not getattr(kind.plugin, "same_text", False)]
    made = expand(
        samples, real, seed=seed, variants_per_kind=1, variants_per_prompt=count, gate=gate
    )
    by_sample: dict[str, list[Any]] = {sample.id: [] for sample in samples}
    for variant in made:
        if variant.status == "valid" and variant.perturbation != ORIGINAL:
            by_sample[variant.sample_id].append(variant)
    for sample_id, variants in by_sample.items():
        derived_rng(seed, "probes", "variants", sample_id).shuffle(variants)
        found[sample_id] = [variant.messages for variant in variants[:count]]
    return [
        _item("training", sample)._replace(form="variant", replicate=number, messages=messages)
        for sample in samples
        for number, messages in enumerate(found[sample.id])
    ]
