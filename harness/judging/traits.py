"""Read the traits of a judge: the only place that looks at what a judge says about itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from harness.judging.calibration_records import CalibrationReport
from harness.protocols import (
    DeclaresDurability,
    DeclaresFingerprint,
    DeclaresLlm,
    DescribedJudge,
    Judge,
    JudgeTraits,
)
from harness.records import Dimension

_TEXTS_OF_NEED = {
    "reference": ("reference",),
    # Variants have both, and only variants.
    "original_answer": ("original_question", "original_answer"),
}


@dataclass(frozen=True)
class JudgeInfo:
    """What the analysis needs to know of a judge.

    Attributes:
        label: The name under which its scores are stored.
        learned: It was learned from people's labels.
        panel: It is a panel, whose scores hold those of its members.
        repeats: How often it graded every answer.
        calibration: How far it agrees with people's labels; None where it was never checked.
    """

    label: str
    dimensions: Sequence[Dimension]
    llm: bool = False
    learned: bool = False
    panel: bool = False
    repeats: int = 1
    calibration: CalibrationReport | None = None


def declared_traits(judge: object) -> JudgeTraits:
    """Return what a judge, or its class, declares; loads no model.

    ``durable`` and ``fingerprint`` may be known only once the judge's model is loaded: ask
    ``traits_of`` for them.
    """
    # The class of a judge may have a property there, which says nothing before it is made.
    if isinstance(judge, DescribedJudge) and isinstance(judge.traits, JudgeTraits):
        return judge.traits
    return JudgeTraits(llm=bool(judge.llm)) if isinstance(judge, DeclaresLlm) else JudgeTraits()


def traits_of(judge: Judge) -> JudgeTraits:
    """Return all traits of a judge; may load its model.

    The attributes ``llm``, ``durable`` and ``fingerprint`` of a judge without ``traits`` count, and
    of one with ``traits`` the properties ``durable`` and ``fingerprint`` that it knows late.
    """
    traits = declared_traits(judge)
    if isinstance(judge, DeclaresDurability):
        traits = replace(traits, durable=bool(judge.durable))
    if isinstance(judge, DeclaresFingerprint):
        traits = replace(traits, fingerprint=judge.fingerprint or {})
    return traits


def leaves(judge: Judge) -> Iterator[Judge]:
    """Yield the judge itself, or every member of a panel, panels within panels included."""
    members = declared_traits(judge).members
    for member in members.values():
        yield from leaves(member)
    if not members:
        yield judge


def shown_texts(judge: Judge) -> frozenset[str]:
    """Return which texts a judge looks at beside question and answer (and an opponent's).

    By what its dimensions need and by what it shows where an item has it; of all members of a panel.
    """
    texts = {text for leaf in leaves(judge) for text in declared_traits(leaf).shows}
    needs = {need for leaf in leaves(judge) for each in leaf.dimensions for need in each.needs}
    texts.update(text for need in needs for text in _TEXTS_OF_NEED.get(need, ()))
    return frozenset(texts - {"question", "answer"})
