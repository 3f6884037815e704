"""The evidence that the rules of the verdict use, their thresholds, and their conditions.

All of it rests on estimates with intervals, in nats a token or in shares. The rules and the reasons
for them: ``harness/memorisation/README.md``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

from harness.analysis.estimates import Interval
from harness.analysis.memorisation_schema import (
    Condition,
    GroupDifference,
    MemorisationContrasts,
    RuleThresholds,
    TextComparison,
)
from harness.memorisation.halves import HalvesContrasts
from harness.util.formatting import figure, with_interval

RULES = RuleThresholds(
    version=4,
    least_prompts=10,
    still=0.02,
    changed=0.10,
    least_gain=0.05,
    lost=0.5,
    kept=0.75,
    foreign=0.1,
    form=0.5,
    recited=0.1,
    recited_alone=0.5,
    base_knows=0.9,
    least_pairs=20,
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
        recited_shares: Mean share recited of clean responses by base and subject, and of training
            ones by the base; None where nothing could be continued.
        comparison: How alike the texts behind the contrasts are; None where nobody looked.
        halves: The same contrasts from adapters on random halves; None without such a study.
    """

    training: int
    clean: int
    training_sent: int
    clean_sent: int
    token_mismatch: tuple[int, int] | None
    largest_change: float | None
    answers_changed: float | None
    contrasts: MemorisationContrasts
    recited_shares: RecitedShares
    comparison: TextComparison | None = None
    halves: HalvesContrasts | None = None


class RecitedShares(NamedTuple):
    """Mean shares of responses that are recited from their beginning, in [0, 1]."""

    base_training: float | None = None
    base_clean: float | None = None
    clean: float | None = None
    clean_is_own: bool = False
    """Whether words of the prompt and of many training responses are left out of ``clean``."""


def above(estimate: Interval | None, bound: float = 0.0) -> bool:
    """Say whether the whole interval lies above a bound; an end that is not relied on does not."""
    if isinstance(estimate, GroupDifference) and not estimate.low_holds:
        return False
    return estimate is not None and estimate.low is not None and estimate.low > bound


def below(estimate: Interval | None, bound: float = 0.0) -> bool:
    """Say whether the whole interval lies below a bound; an end that is not relied on does not."""
    if isinstance(estimate, GroupDifference) and not estimate.high_holds:
        return False
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
    base_recited = c.base_recited.mean or 0.0 if c.base_recited is not None else 0.0
    shares = evidence.recited_shares
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
        **_by_response(c),
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
        "clean_recited": (
            above(c.recited_clean, RULES.recited)
            and (shares.clean_is_own or (shares.clean or 0.0) >= RULES.recited_alone),
            f"it recites clean responses, which it should never have seen ({share_of(shares.clean)};"
            f" beyond the base {nats(c.recited_clean, 'of the rest')})",
        ),
        "base_recites_clean": (
            (below(c.base_recited) and base_recited <= -RULES.recited)
            or (shares.base_clean or 0.0) >= RULES.recited_alone,
            f"the base recites clean responses ({share_of(shares.base_clean)}; of training ones"
            f" {share_of(shares.base_training)})",
        ),
        "base_recites_training": (
            (above(c.base_recited) and base_recited >= RULES.recited)
            or (shares.base_training or 0.0) >= RULES.recited_alone,
            f"the base recites training responses already ({share_of(shares.base_training)}; of clean"
            f" ones {share_of(shares.base_clean)})",
        ),
        "base_knows_clean": (
            above(c.base_knows_clean),
            f"the base finds clean responses likelier than training ones: its loss on them is under"
            f" {RULES.base_knows:.0%} of that on training ones ({nats(c.base_knows_clean)} under)",
        ),
        "base_knows_training": (
            above(c.base_knows_training),
            f"the base finds training responses likelier than clean ones: its loss on them is under"
            f" {RULES.base_knows:.0%} of that on clean ones ({nats(c.base_knows_training)} under)",
        ),
    }
    return {n: Condition(name=n, holds=holds, words=words) for n, (holds, words) in rows.items()}


def _by_response(c: MemorisationContrasts) -> dict[str, tuple[bool, str]]:
    """Evaluate the conditions on gains once more in nats a response: their sum over its tokens.

    A gain of 10 nats is half a nat a token of a short response and a sixth of a long one.
    """
    unit = "nats a response"
    return {
        "gap_response": (
            above(c.gap_response),
            f"training responses gained more than unseen ones as whole responses, too ({nats(c.gap_response, unit)})",
        ),
        "lost_response": (
            above(c.lost_response),
            f"less than {RULES.lost:.0%} of the gain of whole responses arrives on clean prompts"
            f" ({RULES.lost:g} x training less clean:"
            f" {nats(c.lost_response, unit)})",
        ),
        "kept_response": (
            above(c.kept_response),
            f"at least {RULES.kept:.0%} of the gain of whole responses arrives on clean prompts"
            f" (clean less {RULES.kept:g} x training:"
            f" {nats(c.kept_response, unit)})",
        ),
    }


def share_of(value: float | None) -> str:
    """Write a share of a text."""
    return "not measured" if value is None else f"{value:.0%} of the rest"


def nats(estimate: Interval | None, unit: str = "nats a token") -> str:
    """Write an estimate with its interval and unit."""
    return "not measured" if estimate is None else f"{with_interval(estimate, sign=True)} {unit}"


def share(value: float | None) -> str:
    """Write a share of the answers."""
    return "no answer could be compared" if value is None else f"{value:.0%}"
