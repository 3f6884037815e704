"""What the rules of the verdict look at, their thresholds, and the conditions they name.

All of it on estimates alone: ``{mean, low, high}``, each in nats a token or in shares. The rules
and why they are what they are: ``harness/memorisation/README.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.analysis.estimates import Interval
from harness.util.formatting import figure, with_interval

RULES_VERSION = 3
LEAST_PROMPTS = 10
"""Fewer rated training or clean prompts than this say nothing."""

STILL = 0.02
"""Nats a token: a subject that moves no probed reference by more, on average over its tokens, and
changes hardly any answer, had no effect."""

CHANGED = 0.10
"""Share of changed answers up to which there is no effect."""

LEAST_GAIN = 0.05
"""Nats a token: a smaller gain is too small to matter, and carries no verdict by itself."""

LOST = 0.5
"""Memorised: less than this share of the gain on training prompts is there on clean ones."""

KEPT = 0.75
"""Learned: at least this share of it is."""

FOREIGN = 0.1
"""Learned: a reference under another sample's prompt may gain by this share more than under its own."""

FORM = 0.5
"""Learned as a form: this share of the base model's loss on unseen responses is gone."""

RECITED = 0.1
"""Reciting counts from this share of the rest of a reference on, beyond base and clean prompts."""

Estimate = Mapping[str, Any]


@dataclass(frozen=True)
class Findings:
    """What the rules look at; an estimate is None where it could not be made.

    Attributes:
        training: Training prompts rated for both subjects.
        clean: Clean prompts rated for both.
        asked_training: Training prompts that were to be rated.
        asked_clean: Clean prompts that were to be rated.
        unlike_tokens: Tokens of one text for the base and for the subject, where they differ; None
            where every text has as many for both.
        largest_change: Over the probed prompts, the largest mean absolute change of a token's
            log-probability; None where nothing was rated.
        answers_changed: Share of answers that are not letter for letter the base model's; None
            where no answer could be compared.
        gain_training: Loss of the base less that of the subject, on training prompts.
        gain_clean: The same on clean prompts.
        gap: The first less the second.
        lost: ``LOST * gain_training - gain_clean``.
        kept: ``gain_clean - KEPT * gain_training``.
        relation: ``(1 + FOREIGN) * gain_clean`` less the gain of the same references under other
            samples' prompts.
        specific: The gain of clean references under their own prompt less that under another's.
        form: ``gain_clean`` less ``FORM`` times the base model's loss on the same references.
        recited: Share recited by the subject less by the base, on training less on clean prompts.
    """

    training: int
    clean: int
    asked_training: int
    asked_clean: int
    unlike_tokens: tuple[int, int] | None
    largest_change: float | None
    answers_changed: float | None
    gain_training: Estimate | None
    gain_clean: Estimate | None
    gap: Estimate | None
    lost: Estimate | None
    kept: Estimate | None
    relation: Estimate | None
    specific: Estimate | None
    form: Estimate | None
    recited: Estimate | None


@dataclass(frozen=True)
class Condition:
    """One condition of the rules: whether it holds, in words with its figures."""

    name: str
    holds: bool
    words: str


def above(estimate: Estimate | None, bound: float = 0.0) -> bool:
    """Whether the whole interval lies above a bound."""
    return estimate is not None and estimate["low"] is not None and estimate["low"] > bound


def within(estimate: Estimate | None, bound: float) -> bool:
    """Whether the whole interval lies between minus and plus a bound."""
    if estimate is None or estimate["low"] is None or estimate["high"] is None:
        return False
    return bool(-bound < estimate["low"] and estimate["high"] < bound)


def conditions(found: Findings) -> dict[str, Condition]:
    """Every condition that the rules name, by name."""
    change, answers = found.largest_change, found.answers_changed
    recited = found.recited is not None and (found.recited["mean"] or 0.0) >= RECITED
    rows = (
        Condition(
            "still",
            change is not None and change < STILL and answers is not None and answers <= CHANGED,
            f"no probed reference moved by {STILL:g} nats a token (largest {figure(change, 4)}), and"
            f" at most {CHANGED:.0%} of the answers changed ({share(answers)})",
        ),
        Condition(
            "gain_training",
            above(found.gain_training),
            f"training responses became likelier ({nats(found.gain_training)})",
        ),
        Condition(
            "gain_clean",
            above(found.gain_clean),
            f"responses to unseen prompts became likelier ({nats(found.gain_clean)})",
        ),
        Condition(
            "large_training",
            above(found.gain_training, LEAST_GAIN),
            f"training responses gained at least {LEAST_GAIN:g} nats a token, enough to matter"
            f" ({nats(found.gain_training)})",
        ),
        Condition(
            "large_clean",
            above(found.gain_clean, LEAST_GAIN),
            f"responses to unseen prompts gained at least {LEAST_GAIN:g} nats a token, enough to"
            f" matter ({nats(found.gain_clean)})",
        ),
        Condition(
            "gap",
            above(found.gap),
            f"training responses gained more than unseen ones ({nats(found.gap)})",
        ),
        Condition(
            "lost",
            above(found.lost),
            f"less than {LOST:.0%} of the gain on training prompts arrives on clean ones"
            f" ({LOST:g} x training less clean: {nats(found.lost)})",
        ),
        Condition(
            "kept",
            above(found.kept),
            f"at least {KEPT:.0%} of the gain on training prompts arrives on clean ones"
            f" (clean less {KEPT:g} x training: {nats(found.kept)})",
        ),
        Condition(
            "relation",
            above(found.relation),
            "unseen responses gain no more under a stranger's prompt than under their own"
            f" ({1 + FOREIGN:g} x own less stranger's: {nats(found.relation)})",
        ),
        Condition(
            "specific",
            above(found.specific),
            "what is gained hangs on the right prompt: unseen responses gain more under their own"
            f" prompt than under a stranger's ({nats(found.specific)})",
        ),
        Condition(
            "form",
            above(found.form),
            f"a form was learned: at least {FORM:.0%} of the base model's loss on unseen responses is"
            f" gone (gain less {FORM:g} x that loss: {nats(found.form)})",
        ),
        Condition(
            "recited",
            above(found.recited) and recited,
            "it recites training responses from their beginning, beyond the base and beyond clean"
            f" ones ({_with_unit(found.recited, 'of the rest')})",
        ),
    )
    return {row.name: row for row in rows}


def nats(estimate: Estimate | None) -> str:
    """An estimate with its interval and unit."""
    return _with_unit(estimate, "nats a token")


def share(value: float | None) -> str:
    """A share of the answers, in words."""
    return "no answer could be compared" if value is None else f"{value:.0%}"


def _with_unit(estimate: Estimate | None, unit: str) -> str:
    if estimate is None:
        return "not measured"
    interval = Interval(mean=estimate["mean"], low=estimate["low"], high=estimate["high"])
    return f"{with_interval(interval, sign=True)} {unit}"
