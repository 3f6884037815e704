"""Learned or memorised: one verdict from rules that were stated before any result was seen.

The rules and why they are what they are: ``harness/probes/README.md``. Here they are code, on
estimates alone: ``{mean, low, high}``, each in nats a token or in shares.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from harness.analysis.words import figure, plural, with_interval

Verdict = Literal["learned", "partly memorised", "memorised", "no effect", "cannot tell"]

RULES_VERSION = 2
LEAST_PROMPTS = 10
"""Fewer rated training or clean prompts than this say nothing."""

STILL = 0.02
"""Nats a token: a subject that moves no probed reference by more, on average over its tokens, and
changes hardly any answer, had no effect."""

CHANGED = 0.10
"""Share of changed answers up to which there is no effect."""

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
        largest_change: Over the probed prompts, the largest mean absolute change of a token's
            log-probability; None where nothing was rated.
        answers_changed: Share of answers that are not letter for letter the base model's.
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


def above_zero(estimate: Estimate | None) -> bool:
    """Whether the whole interval lies above zero."""
    return estimate is not None and estimate["low"] is not None and estimate["low"] > 0


def conditions(found: Findings) -> dict[str, Condition]:
    """Every condition that the rules name, by name."""
    change, answers = found.largest_change, found.answers_changed
    recited = found.recited is not None and (found.recited["mean"] or 0.0) >= RECITED
    rows = (
        Condition(
            "still",
            change is not None and change < STILL and (answers or 0.0) <= CHANGED,
            f"no probed reference moved by {STILL:g} nats a token (largest {figure(change, 4)}), and"
            f" {figure(100 * answers if answers is not None else None, 0)}% of the answers changed",
        ),
        Condition(
            "gain_training",
            above_zero(found.gain_training),
            f"training responses became likelier ({_nats(found.gain_training)})",
        ),
        Condition(
            "gain_clean",
            above_zero(found.gain_clean),
            f"responses to unseen prompts became likelier ({_nats(found.gain_clean)})",
        ),
        Condition(
            "gap",
            above_zero(found.gap),
            f"training responses gained more than unseen ones ({_nats(found.gap)})",
        ),
        Condition(
            "lost",
            above_zero(found.lost),
            f"less than {LOST:.0%} of the gain on training prompts arrives on clean ones"
            f" ({LOST:g} x training less clean: {_nats(found.lost)})",
        ),
        Condition(
            "kept",
            above_zero(found.kept),
            f"at least {KEPT:.0%} of the gain on training prompts arrives on clean ones"
            f" (clean less {KEPT:g} x training: {_nats(found.kept)})",
        ),
        Condition(
            "relation",
            above_zero(found.relation),
            "unseen responses gain no more under a stranger's prompt than under their own"
            f" ({1 + FOREIGN:g} x own less stranger's: {_nats(found.relation)})",
        ),
        Condition(
            "specific",
            above_zero(found.specific),
            "what is gained hangs on the right prompt: unseen responses gain more under their own"
            f" prompt than under a stranger's ({_nats(found.specific)})",
        ),
        Condition(
            "form",
            above_zero(found.form),
            f"a form was learned: at least {FORM:.0%} of the base model's loss on unseen responses is"
            f" gone (gain less {FORM:g} x that loss: {_nats(found.form)})",
        ),
        Condition(
            "recited",
            above_zero(found.recited) and recited,
            "it recites training responses from their beginning, beyond the base and beyond clean"
            f" ones ({with_interval(dict(found.recited) if found.recited else None, sign=True)}"
            " of the rest)",
        ),
    )
    return {row.name: row for row in rows}


def decide(found: Findings) -> tuple[Verdict, list[str]]:
    """The verdict and the lines that give its reasons: the first rule that applies decides."""
    seen = conditions(found)

    def reasons(*names: str) -> list[str]:
        return [f"{_capital(seen[name].words)}." for name in names]

    if found.largest_change is None or found.gain_training is None or found.gain_clean is None:
        return "cannot tell", [
            "The references could not be rated on both training and clean prompts: the model gives"
            " no log-probabilities, or every rating failed."
        ]
    if seen["still"].holds:
        return "no effect", reasons("still")
    if min(found.training, found.clean) < LEAST_PROMPTS:
        return "cannot tell", [
            f"Only {plural(found.training, 'training prompt')} and"
            f" {plural(found.clean, 'clean prompt')} were rated; {LEAST_PROMPTS} of each is the"
            " least."
        ]
    if seen["gain_training"].holds and seen["lost"].holds:
        more = ("recited",) if seen["recited"].holds else ()
        return "memorised", reasons("gain_training", "lost", *more)
    learned = ("gain_clean", "kept", "relation")
    what = [name for name in ("specific", "form") if seen[name].holds]
    if all(seen[name].holds for name in learned) and what and not seen["recited"].holds:
        return "learned", reasons("gain_clean", "kept", *what)
    partly = [name for name in ("gap", "recited") if seen[name].holds]
    if seen["gain_training"].holds and partly:
        clean = ("gain_clean",) if seen["gain_clean"].holds else ()
        return "partly memorised", reasons(*partly, *clean)
    return "cannot tell", _open(found, seen, learned)


def _open(found: Findings, seen: Mapping[str, Condition], learned: tuple[str, ...]) -> list[str]:
    """Which conditions of ``learned`` this run did not settle, and what it could have seen."""
    lines = [f"Not shown: {seen[name].words}." for name in learned if not seen[name].holds]
    if seen["gain_clean"].holds and not (seen["specific"].holds or seen["form"].holds):
        lines.append(
            "What reaches unseen prompts may be the manner of the responses alone, as it would be"
            " after training on shuffled ones: neither is it shown that"
            f" {seen['specific'].words}, nor that {seen['form'].words}."
        )
    effect = (found.gain_clean or {}).get("mde")
    if effect is not None and not seen["gain_clean"].holds:
        lines.append(
            f"A gain of {figure(effect, 3)} nats a token on clean prompts would have been seen with"
            " 80% probability."
        )
    lines.append("Memorising was not shown either. More probed prompts narrow the intervals.")
    return lines


def _nats(estimate: Estimate | None) -> str:
    return f"{with_interval(dict(estimate) if estimate else None, sign=True)} nats a token"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
