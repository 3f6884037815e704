"""The evidence on one subject beside its base: contrasts, membership, copies, and the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.analysis.test_family import number
from harness.memorisation import conditions as rules
from harness.memorisation.copying import Closeness
from harness.memorisation.levels import (
    PromptMeans,
    Selector,
    ValueByPrompt,
    by_prompt,
    level_lines,
    level_table,
    token_counts,
    weighted_difference,
)
from harness.memorisation.membership import auc
from harness.memorisation.verdict import decide
from harness.records import Probe

COPIED_WORDS = 8
"""A run of so many words from another sample's training response counts as copied."""

EXAMPLES = 6
GROUPS = ("training", "clean")


class SubjectEvidence:
    """The evidence on one subject beside its base.

    Args:
        base: The base's records.
        tuned: The subject's.
        names: Of the base and of the subject.
        means: Estimates means over prompts.
        closeness: The measure of answers against training responses.
    """

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
        counts = token_counts(base, tuned)
        self._mismatch = next((pair for pair in counts if pair[0] != pair[1]), None)

    def summary(self) -> dict[str, Any]:
        """Return the verdict on this subject with all its evidence."""
        contrasts = self._contrasts()
        evidence = rules.VerdictEvidence(
            training=self._rated("training"),
            clean=self._rated("clean"),
            training_sent=self._sent("training"),
            clean_sent=self._sent("clean"),
            token_mismatch=self._mismatch,
            largest_change=self._largest_change(),
            answers_changed=self._answers_changed(),
            **{name: contrasts[name] for name in _DECIDE},
        )
        verdict, reasons = decide(evidence)
        lines = [
            line
            for line in level_lines(self._closeness)
            if line.unit != "loss" or self._mismatch is None
        ]
        return {
            "subject": self._names[1],
            "baseline": self._names[0],
            "verdict": verdict,
            "sentence": f"{self._names[1]}: {verdict}. {reasons[0]}",
            "reasons": reasons,
            "conditions": [asdict(row) for row in rules.conditions(evidence).values()],
            "training": evidence.training,
            "clean": evidence.clean,
            "largest_change": number(evidence.largest_change),
            "answers_changed": number(evidence.answers_changed),
            "levels": level_table(self._base, self._tuned, self._means, lines),
            "contrasts": contrasts,
            "membership": self._membership(),
            "copied": self._copied(),
            "recited_examples": self._examples(),
            "cautions": self._cautions(),
        }

    def _contrasts(self) -> dict[str, Any]:
        """Estimate every contrast of subject and base; the first argument names its random stream."""
        paired, unpaired = self._means.paired, self._means.unpaired
        training, clean = self._gain("training"), self._gain("clean")
        reworded, foreign = self._gain("training", "variant"), self._gain("clean", "foreign")
        recited = [
            self._difference(Selector("continuation", group, "original", "share"))
            for group in GROUPS
        ]
        # The prompts of the line above it in the table, and no others.
        reworded = {key: value for key, value in reworded.items() if key in training}
        return {
            "gain_training": paired("gain training", training),
            "gain_reworded": paired("gain reworded", reworded),
            "gain_clean": paired("gain clean", clean),
            "gap": unpaired("gap", training, clean),
            "lost": unpaired("lost", training, clean, (rules.LOST, -1.0)),
            "kept": unpaired("kept", training, clean, (-rules.KEPT, 1.0)),
            "relation": paired("relation", weighted_difference(clean, foreign, 1 + rules.FOREIGN)),
            "specific": paired("specific", weighted_difference(clean, foreign)),
            "form": paired("form", self._form(clean)),
            "recited": unpaired("recited", recited[0], recited[1]),
            "rouge_lost": paired("rouge", self._closeness_lost()),
        }

    def _gain(self, group: str, form: str = "original") -> ValueByPrompt:
        """Return the loss of the base less that of the subject, by prompt."""
        return self._difference(Selector("loss", group, form, "loss"))

    def _difference(self, selector: Selector) -> ValueByPrompt:
        """Return subject less base, by prompt; empty where their losses cannot be compared."""
        if selector.probe == "loss" and self._mismatch is not None:
            return {}
        return weighted_difference(by_prompt(self._tuned, selector), by_prompt(self._base, selector))

    def _rated(self, group: str) -> int:
        """Count the prompts of a group whose response both could rate."""
        selector = Selector("loss", group, "original", "loss")
        return len(by_prompt(self._base, selector).keys() & by_prompt(self._tuned, selector).keys())

    def _sent(self, group: str) -> int:
        """Count the prompts of a group whose response was to be rated, for the base or the subject."""
        return len(
            {
                r.sample_id
                for r in (*self._base, *self._tuned)
                if (r.probe, r.group, r.form) == ("loss", group, "original")
            }
        )

    def _form(self, gain: ValueByPrompt) -> ValueByPrompt:
        """Return the gain on clean references less its share of the base model's loss on them."""
        base = by_prompt(self._base, Selector("loss", "clean", "original", "loss"))
        return {key: gain[key] + rules.FORM * base[key] for key in gain}

    def _closeness_lost(self) -> ValueByPrompt:
        """Return the cost of rewording in closeness to the training response, beyond the base's."""
        name = self._closeness.name
        original = self._difference(Selector("answer", "training", "original", name))
        reworded = self._difference(Selector("answer", "training", "variant", name))
        return weighted_difference(original, reworded)

    def _largest_change(self) -> float | None:
        if self._mismatch is not None:
            return None
        base = {r.key[:-1]: r.logprobs for r in self._base if r.logprobs}
        changes = [
            float(np.mean(np.abs(np.subtract(r.logprobs, base[r.key[:-1]]))))
            for r in self._tuned
            if r.logprobs and r.key[:-1] in base
        ]
        return max(changes, default=None)

    def _answers_changed(self) -> float | None:
        base = {r.key[:-1]: r.text for r in self._base if r.probe == "answer" and r.error is None}
        same = [
            base[r.key[:-1]] == r.text
            for r in self._tuned
            if r.probe == "answer" and r.error is None and r.key[:-1] in base
        ]
        return 1 - sum(same) / len(same) if same else None

    def _membership(self) -> list[dict[str, Any]]:
        """Estimate the AUC of every score, training against clean prompts, raw and less the base's."""
        rows = []
        for score in ("loss", "min_k", "min_k_pp"):
            selectors = [Selector("loss", group, "original", score) for group in GROUPS]
            for how, sides in (
                ("base", [by_prompt(self._base, selector) for selector in selectors]),
                ("raw", [by_prompt(self._tuned, selector) for selector in selectors]),
                ("relative", [self._difference(selector) for selector in selectors]),
            ):
                members, others = (np.array([side[k] for k in sorted(side)]) for side in sides)
                area = auc(members, others, self._means.level)
                if area is not None:
                    ends = {k: number(v) for k, v in area._asdict().items()}
                    rows.append({"score": score, "how": how, **ends})
        return rows

    def _copied(self) -> list[dict[str, Any]]:
        """Count the answers that hold ``COPIED_WORDS`` words in a row of another sample's response."""
        rows = []
        for group in GROUPS:
            base, tuned = (_copies(records, group) for records in (self._base, self._tuned))
            if tuned["answers"]:
                rows.append({"group": group, "base": base, "subject": tuned, "words": COPIED_WORDS})
        return rows

    def _examples(self) -> list[dict[str, Any]]:
        """Return the continuations that recite most."""
        base = {r.key[:-1]: r for r in self._base}
        continuations = [
            r
            for r in self._tuned
            if r.probe == "continuation" and r.group == "training" and r.error is None
        ]
        continuations.sort(key=lambda r: (-r.values["span"], r.sample_id))
        return [
            {
                "sample_id": r.sample_id,
                "span": r.values["span"],
                "share": number(r.values["share"]),
                "base_span": base[r.key[:-1]].values.get("span") if r.key[:-1] in base else None,
                "text": (r.text or "")[:300],
            }
            for r in continuations[:EXAMPLES]
        ]

    def _cautions(self) -> list[str]:
        """Warn where clean prompts may be no fair comparison: the base finds them unlike."""
        training, clean = (
            by_prompt(self._base, Selector("loss", group, "original", "loss")) for group in GROUPS
        )
        difference = self._means.unpaired("base", training, clean)
        if (
            difference is None
            or difference["low"] is None
            or difference["low"] <= 0 <= difference["high"]
        ):
            return []
        likelier = "training" if difference["mean"] > 0 else "clean"
        return [
            f"Already to {self._names[0]} the {likelier} responses are likelier (training less clean:"
            f" {difference['mean']:+.2f} nats a token): the clean prompts may be of another kind, and"
            " a gap may in part be that."
        ]


def _copies(records: Sequence[Probe], group: str) -> dict[str, int]:
    spans = [
        r.values["other_span"]
        for r in records
        if (r.probe, r.group, r.form) == ("answer", group, "original") and r.error is None
    ]
    return {"answers": len(spans), "copied": sum(span >= COPIED_WORDS for span in spans)}


_DECIDE = (
    "gain_training", "gain_clean", "gap", "lost", "kept", "relation", "specific", "form", "recited",
)  # fmt: skip
"""The contrasts that the rules use."""
