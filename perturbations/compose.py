"""Several kinds in turn: the second works on what the first has made."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from harness.errors import PluginError
from harness.protocols import Limits, PerturbationTraits
from harness.text.edits import apply_edits
from harness.text.parse import Text
from harness.util.digest import digest
from harness.variants.kinds import Kind, make_kind
from perturbations.common import LEVELS, Level, check_level

Step = str | Mapping[str, Mapping[str, Any] | None]


class Compose:
    """Several kinds in turn, e.g. ``compose: {steps: [synonym, {typo: {severity: light}}]}``.

    Applies where at least two of the steps do. The gate holds the whole to the lowest of the steps'
    floors and to the sum of what they may change.

    Args:
        steps: Names, or one-entry maps from a name to its options; two or more.
        severity: For the steps that do not give one of their own.
    """

    traits = PerturbationTraits(
        description="several rewordings in turn", version="1", example="{steps: [synonym, typo]}"
    )

    def __init__(self, steps: Sequence[Step], severity: Level = "medium") -> None:
        check_level(severity)
        if isinstance(steps, str) or len(steps) < 2:
            raise ValueError("steps must be a list of two or more kinds")
        named = [_named(step, severity) for step in steps]
        self.kinds = [_built(name, options) for name, options in named]
        self.traits = replace(
            Compose.traits,
            label="+".join(name for name, _ in named),
            version=digest([Compose.traits.version, [kind.fingerprint for kind in self.kinds]]),
            limits=_together([kind.traits.limits for kind in self.kinds]),
            one_story=any(kind.traits.one_story for kind in self.kinds),
        )

    def __call__(self, text: Text, rng: random.Random) -> str | None:
        """Propose the whole new text, or None where fewer than two steps apply."""
        current, applied = text, 0
        for kind in self.kinds:
            proposed = kind.plugin(current, rng)
            if proposed is None:
                continue
            raw = proposed if isinstance(proposed, str) else apply_edits(current.raw, proposed)
            if raw != current.raw:
                current, applied = Text(raw), applied + 1
        return current.raw if applied >= 2 else None


def _named(step: Step, severity: Level) -> tuple[str, dict[str, Any]]:
    if isinstance(step, str):
        return step, {"severity": severity}
    if len(step) != 1:
        raise ValueError(f"step {dict(step)!r} is not one name with its options")
    name, options = next(iter(step.items()))
    return name, {"severity": severity, **(options or {})}


def _built(name: str, options: dict[str, Any]) -> Kind:
    if name in ("compose", "identity"):
        raise ValueError(f"{name} cannot be a step of compose")
    try:
        return make_kind(name, options)
    except PluginError as error:
        raise ValueError(f"step {name!r}: {error}") from error


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
