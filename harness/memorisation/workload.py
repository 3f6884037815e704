"""How much the probes of a suite ask of each subject, known before anything is asked."""

from __future__ import annotations

from typing import NamedTuple

from harness.config import ProbesSection


class Amount(NamedTuple):
    """What one subject has to do, at most: rewordings that no kind can make are not asked.

    Attributes:
        training: Training prompts that are probed.
        clean: Clean prompts that are probed.
        ratings: Texts whose likelihood is measured; nothing is written for them.
        answers: Answers and continuations of up to ``max_new_tokens`` tokens.
    """

    training: int
    clean: int
    ratings: int
    answers: int


def amount(spec: ProbesSection, *, training: int, clean: int, canaries: int = 0) -> Amount:
    """Count the asks of :func:`harness.memorisation.probe_requests.of_items` and ``of_canaries`` for one subject.

    Args:
        spec: The suite's ``probes`` section.
        training: Training prompts that could be probed.
        clean: Clean prompts that could be.
        canaries: Planted secrets.
    """
    training, clean = min(training, spec.training), min(clean, spec.clean)
    reworded = training * spec.variants
    foreign = clean if clean > 1 else 0
    return Amount(
        training=training,
        clean=clean,
        ratings=training + reworded + clean + foreign + canaries * (1 + spec.canary_candidates),
        answers=training + reworded + clean + training + clean,
    )
