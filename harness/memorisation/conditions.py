"""The evidence that the rules of the verdict use, their thresholds, and their conditions.

All of it rests on estimates alone: ``{mean, low, high}``, each in nats a token or in shares. The rules
and the reasons for them: ``harness/memorisation/README.md``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from harness.util.formatting import figure, with_interval

RULES_VERSION = 3
LEAST_PROMPTS = 10
"""With fewer rated training or clean prompts there is no verdict."""

STILL = 0.02
"""Nats a token: the training had no effect where no probed reference moved by more, on average over
its tokens, and hardly any answer changed."""

CHANGED = 0.10
"""No effect: at most this share of the answers changed."""

LEAST_GAIN = 0.05
"""Nats a token: a smaller gain is too small to matter, and gives no verdict by itself."""

LOST = 0.5
"""Memorised: less than this share of the gain on training prompts reaches clean ones."""

KEPT = 0.75
"""Learned: at least this share of it does."""

FOREIGN = 0.1
"""Learned: a reference under another sample's prompt may gain by this share more than under its own."""

FORM = 0.5
"""Learned as a form: this share of the base model's loss on unseen responses is gone."""

RECITED = 0.1
"""Reciting counts from this share of the rest of a reference, beyond base and clean prompts."""

Estimate = Mapping[str, Any]


@dataclass(frozen=True)
class VerdictEvidence:
    """The evidence that the rules use; an estimate is None where it could not be made.

    Attributes:
        training: Training prompts rated for both subjects.
        clean: Clean prompts rated for both.
        training_sent: Training prompts that were to be rated.
        clean_sent: Clean prompts that were to be rated.
        token_mismatch: Token counts of one text for the base and for the subject, where they differ;
            None where all counts are equal.
        largest_change: Over the probed prompts, the largest mean absolute change of a token's
            log-probability; None where nothing was rated.
        answers_changed: Share of answers that differ from the base model's in any character; None
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
    training_sent: int
    clean_sent: int
    token_mismatch: tuple[int, int] | None
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
    """One condition of the rules: its state, and a sentence with its figures."""

    name: str
    holds: bool
    words: str


def above(estimate: Estimate | None, bound: float = 0.0) -> bool:
    """Say whether the whole interval lies above a bound."""
    return estimate is not None and estimate["low"] is not None and estimate["low"] > bound


def within(estimate: Estimate | None, bound: float) -> bool:
    """Say whether the whole interval lies between minus and plus a bound."""
    if estimate is None or estimate["low"] is None or estimate["high"] is None:
        return False
    return bool(-bound < estimate["low"] and estimate["high"] < bound)


def conditions(evidence: VerdictEvidence) -> dict[str, Condition]:
    """Evaluate every condition of the rules, by name."""
    change, answers = evidence.largest_change, evidence.answers_changed
    recited = evidence.recited is not None and (evidence.recited["mean"] or 0.0) >= RECITED
    rows = (
        Condition(
            "still",
            change is not None and change < STILL and answers is not None and answers <= CHANGED,
            f"no probed reference moved by {STILL:g} nats a token (largest {figure(change, 4)}), and"
            f" at most {CHANGED:.0%} of the answers changed ({share(answers)})",
        ),
        Condition(
            "gain_training",
            above(evidence.gain_training),
            f"training responses became likelier ({nats(evidence.gain_training)})",
        ),
        Condition(
            "gain_clean",
            above(evidence.gain_clean),
            f"responses to unseen prompts became likelier ({nats(evidence.gain_clean)})",
        ),
        Condition(
            "large_training",
            above(evidence.gain_training, LEAST_GAIN),
            f"training responses gained at least {LEAST_GAIN:g} nats a token, enough to matter"
            f" ({nats(evidence.gain_training)})",
        ),
        Condition(
            "large_clean",
            above(evidence.gain_clean, LEAST_GAIN),
            f"responses to unseen prompts gained at least {LEAST_GAIN:g} nats a token, enough to"
            f" matter ({nats(evidence.gain_clean)})",
        ),
        Condition(
            "gap",
            above(evidence.gap),
            f"training responses gained more than unseen ones ({nats(evidence.gap)})",
        ),
        Condition(
            "lost",
            above(evidence.lost),
            f"less than {LOST:.0%} of the gain on training prompts arrives on clean ones"
            f" ({LOST:g} x training less clean: {nats(evidence.lost)})",
        ),
        Condition(
            "kept",
            above(evidence.kept),
            f"at least {KEPT:.0%} of the gain on training prompts arrives on clean ones"
            f" (clean less {KEPT:g} x training: {nats(evidence.kept)})",
        ),
        Condition(
            "relation",
            above(evidence.relation),
            "unseen responses gain no more under a stranger's prompt than under their own"
            f" ({1 + FOREIGN:g} x own less stranger's: {nats(evidence.relation)})",
        ),
        Condition(
            "specific",
            above(evidence.specific),
            "what is gained hangs on the right prompt: unseen responses gain more under their own"
            f" prompt than under a stranger's ({nats(evidence.specific)})",
        ),
        Condition(
            "form",
            above(evidence.form),
            f"a form was learned: at least {FORM:.0%} of the base model's loss on unseen responses is"
            f" gone (gain less {FORM:g} x that loss: {nats(evidence.form)})",
        ),
        Condition(
            "recited",
            above(evidence.recited) and recited,
            "it recites training responses from their beginning, beyond the base and beyond clean"
            f" ones ({_with_unit(evidence.recited, 'of the rest')})",
        ),
    )
    return {row.name: row for row in rows}


def nats(estimate: Estimate | None) -> str:
    """Write an estimate with its interval and unit."""
    return _with_unit(estimate, "nats a token")


def share(value: float | None) -> str:
    """Write a share of the answers."""
    return "no answer could be compared" if value is None else f"{value:.0%}"


def _with_unit(estimate: Estimate | None, unit: str) -> str:
    if estimate is None:
        return "not measured"
    return f"{with_interval(dict(estimate), sign=True)} {unit}"
