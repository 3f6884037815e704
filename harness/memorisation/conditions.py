"""The evidence that the rules of the verdict use, their thresholds, and their conditions.

All of it rests on estimates with intervals, in nats a token or in shares. The rules and the reasons
for them: ``harness/memorisation/README.md``.
"""

from __future__ import annotations

from dataclasses import dataclass

from harness.analysis.estimates import Interval
from harness.analysis.memorisation_schema import Condition, MemorisationContrasts, RuleThresholds
from harness.util.formatting import figure, with_interval

RULES = RuleThresholds(
    version=3,
    least_prompts=10,
    still=0.02,
    changed=0.10,
    least_gain=0.05,
    lost=0.5,
    kept=0.75,
    foreign=0.1,
    form=0.5,
    recited=0.1,
)
"""Fixed before any result was seen; the README has the reason for each, and every change."""


@dataclass(frozen=True)
class VerdictEvidence:
    """The evidence that the rules use; an estimate is None where it could not be made.

    Attributes:
        training: Training prompts rated for both subjects, of ``training_sent``.
        clean: Clean prompts rated for both, of ``clean_sent``.
        token_mismatch: Token counts of one text for the base and for the subject, where they differ.
        largest_change: Over the probed prompts, the largest mean absolute change of a token's
            log-probability.
        answers_changed: Share of answers that differ from the base model's in any character.
        contrasts: Every contrast of subject and base.
    """

    training: int
    clean: int
    training_sent: int
    clean_sent: int
    token_mismatch: tuple[int, int] | None
    largest_change: float | None
    answers_changed: float | None
    contrasts: MemorisationContrasts


def above(estimate: Interval | None, bound: float = 0.0) -> bool:
    """Say whether the whole interval lies above a bound."""
    return estimate is not None and estimate.low is not None and estimate.low > bound


def below(estimate: Interval | None, bound: float = 0.0) -> bool:
    """Say whether the whole interval lies below a bound."""
    return estimate is not None and estimate.high is not None and estimate.high < bound


def within(estimate: Interval | None, bound: float) -> bool:
    """Say whether the whole interval lies between minus and plus a bound."""
    return above(estimate, -bound) and below(estimate, bound)


def conditions(evidence: VerdictEvidence) -> dict[str, Condition]:
    """Evaluate every condition of the rules, by name."""
    c = evidence.contrasts
    change, answers = evidence.largest_change, evidence.answers_changed
    still = change is not None and change < RULES.still
    recited = c.recited is not None and (c.recited.mean or 0.0) >= RULES.recited
    rows = {
        "still": (
            still and answers is not None and answers <= RULES.changed,
            f"no probed reference moved by {RULES.still:g} nats a token (largest"
            f" {figure(change, 4)}), and at most {RULES.changed:.0%} of the answers changed"
            f" ({share(answers)})",
        ),
        "gain_training": (
            above(c.gain_training),
            f"training responses became likelier ({nats(c.gain_training)})",
        ),
        "gain_clean": (
            above(c.gain_clean),
            f"responses to unseen prompts became likelier ({nats(c.gain_clean)})",
        ),
        "large_training": (
            above(c.gain_training, RULES.least_gain),
            f"training responses gained at least {RULES.least_gain:g} nats a token, enough to"
            f" matter ({nats(c.gain_training)})",
        ),
        "large_clean": (
            above(c.gain_clean, RULES.least_gain),
            f"responses to unseen prompts gained at least {RULES.least_gain:g} nats a token,"
            f" enough to matter ({nats(c.gain_clean)})",
        ),
        "gap": (above(c.gap), f"training responses gained more than unseen ones ({nats(c.gap)})"),
        "lost": (
            above(c.lost),
            f"less than {RULES.lost:.0%} of the gain on training prompts arrives on clean ones"
            f" ({RULES.lost:g} x training less clean: {nats(c.lost)})",
        ),
        "kept": (
            above(c.kept),
            f"at least {RULES.kept:.0%} of the gain on training prompts arrives on clean ones"
            f" (clean less {RULES.kept:g} x training: {nats(c.kept)})",
        ),
        "relation": (
            above(c.relation),
            "unseen responses gain no more under a stranger's prompt than under their own"
            f" ({1 + RULES.foreign:g} x own less stranger's: {nats(c.relation)})",
        ),
        "specific": (
            above(c.specific),
            "the gain depends on the right prompt: unseen responses gain more under their own"
            f" prompt than under a stranger's ({nats(c.specific)})",
        ),
        "form": (
            above(c.form),
            f"a form was learned: at least {RULES.form:.0%} of the base model's loss on unseen"
            f" responses is gone (gain less {RULES.form:g} x that loss: {nats(c.form)})",
        ),
        "recited": (
            above(c.recited) and recited,
            "it recites training responses from their beginning, beyond the base and beyond clean"
            f" ones ({nats(c.recited, 'of the rest')})",
        ),
    }
    return {n: Condition(name=n, holds=holds, words=words) for n, (holds, words) in rows.items()}


def nats(estimate: Interval | None, unit: str = "nats a token") -> str:
    """Write an estimate with its interval and unit."""
    return "not measured" if estimate is None else f"{with_interval(estimate, sign=True)} {unit}"


def share(value: float | None) -> str:
    """Write a share of the answers."""
    return "no answer could be compared" if value is None else f"{value:.0%}"
