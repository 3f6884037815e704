"""Several kinds in turn: the second works on what the first has made."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.errors import PluginError
from harness.protocols import Limits, PerturbationTraits
from harness.records import SEVERITIES, Severity
from harness.text.edits import apply_edits
from harness.text.parse import Text
from harness.util.digest import digest
from harness.variants.kinds import Kind, make_kind
from perturbations.common import LEVELS, Level, check_level

Step = str | Mapping[str, Mapping[str, Any] | None]

STEP_SEVERITIES: Mapping[Level, Severity] = {"light": "light", "medium": "light", "heavy": "medium"}


class Compose:
    """Several kinds in turn, e.g. ``compose: {steps: [synonym, {typo: {severity: light}}]}``.

    Applies where at least two of the steps do. Each step must pass the gate by itself and leaves
    alone what an earlier one changed, with the words beside it; the whole is then held to the lowest
    of the steps' floors and to the sum of what they may change.

    Args:
        steps: Names, or one-entry maps from a name to its options; two or more.
        severity: Medium takes light steps, so that the whole changes about as much as one kind
            does at medium; heavy takes medium ones. Steps may give a severity of their own.
    """

    traits = PerturbationTraits(
        description="several rewordings in turn",
        version="2",
        severities=("medium", "heavy"),
        example="{steps: [synonym, typo]}",
    )

    def __init__(self, steps: Sequence[Step], severity: Level = "medium") -> None:
        check_level(severity)
        step_severity = STEP_SEVERITIES[severity]
        if isinstance(steps, str) or len(steps) < 2:
            raise ValueError("steps must be a list of two or more kinds")
        named = [_named(step) for step in steps]
        self.steps = [_built(name, options, step_severity) for name, options in named]
        self.traits = replace(
            Compose.traits,
            label="+".join(name for name, _ in named),
            version=digest([Compose.traits.version, [kind.fingerprint for kind in self.steps]]),
            limits=_together([kind.traits.limits for kind in self.steps]),
            danger=_danger(self.steps),
            one_story=any(kind.traits.one_story for kind in self.steps),
        )

    def __call__(self, text: Text, rng: random.Random) -> str | None:
        """Propose the whole new text, or None where fewer than two steps apply."""
        current, applied = text, 0
        for kind in self.steps:
            proposed = kind.plugin(current, rng)
            if proposed is None:
                continue
            raw = proposed if isinstance(proposed, str) else apply_edits(current.raw, proposed)
            if raw != current.raw:
                current, applied = Text(raw), applied + 1
        return current.raw if applied >= 2 else None


def _named(step: Step) -> tuple[str, dict[str, Any]]:
    if isinstance(step, str):
        return step, {}
    if len(step) != 1:
        raise ValueError(f"step {dict(step)!r} is not one name with its options")
    name, options = next(iter(step.items()))
    return name, dict(options or {})


def _built(name: str, options: dict[str, Any], severity: Severity) -> Kind:
    if name in ("compose", "identity"):
        raise ValueError(f"{name} cannot be a step of compose")
    try:
        return make_kind(name, options, severity=severity)
    except PluginError as error:
        raise ValueError(f"step {name!r}: {error}") from error


def _danger(steps: Sequence[Kind]) -> frozenset[Severity]:
    """Let a sentence of danger change where a step may change it; every step is checked by itself."""
    free = any(kind.severity in kind.traits.danger for kind in steps)
    return frozenset(SEVERITIES) if free else frozenset()


def _together(limits: Sequence[Limits]) -> Limits:
    return replace(
        limits[0],
        floor=min(each.floor for each in limits),
        words={
            level: min(1.0, sum(each.words.get(level, 1.0) for each in limits)) for level in LEVELS
        },
        exempt=frozenset().union(*(each.exempt for each in limits)),
        same_words=all(each.same_words for each in limits),
    )
