"""Learned or memorised: one verdict, by rules that were fixed before any result was seen.

The rules and the reasons for them: ``harness/memorisation/README.md``. This is their code, on the
conditions of :mod:`harness.memorisation.conditions`.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.analysis.memorisation_schema import Condition, MemorisationVerdict
from harness.memorisation.conditions import (
    RULES,
    VerdictEvidence,
    conditions,
    nats,
    share,
    within,
)
from harness.util.formatting import figure, plural


def decide(evidence: VerdictEvidence) -> tuple[MemorisationVerdict, list[str]]:
    """Return the verdict and its reasons, line by line: the first rule that applies decides."""
    state = conditions(evidence)

    def reasons(*names: str) -> list[str]:
        sentences = (state[name].words for name in names)
        return [f"{words[:1].upper()}{words[1:]}." for words in sentences]

    if missing := _missing(evidence):
        return "cannot tell", missing
    if state["still"].holds:
        return "no effect", reasons("still")
    recited = ("recited",) if state["recited"].holds else ()
    matters = state["large_training"].holds or bool(recited)
    if state["gain_training"].holds and state["lost"].holds and matters:
        return "memorised", reasons("gain_training", "lost", *recited)
    learned = ("gain_clean", "large_clean", "kept", "relation")
    substance = [name for name in ("specific", "form") if state[name].holds]
    if all(state[name].holds for name in learned) and substance and not recited:
        return "learned", reasons("gain_clean", "kept", *substance)
    partly = [name for name in ("gap", "recited") if state[name].holds]
    if state["gain_training"].holds and partly and matters:
        clean = ("gain_clean",) if state["gain_clean"].holds else ()
        return "partly memorised", reasons(*partly, *clean)
    if recited:
        return "cannot tell", [
            *reasons("recited"),
            "No gain on training prompts was shown, and reciting alone carries no verdict; look at"
            " what was recited.",
        ]
    gains = (evidence.contrasts.gain_training, evidence.contrasts.gain_clean)
    if all(within(gain, RULES.least_gain) for gain in gains):
        return "cannot tell", _small(evidence)
    return "cannot tell", _open(evidence, state, learned)


def _missing(evidence: VerdictEvidence) -> list[str]:
    """Say which evidence is missing for any verdict; return nothing where there is enough."""
    if evidence.token_mismatch is not None:
        base, tuned = evidence.token_mismatch
        return [
            f"The base and this subject cut the same text into tokens differently ({base} and"
            f" {tuned}, for one): another tokenizer, or another template around the responses. Nats a token"
            " cannot be compared; name the model that was trained as the baseline."
        ]
    lines = []
    if not evidence.clean_sent:
        lines.append(
            "There are no clean prompts to compare with: every test prompt that has an answer stands"
            " in the training data, word for word or nearly. jostle split makes a fair pair."
        )
    elif evidence.clean_sent < RULES.least_prompts:
        lines.append(
            f"Only {plural(evidence.clean_sent, 'clean prompt')} to compare with;"
            f" {RULES.least_prompts} is the least. Other test prompts stand in the training data or have no answer, or"
            " data.limit or probes.clean leave them out; jostle split makes a fair pair."
        )
    if evidence.training_sent < RULES.least_prompts:
        lines.append(
            f"Only {plural(evidence.training_sent, 'training prompt')} with an answer to look at;"
            f" {RULES.least_prompts} is the least."
        )
    if not evidence.training + evidence.clean and evidence.training_sent + evidence.clean_sent:
        lines.append(
            "The references could not be rated: the model gives no log-probabilities, or every"
            " rating failed."
        )
    elif not lines and min(evidence.training, evidence.clean) < RULES.least_prompts:
        lines.append(
            f"Only {evidence.training} of {plural(evidence.training_sent, 'training prompt')} and"
            f" {evidence.clean} of {plural(evidence.clean_sent, 'clean prompt')} could be rated for"
            f" both models; {RULES.least_prompts} of each is the least."
        )
    return lines


def _small(evidence: VerdictEvidence) -> list[str]:
    """Describe an effect that is shown to be small: not absent, and too small for a verdict."""
    training, clean = evidence.contrasts.gain_training, evidence.contrasts.gain_clean
    lines = [
        f"The effect is too small to matter: the gains on training prompts ({nats(training)}) and on"
        f" clean ones ({nats(clean)}) both lie within {RULES.least_gain:g} nats a token."
    ]
    answers = evidence.answers_changed
    if answers is None:
        lines.append("No answer could be compared, so it is not said that there is no effect.")
    elif answers > RULES.changed:
        lines.append(f"Still, {share(answers)} of the answers differ from the base model's.")
    return lines


def _open(
    evidence: VerdictEvidence, state: Mapping[str, Condition], learned: tuple[str, ...]
) -> list[str]:
    """Name the conditions of ``learned`` that were not settled, and the detectable gain."""
    lines = []
    apart = state["gap"].holds or state["lost"].holds
    if state["gain_training"].holds and apart and not state["large_training"].holds:
        lines.append(
            "Training responses gained more than unseen ones, but a gain of at least"
            f" {RULES.least_gain:g} nats a token, without which nothing is called memorised, is not"
            f" shown ({nats(evidence.contrasts.gain_training)})."
        )
    # A response that did not become likelier did not become much likelier: one line is enough.
    open_ = [
        name
        for name in learned
        if not state[name].holds and (name != "large_clean" or state["gain_clean"].holds)
    ]
    lines += [f"Not shown: {state[name].words}." for name in open_]
    if state["gain_clean"].holds and not (state["specific"].holds or state["form"].holds):
        lines.append(
            "What reaches unseen prompts may be the manner of the responses alone, as it would be"
            " after training on shuffled ones: neither is it shown that"
            f" {state['specific'].words}, nor that {state['form'].words}."
        )
    effect = None if evidence.contrasts.gain_clean is None else evidence.contrasts.gain_clean.mde
    if effect is not None and not state["gain_clean"].holds:
        lines.append(
            f"A gain of {figure(effect, 3)} nats a token on clean prompts would have been seen with"
            " 80% probability."
        )
    lines.append("Memorising was not shown either. More probed prompts narrow the intervals.")
    return lines
