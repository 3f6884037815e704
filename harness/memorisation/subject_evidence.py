"""The evidence on one subject beside its base: contrasts, membership, copies, and the verdict."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from harness.analysis.memorisation_schema import (
    CopiedAnswers,
    CopyCount,
    MembershipAuc,
    MemorisationContrasts,
    PairedDifference,
    RecitedExample,
    SubjectMemorisation,
    TextComparison,
)
from harness.analysis.test_family import number
from harness.memorisation.conditions import (
    RULES,
    RecitedShares,
    VerdictEvidence,
    above,
    below,
    conditions,
    nats,
)
from harness.memorisation.copying import Closeness
from harness.memorisation.halves import HalvesContrasts
from harness.memorisation.levels import (
    PromptMeans,
    Selector,
    ValueByPrompt,
    by_prompt,
    level_lines,
    level_rows,
    loss_selector,
    response_sums,
    weighted_difference,
)
from harness.memorisation.membership import auc
from harness.memorisation.prompt_choice import OTHER_RESPONSE
from harness.memorisation.verdict import decide
from harness.records import Probe

COPIED_WORDS = 8
"""A run of so many words from another sample's training response counts as copied."""

EXAMPLES = 6
GROUPS: tuple[Literal["training", "clean"], ...] = ("training", "clean")


@dataclass(frozen=True)
class MemorisationBasis:
    """What a verdict rests on besides the probes of its subject.

    Attributes:
        comparison: How alike the probed training and clean texts are; None where nobody looked.
        matched: Whether the records are of matched pairs alone.
        halves: Estimates of adapters on random halves, for this subject.
        halves_words: What these are, or why they say nothing about this subject; empty without any.
    """

    comparison: TextComparison | None = None
    matched: bool = False
    halves: HalvesContrasts | None = None
    halves_words: str = ""


