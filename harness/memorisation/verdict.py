"""Learned or memorised: one verdict from rules that were stated before any result was seen.

The rules and why they are what they are: ``harness/memorisation/README.md``. Here they are code, on the
conditions of :mod:`harness.memorisation.conditions`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from harness.memorisation.conditions import (
    CHANGED,
    LEAST_GAIN,
    LEAST_PROMPTS,
    Condition,
    Findings,
    conditions,
    nats,
    share,
    within,
)
from harness.util.formatting import figure, plural

Verdict = Literal["learned", "partly memorised", "memorised", "no effect", "cannot tell"]


def decide(found: Findings) -> tuple[Verdict, list[str]]:
    """The verdict and the lines that give its reasons: the first rule that applies decides."""
    seen = conditions(found)

    def reasons(*names: str) -> list[str]:
        return [f"{_capital(seen[name].words)}." for name in names]

    if missing := _missing(found):
        return "cannot tell", missing
    if seen["still"].holds:
        return "no effect", reasons("still")
    recited = ("recited",) if seen["recited"].holds else ()
    matters = seen["large_training"].holds or bool(recited)
    if seen["gain_training"].holds and seen["lost"].holds and matters:
        return "memorised", reasons("gain_training", "lost", *recited)
    learned = ("gain_clean", "large_clean", "kept", "relation")
    what = [name for name in ("specific", "form") if seen[name].holds]
    if all(seen[name].holds for name in learned) and what and not recited:
        return "learned", reasons("gain_clean", "kept", *what)
    partly = [name for name in ("gap", "recited") if seen[name].holds]
    if seen["gain_training"].holds and partly and matters:
        clean = ("gain_clean",) if seen["gain_clean"].holds else ()
        return "partly memorised", reasons(*partly, *clean)
    if recited:
        return "cannot tell", [
            *reasons("recited"),
            "No gain on training prompts was shown, and reciting alone carries no verdict; look at"
            " what was recited.",
        ]
    if within(found.gain_training, LEAST_GAIN) and within(found.gain_clean, LEAST_GAIN):
        return "cannot tell", _small(found)
    return "cannot tell", _open(found, seen, learned)


def _missing(found: Findings) -> list[str]:
    """What there is not enough of to decide anything; nothing where there is."""
    if found.unlike_tokens is not None:
        base, own = found.unlike_tokens
        return [
            f"The base and this subject cut the same text into tokens differently ({base} and {own},"
            " for one): another tokenizer, or another template around the responses. Nats a token"
            " cannot be compared; name the model that was trained as the baseline."
        ]
    lines = []
    if not found.asked_clean:
        lines.append(
            "There are no clean prompts to compare with: every test prompt that has an answer stands"
            " in the training data, word for word or nearly. jostle split makes a fair pair."
        )
    elif found.asked_clean < LEAST_PROMPTS:
        lines.append(
            f"Only {plural(found.asked_clean, 'clean prompt')} to compare with; {LEAST_PROMPTS} is"
            " the least. Other test prompts stand in the training data or have no answer, or"
            " data.limit or probes.clean leave them out; jostle split makes a fair pair."
        )
    if found.asked_training < LEAST_PROMPTS:
        lines.append(
            f"Only {plural(found.asked_training, 'training prompt')} with an answer to look at;"
            f" {LEAST_PROMPTS} is the least."
        )
    if not found.training + found.clean and found.asked_training + found.asked_clean:
        lines.append(
            "The references could not be rated: the model gives no log-probabilities, or every"
            " rating failed."
        )
    elif not lines and min(found.training, found.clean) < LEAST_PROMPTS:
        lines.append(
            f"Only {found.training} of {plural(found.asked_training, 'training prompt')} and"
            f" {found.clean} of {plural(found.asked_clean, 'clean prompt')} could be rated for both"
            f" models; {LEAST_PROMPTS} of each is the least."
        )
    return lines


def _small(found: Findings) -> list[str]:
    """An effect that is shown to be small: neither none, nor one that tells anything."""
    lines = [
        f"The effect is too small to matter: the gains on training prompts"
        f" ({nats(found.gain_training)}) and on clean ones ({nats(found.gain_clean)}) both lie"
        f" within {LEAST_GAIN:g} nats a token."
    ]
    answers = found.answers_changed
    if answers is None:
        lines.append("No answer could be compared, so it is not said that there is no effect.")
    elif answers > CHANGED:
        lines.append(f"Still, {share(answers)} of the answers differ from the base model's.")
    return lines


def _open(found: Findings, seen: Mapping[str, Condition], learned: tuple[str, ...]) -> list[str]:
    """Which conditions of ``learned`` this run did not settle, and what it could have seen."""
    lines = []
    apart = seen["gap"].holds or seen["lost"].holds
    if seen["gain_training"].holds and apart and not seen["large_training"].holds:
        lines.append(
            "Training responses gained more than unseen ones, but a gain of at least"
            f" {LEAST_GAIN:g} nats a token, without which nothing is called memorised, is not shown"
            f" ({nats(found.gain_training)})."
        )
    # What did not become likelier has not become much likelier either: one line of the two.
    open_ = [
        name
        for name in learned
        if not seen[name].holds and (name != "large_clean" or seen["gain_clean"].holds)
    ]
    lines += [f"Not shown: {seen[name].words}." for name in open_]
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


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
