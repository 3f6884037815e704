"""Learned or memorised: one verdict, by rules that were fixed before any result was seen.

The rules and the reasons for them: ``harness/memorisation/README.md``. This is their code, on the
conditions of :mod:`harness.memorisation.conditions`.
"""

from __future__ import annotations

from typing import NamedTuple

from harness.analysis.memorisation_schema import MemorisationVerdict, TextComparison
from harness.memorisation.conditions import (
    RULES,
    VerdictEvidence,
    above,
    conditions,
    nats,
    share,
    within,
)
from harness.memorisation.halves import HalvesContrasts
from harness.util.formatting import figure, plural


class Decision(NamedTuple):
    """A verdict.

    Attributes:
        verdict: By the rules.
        reasons: Why, line by line.
        why: Why there is none, in few words; None with a verdict.
    """

    verdict: MemorisationVerdict
    reasons: list[str]
    why: str | None = None


class _Rules:
    """The conditions of one subject, and the rules on them."""

    def __init__(self, evidence: VerdictEvidence) -> None:
        self.evidence = evidence
        self.state = conditions(evidence)

    def holds(self, *names: str) -> bool:
        """Say whether all of these conditions hold."""
        return all(self.state[name].holds for name in names)

    def reasons(self, *names: str) -> list[str]:
        """Write these conditions as sentences."""
        sentences = (self.state[name].words for name in names)
        return [f"{words[:1].upper()}{words[1:]}." for words in sentences]

    @property
    def recited(self) -> tuple[str, ...]:
        return ("recited",) if self.holds("recited") else ()

    @property
    def matters(self) -> bool:
        return self.holds("large_training") or bool(self.recited)


def decide(evidence: VerdictEvidence) -> Decision:
    """Return the verdict with its reasons: the first rule that applies decides."""
    rules = _Rules(evidence)
    if evidence.halves is not None and evidence.token_mismatch is None:
        return by_halves(evidence.halves, _learned_what(rules))
    if missing := _missing(evidence):
        return Decision("cannot tell", missing, _short_of(evidence))
    if rules.holds("still"):
        return Decision("no effect", rules.reasons("still"))
    return _contaminated(rules) or _unlike(rules) or _by_gains(rules)


def _by_gains(rules: _Rules) -> Decision:
    """Decide by what training and clean responses gained, a token and as a whole."""
    recited, matters = rules.recited, rules.matters
    if rules.holds("gain_training", "lost", "lost_response") and matters:
        lines = rules.reasons("gain_training", "lost", "lost_response", *recited)
        return Decision("memorised", lines)
    needed = ("gain_clean", "large_clean", "kept", "kept_response", "relation")
    substance = _learned_what(rules)
    if rules.holds(*needed) and substance and not recited:
        return Decision("learned", rules.reasons("gain_clean", "kept", "kept_response", *substance))
    partly = ["gap", "gap_response"] if rules.holds("gap", "gap_response") else [*recited]
    if rules.holds("gain_training") and partly and matters:
        clean = ("gain_clean",) if rules.holds("gain_clean") else ()
        lines = rules.reasons(*dict.fromkeys([*partly, *recited]), *clean)
        return Decision("partly memorised", lines)
    if recited:
        lines = [
            *rules.reasons("recited"),
            "No gain on training prompts was shown, and reciting alone carries no verdict; look at"
            " what was recited.",
        ]
        return Decision("cannot tell", lines, "it recites without a gain")
    contrasts = rules.evidence.contrasts
    if all(
        within(gain, RULES.least_gain) for gain in (contrasts.gain_training, contrasts.gain_clean)
    ):
        return Decision("cannot tell", _small(rules.evidence), "the effect is too small to matter")
    if by_unit := _by_unit(rules):
        return Decision("cannot tell", by_unit, "a token says one thing, a response another")
    return Decision("cannot tell", _open(rules, needed), "not shown either way")


def _learned_what(rules: _Rules) -> list[str]:
    return [name for name in ("specific", "form") if rules.holds(name)]


def _contaminated(rules: _Rules) -> Decision | None:
    """Refuse a verdict where somebody saw what they should not have; else None."""
    if rules.holds("base_recites_clean"):
        return Decision("cannot tell", rules.reasons("base_recites_clean"), "contaminated base")
    if rules.holds("base_recites_training"):
        lines = [
            *rules.reasons("base_recites_training"),
            "What the tuned model recites of them it need not have learned here.",
        ]
        return Decision("cannot tell", lines, "the base knows the training responses")
    if rules.holds("clean_recited"):
        lines = [
            *rules.reasons("clean_recited"),
            "Suspected contamination: these responses, or the training rows that they come from, were"
            " trained on under other prompts or in data that training_data does not name.",
        ]
        return Decision("cannot tell", lines, "leaked")
    return None