class SubjectEvidence:
    """The evidence on one subject (``tuned``) beside its base; ``names`` are theirs, in this order."""

    def __init__(
        self,
        base: Sequence[Probe],
        tuned: Sequence[Probe],
        names: tuple[str, str],
        means: PromptMeans,
        closeness: Closeness,
    ) -> None:
        self._base, self._tuned, self._names = base, tuned, names
        self._means, self._closeness = means, closeness
        self._base_of = {r.key[:-1]: r for r in base}
        # What both did: the base's record and the subject's.
        self._pairs = [(self._base_of[r.key[:-1]], r) for r in tuned if r.key[:-1] in self._base_of]
        self._rated_pairs = [(b, t) for b, t in self._pairs if b.logprobs and t.logprobs]
        counts = ((len(b.logprobs), len(t.logprobs)) for b, t in self._rated_pairs)
        self._mismatch = next((pair for pair in counts if pair[0] != pair[1]), None)

    def summary(self, basis: MemorisationBasis) -> SubjectMemorisation:
        """Return the verdict on this subject with all its evidence."""
        baseline, subject = self._names
        evidence = VerdictEvidence(
            training=self._rated("training"),
            clean=self._rated("clean"),
            training_sent=self._sent("training"),
            clean_sent=self._sent("clean"),
            token_mismatch=self._mismatch,
            largest_change=self._largest_change(),
            answers_changed=self._answers_changed(),
            contrasts=self._contrasts(),
            recited_shares=self._recited_shares(),
            comparison=basis.comparison,
            halves=basis.halves,
        )
        decision = decide(evidence)
        reasons = [*decision.reasons, *self._basis_lines(basis)]
        word = decision.verdict if decision.why is None else f"{decision.verdict}: {decision.why}"
        lines = level_lines(self._closeness)
        if self._mismatch is not None:
            lines = tuple(line for line in lines if line.unit != "loss")
        return SubjectMemorisation(
            subject=subject,
            baseline=baseline,
            verdict=decision.verdict,
            why=decision.why,
            rests_on="halves" if basis.halves else "matched pairs" if basis.matched else "probes",
            sentence=f"{subject}: {word}. {reasons[0]}",
            reasons=tuple(reasons),
            conditions=tuple(conditions(evidence).values()),
            training=evidence.training,
            clean=evidence.clean,
            largest_change=number(evidence.largest_change),
            answers_changed=number(evidence.answers_changed),
            levels=tuple(level_rows(self._base, self._tuned, lines, self._means)),
            contrasts=evidence.contrasts,
            membership=tuple(self._membership()),
            copied=tuple(self._copied()),
            recited_examples=tuple(self._examples()),
            cautions=tuple(self._cautions(basis)),
            neighbours=self._neighbours(evidence.contrasts.neighbour),
        )

    def _basis_lines(self, basis: MemorisationBasis) -> Iterator[str]:
        """Say what the verdict rests on, where that is not all probed prompts."""
        if basis.halves is not None:
            yield f"{basis.halves_words[:1].upper()}{basis.halves_words[1:]}."
        elif basis.matched:
            pairs = min(self._sent("training"), self._sent("clean"))
            yield (
                f"This rests on {pairs} pairs of a training and a clean prompt that are matched on"
                " length and topic: all of the texts are told apart, the pairs are not."
            )

    def _contrasts(self) -> MemorisationContrasts:
        """Estimate every contrast; the first argument names its random stream."""
        paired, unpaired = self._means.paired, self._means.unpaired
        training, clean = self._gain("training"), self._gain("clean")
        reworded, foreign = self._gain("training", "variant"), self._gain("clean", "foreign")
        recited = [self._difference(Selector("continuation", group, "share")) for group in GROUPS]
        sums = self._response_gain("training"), self._response_gain("clean")
        known = self._of_base("loss"), self._of_base("loss", "clean")
        base_recited = self._of_base("continuation"), self._of_base("continuation", "clean")
        neighbour = self._gain("training", "neighbour")
        # The prompts of the line above it in the table, and no others.
        reworded = {key: value for key, value in reworded.items() if key in training}
        return MemorisationContrasts(
            gain_training=paired("gain training", training),
            gain_reworded=paired("gain reworded", reworded),
            gain_clean=paired("gain clean", clean),
            gap=unpaired("gap", training, clean),
            lost=unpaired("lost", training, clean, (RULES.lost, -1.0)),
            kept=unpaired("kept", training, clean, (-RULES.kept, 1.0)),
            gain_training_response=paired("gain training response", sums[0]),
            gain_clean_response=paired("gain clean response", sums[1]),
            gap_response=unpaired("gap response", sums[0], sums[1]),
            lost_response=unpaired("lost response", sums[0], sums[1], (RULES.lost, -1.0)),
            kept_response=unpaired("kept response", sums[0], sums[1], (-RULES.kept, 1.0)),
            neighbour=paired("neighbour", weighted_difference(training, neighbour)),
            relation=paired("relation", weighted_difference(clean, foreign, 1 + RULES.foreign)),
            specific=paired("specific", weighted_difference(clean, foreign)),
            form=paired("form", self._form(clean)),
            recited=unpaired("recited", recited[0], recited[1]),
            recited_clean=paired("recited clean", self._difference(self._clean_selector())),
            base_recited=unpaired("base recited", base_recited[0], base_recited[1]),
            # Known are log-probabilities: the share of a loss is that of its negative.
            base_knows_clean=unpaired(
                "base knows clean", known[0], known[1], (-RULES.base_knows, 1.0)
            ),
            base_knows_training=unpaired(
                "base knows training", known[0], known[1], (1.0, -RULES.base_knows)
            ),
            rouge_lost=paired("rouge", self._closeness_lost()),
        )

    def _gain(self, group: str, form: str = "original") -> ValueByPrompt:
        """Return the loss of the base less that of the subject, by prompt."""
        return self._difference(loss_selector(group, form))

    def _difference(self, selector: Selector) -> ValueByPrompt:
        """Return subject less base, by prompt; empty where their losses cannot be compared."""
        if selector.probe == "loss" and self._mismatch is not None:
            return {}
        return weighted_difference(
            by_prompt(self._tuned, selector), by_prompt(self._base, selector)
        )

    def _response_gain(self, group: str) -> ValueByPrompt:
        """Return the gain in nats a response, by prompt; empty where losses cannot be compared."""
        if self._mismatch is not None:
            return {}
        return weighted_difference(
            response_sums(self._tuned, group), response_sums(self._base, group)
        )

    def _of_base(
        self, probe: Literal["loss", "continuation"], group: str = "training"
    ) -> ValueByPrompt:
        """Return what the base finds likely, or recites, of a group's responses."""
        value = "loss" if probe == "loss" else "share"
        return by_prompt(self._base, Selector(probe, group, value))

    def _clean_selector(self) -> Selector:
        """Select what is recited of clean responses: of their own words, where these were counted."""
        counted = any("own_words" in r.values for r in self._tuned if r.probe == "continuation")
        return Selector("continuation", "clean", "own_share" if counted else "share")

    def _recited_shares(self) -> RecitedShares:
        def mean(records: Sequence[Probe], selector: Selector) -> float | None:
            values = list(by_prompt(records, selector).values())
            return sum(values) / len(values) if values else None

        training, clean = (Selector("continuation", group, "share") for group in GROUPS)
        chosen = self._clean_selector()
        return RecitedShares(
            base_training=mean(self._base, training),
            base_clean=mean(self._base, clean),
            clean=mean(self._tuned, chosen),
            clean_is_own=chosen.value == "own_share",
        )

    def _neighbours(self, contrast: PairedDifference | None) -> str:
        """Say what the gain on training responses was compared with, beside clean ones."""
        if contrast is None:
            return (
                "No neighbour control: no training response has another response to its prompt in the"
                " data, and none could be reworded."
            )
        records = [
            r for r in self._tuned if (r.probe, r.form) == ("loss", "neighbour") and r.values
        ]
        others = sum(r.replicate == OTHER_RESPONSE for r in records)
        return (
            "Neighbour control: the gain on a training response is"
            f" {nats(contrast)} above that on its neighbour ({others} other responses to the same"
            f" prompt, {len(records) - others} rewordings of the response)."
        )

    def _rated(self, group: str) -> int:
        """Count the prompts of a group whose response both could rate."""
        selector = loss_selector(group)
        return len(by_prompt(self._base, selector).keys() & by_prompt(self._tuned, selector).keys())

    def _sent(self, group: str) -> int:
        """Count the prompts of a group whose response was to be rated by either."""
        records = (*self._base, *self._tuned)
        kind = ("loss", group, "original")
        return len({r.sample_id for r in records if (r.probe, r.group, r.form) == kind})

    def _form(self, gain: ValueByPrompt) -> ValueByPrompt:
        """Return the gain on clean references less its share of the base model's loss on them."""
        base = by_prompt(self._base, loss_selector("clean"))
        return {key: gain[key] + RULES.form * base[key] for key in gain}

    def _closeness_lost(self) -> ValueByPrompt:
        """Return the cost of rewording in closeness to the training response, beyond the base's."""
        name = self._closeness.name
        original = self._difference(Selector("answer", "training", name))
        reworded = self._difference(Selector("answer", "training", name, "variant"))
        return weighted_difference(original, reworded)

    def _largest_change(self) -> float | None:
        if self._mismatch is not None:
            return None
        changes = (np.abs(np.subtract(t.logprobs, b.logprobs)) for b, t in self._rated_pairs)
        return max((float(change.mean()) for change in changes), default=None)

    def _answers_changed(self) -> float | None:
        same = [
            b.text == t.text
            for b, t in self._pairs
            if t.probe == "answer" and b.error is None and t.error is None
        ]
        return 1 - sum(same) / len(same) if same else None

    def _membership(self) -> Iterator[MembershipAuc]:
        """Yield the AUC of every score, training against clean prompts, raw and less the base's."""
        for score in ("loss", "min_k", "min_k_pp"):
            selectors = [Selector("loss", group, score) for group in GROUPS]
            sides: dict[Literal["base", "raw", "relative"], list[ValueByPrompt]] = {
                "base": [by_prompt(self._base, selector) for selector in selectors],
                "raw": [by_prompt(self._tuned, selector) for selector in selectors],
                "relative": [self._difference(selector) for selector in selectors],
            }
            for how, groups in sides.items():
                members, others = (
                    np.array([values[k] for k in sorted(values)]) for values in groups
                )
                area = auc(members, others, self._means.settings.level)
                if area is not None:
                    ends = {name: number(value) for name, value in area._asdict().items()}
                    yield MembershipAuc(score=score, how=how, **ends)

    def _copied(self) -> Iterator[CopiedAnswers]:
        """Count the answers with ``COPIED_WORDS`` words in a row of another sample's response."""
        for group in GROUPS:
            base, tuned = (_copies(records, group) for records in (self._base, self._tuned))
            if tuned.answers:
                yield CopiedAnswers(group=group, base=base, subject=tuned, words=COPIED_WORDS)

    def _examples(self) -> Iterator[RecitedExample]:
        """Yield the continuations that recite most."""
        continuations = [
            r
            for r in self._tuned
            if r.probe == "continuation" and r.group == "training" and r.error is None
        ]
        continuations.sort(key=lambda r: (-r.values["span"], r.sample_id))
        for r in continuations[:EXAMPLES]:
            of_base = self._base_of.get(r.key[:-1])
            yield RecitedExample(
                sample_id=r.sample_id,
                span=r.values["span"],
                share=number(r.values["share"]),
                base_span=of_base.values.get("span") if of_base else None,
                text=(r.text or "")[:300],
            )

    def _cautions(self, basis: MemorisationBasis) -> Iterator[str]:
        """Warn of what may mislead: halves of another training, texts that the base finds unlike."""
        if basis.halves is None and basis.halves_words:
            yield f"The halves study is no evidence here: {basis.halves_words}."
        training, clean = (by_prompt(self._base, loss_selector(group)) for group in GROUPS)
        difference = self._means.unpaired("base", training, clean)
        if difference is not None and (above(difference) or below(difference)):
            likelier = "training" if above(difference) else "clean"
            yield (
                f"Already to {self._names[0]} the {likelier} responses are likelier (training less"
                f" clean: {difference.mean:+.2f} nats a token): the clean prompts may be of another"
                " kind, and a gap may in part be that."
            )


def _copies(records: Sequence[Probe], group: str) -> CopyCount:
    spans = [
        r.values["other_span"]
        for r in records
        if (r.probe, r.group, r.form) == ("answer", group, "original") and r.error is None
    ]
    copied = sum(span >= COPIED_WORDS for span in spans)
    return CopyCount(answers=len(spans), copied=copied)