def _unlike(rules: _Rules) -> Decision | None:
    """Refuse a verdict where training and clean texts are of different kinds; else None."""
    comparison = rules.evidence.comparison
    if comparison is None:
        return Decision(
            "cannot tell",
            [
                "Whether training and clean texts are of one kind was not measured; run jostle probe"
                " again with this version."
            ],
            "kinds of text not compared",
        )
    apart = _apart(comparison)
    if comparison.likeness == "different":
        lines = [
            f"Training and clean texts are told apart without any model ({apart}): what differs"
            " between their gains may be the kind of text alone.",
            f"Pairs matched on length and topic are too few (fewer than {RULES.least_pairs}) or still"
            " told apart; jostle split makes a fair pair, and jostle study halves needs none.",
        ]
        return Decision("cannot tell", lines, "different kinds of text")
    if comparison.likeness == "unclear":
        lines = [
            f"With {comparison.training} training and {comparison.clean} clean texts it is not shown"
            f" that they are of one kind ({apart}): more of them are needed."
        ]
        return Decision("cannot tell", lines, "too few texts to compare their kinds")
    for name, why in (
        ("base_knows_clean", "contaminated base"),
        ("base_knows_training", "the base knows the training responses"),
    ):
        if rules.holds(name):
            lines = [
                *rules.reasons(name),
                "The texts are alike, so the base has probably seen the one and not the other.",
            ]
            return Decision("cannot tell", lines, why)
    return None


def _apart(comparison: TextComparison) -> str:
    """Write how well texts are told apart, the best feature first."""
    ordered = sorted(comparison.aucs, key=lambda area: -(area.low or 0.0))
    parts = (
        f"by {area.features} AUC {figure(area.value)} [{figure(area.low)}, {figure(area.high)}]"
        for area in ordered
    )
    return "; ".join(parts) or "no text could be classified"


def _by_unit(rules: _Rules) -> list[str]:
    """Say where a verdict holds in nats a token and not in nats a response; else nothing."""
    for name in ("lost", "gap", "kept"):
        both = rules.holds(name), rules.holds(f"{name}_response")
        if rules.holds("gain_training") and both[0] != both[1] and name != "kept":
            shown, other = (name, f"{name}_response") if both[0] else (f"{name}_response", name)
            return [
                *rules.reasons(shown),
                f"Not shown in the other unit: {rules.state[other].words}. Responses differ in length"
                " between training and clean prompts, or vary too much.",
            ]
    return []


def _short_of(evidence: VerdictEvidence) -> str:
    """Say in few words what is missing."""
    if evidence.token_mismatch is not None:
        return "another tokenizer"
    if not evidence.clean_sent:
        return "no clean prompts"
    if min(evidence.clean_sent, evidence.training_sent) < RULES.least_prompts:
        return "too few prompts"
    return "too few ratings"


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
            " in the training data, word for word or nearly, or its answer does. jostle split makes a"
            " fair pair."
        )
    elif evidence.clean_sent < RULES.least_prompts:
        lines.append(
            f"Only {plural(evidence.clean_sent, 'clean prompt')} to compare with;"
            f" {RULES.least_prompts} is the least. Other test prompts or their answers stand in the training data, or have no answer, or"
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


def _open(rules: _Rules, learned: tuple[str, ...]) -> list[str]:
    """Name the conditions of ``learned`` that were not settled, and the detectable gain."""
    evidence, state = rules.evidence, rules.state
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


def by_halves(contrasts: HalvesContrasts, learned_what: list[str]) -> Decision:
    """Decide by adapters on random halves: every row is its own control, so that nothing else gates.

    ``learned_what`` are the conditions on clean prompts by which more than a manner was learned.
    """
    gains = (contrasts.gain_inside, contrasts.gain_outside)
    figures = (
        f"in adapters trained with a row its response gained {nats(gains[0])}, in those trained"
        f" without it {nats(gains[1])}, a difference of {nats(contrasts.memorised)}"
    )
    lines = [f"{figures[:1].upper()}{figures[1:]}."]
    large = above(contrasts.gain_inside, RULES.least_gain)
    if large and above(contrasts.lost):
        return Decision(
            "memorised",
            [*lines, f"Less than {RULES.lost:.0%} of the gain is there without the row itself."],
        )
    if above(contrasts.gain_outside, RULES.least_gain) and above(contrasts.kept):
        if learned_what:
            kept = f"At least {RULES.kept:.0%} of the gain is there without the row itself."
            return Decision("learned", [*lines, kept])
        lines.append(
            "That gain may be the manner of the responses alone: it is not shown to hang on the prompt."
        )
        return Decision("cannot tell", lines, "perhaps the manner alone")
    if large and above(contrasts.memorised):
        return Decision("partly memorised", lines)
    if all(within(gain, RULES.least_gain) for gain in gains):
        return Decision("cannot tell", lines, "the effect is too small to matter")
    return Decision("cannot tell", lines, "not shown either way")
