"""What the probes say of one subject beside its base: contrasts, membership, copies, the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.analysis.test_family import number
from harness.memorisation import conditions as rules
from harness.memorisation.level_lines import Levels
from harness.memorisation.membership import auc
from harness.memorisation.probe_values import (
    Estimator,
    Place,
    Values,
    by_sample,
    combined,
    token_counts,
)
from harness.memorisation.verdict import decide
from harness.records import Probe

COPIED_WORDS = 8
"""A run of so many words from another sample's training response counts as copied."""

SHOWN = 6

_GAIN_FORMS = (
    ("training", "original"),
    ("training", "variant"),
    ("clean", "original"),
    ("clean", "foreign"),
)
_DECIDE = (
    "gain_training",
    "gain_clean",
    "gap",
    "lost",
    "kept",
    "relation",
    "specific",
    "form",
    "recited",
)


class SubjectEvidence:
    """One subject beside its base.

    Args:
        base: The base's records.
        own: The subject's.
        names: Of the base and of the subject.
        seed: Seed of the run.
        resamples: Bootstrap resamples.
        level: Confidence level.
    """

    def __init__(
        self,
        base: Sequence[Probe],
        own: Sequence[Probe],
        names: tuple[str, str],
        seed: int,
        resamples: int,
        level: float,
    ) -> None:
        self.base, self.own, self.names = base, own, names
        self.estimate = Estimator(seed, names[1], resamples, level)
        self.unlike = [pair for pair in token_counts(base, own) if pair[0] != pair[1]]

    def summary(self) -> dict[str, Any]:
        """Everything that is said of this subject."""
        one, two = self.estimate.one, self.estimate.two
        gains = {form: self._difference(("loss", *form, "loss")) for form in _GAIN_FORMS}
        training, clean = gains["training", "original"], gains["clean", "original"]
        reworded, foreign = gains["training", "variant"], gains["clean", "foreign"]
        recited = [
            self._difference(("continuation", group, "original", "share"))
            for group in ("training", "clean")
        ]
        contrasts = {
            "gain_training": one("gain training", training),
            # The prompts of the line above it in the table, and no others.
            "gain_reworded": one(
                "gain reworded", {k: v for k, v in reworded.items() if k in training}
            ),
            "gain_clean": one("gain clean", clean),
            "gap": two("gap", training, clean, (1.0, -1.0)),
            "lost": two("lost", training, clean, (rules.LOST, -1.0)),
            "kept": two("kept", training, clean, (-rules.KEPT, 1.0)),
            "relation": one("relation", combined(clean, foreign, 1 + rules.FOREIGN)),
            "specific": one("specific", combined(clean, foreign)),
            "form": one("form", self._form(clean)),
            "recited": two("recited", recited[0], recited[1], (1.0, -1.0)),
            "rouge_lost": one("rouge", self._rouge_lost()),
        }
        found = rules.Findings(
            training=self._rated("training"),
            clean=self._rated("clean"),
            asked_training=self._asked("training"),
            asked_clean=self._asked("clean"),
            unlike_tokens=self.unlike[0] if self.unlike else None,
            largest_change=self._largest_change(),
            answers_changed=self._answers_changed(),
            **{name: contrasts[name] for name in _DECIDE},
        )
        verdict, reasons = decide(found)
        return {
            "subject": self.names[1],
            "baseline": self.names[0],
            "verdict": verdict,
            "sentence": f"{self.names[1]}: {verdict}. {reasons[0]}",
            "reasons": reasons,
            "conditions": [asdict(row) for row in rules.conditions(found).values()],
            "training": found.training,
            "clean": found.clean,
            "largest_change": number(found.largest_change),
            "answers_changed": number(found.answers_changed),
            "levels": Levels(self.base, self.own, self.estimate, losses=not self.unlike).rows(),
            "contrasts": contrasts,
            "membership": self._membership(),
            "copied": self._copied(),
            "recited_examples": self._examples(),
            "cautions": self._cautions(),
        }

    def _difference(self, place: Place) -> Values:
        """Subject less base, by sample; nothing where their losses cannot be compared."""
        if place[0] == "loss" and self.unlike:
            return {}
        return combined(by_sample(self.own, place), by_sample(self.base, place))

    def _rated(self, group: str) -> int:
        """Prompts of a group whose response both could rate."""
        place: Place = ("loss", group, "original", "loss")
        return len(by_sample(self.base, place).keys() & by_sample(self.own, place).keys())

    def _asked(self, group: str) -> int:
        """Prompts of a group whose response was to be rated, for the base or the subject."""
        return len(
            {
                r.sample_id
                for r in (*self.base, *self.own)
                if (r.probe, r.group, r.form) == ("loss", group, "original")
            }
        )

    def _form(self, gain: Values) -> Values:
        """The gain on clean references less its share of the base model's loss on them."""
        base = by_sample(self.base, ("loss", "clean", "original", "loss"))
        return {key: gain[key] + rules.FORM * base[key] for key in gain}

    def _rouge_lost(self) -> Values:
        """What rewording costs the subject in ROUGE-L to the training response, beyond the base."""
        original = self._difference(("answer", "training", "original", "rouge_l"))
        reworded = self._difference(("answer", "training", "variant", "rouge_l"))
        return combined(original, reworded)

    def _largest_change(self) -> float | None:
        if self.unlike:
            return None
        base = {r.key[:-1]: r.logprobs for r in self.base if r.logprobs}
        changes = [
            float(np.mean(np.abs(np.subtract(r.logprobs, base[r.key[:-1]]))))
            for r in self.own
            if r.logprobs and r.key[:-1] in base
        ]
        return max(changes, default=None)

    def _answers_changed(self) -> float | None:
        base = {r.key[:-1]: r.text for r in self.base if r.probe == "answer" and r.error is None}
        same = [
            base[r.key[:-1]] == r.text
            for r in self.own
            if r.probe == "answer" and r.error is None and r.key[:-1] in base
        ]
        return 1 - sum(same) / len(same) if same else None

    def _membership(self) -> list[dict[str, Any]]:
        """AUC of every score, training against clean prompts, raw and relative to the base."""
        rows = []
        for score in ("loss", "min_k", "min_k_pp"):
            places: list[Place] = [
                ("loss", group, "original", score) for group in ("training", "clean")
            ]
            for how, sides in (
                ("base", [by_sample(self.base, place) for place in places]),
                ("raw", [by_sample(self.own, place) for place in places]),
                ("relative", [self._difference(place) for place in places]),
            ):
                members, others = (np.array([side[k] for k in sorted(side)]) for side in sides)
                found = auc(members, others, self.estimate.level)
                if found is not None:
                    ends = {k: number(v) for k, v in found._asdict().items()}
                    rows.append({"score": score, "how": how, **ends})
        return rows

    def _copied(self) -> list[dict[str, Any]]:
        """How many answers hold ``COPIED_WORDS`` words in a row of another sample's response."""
        rows = []
        for group in ("training", "clean"):
            counts = {}
            for name, records in zip(self.names, (self.base, self.own), strict=True):
                spans = [
                    r.values["other_span"]
                    for r in records
                    if (r.probe, r.group, r.form) == ("answer", group, "original")
                    and r.error is None
                ]
                copied = sum(span >= COPIED_WORDS for span in spans)
                counts[name] = {"answers": len(spans), "copied": copied}
            base, own = counts[self.names[0]], counts[self.names[1]]
            if own["answers"]:
                rows.append({"group": group, "base": base, "subject": own, "words": COPIED_WORDS})
        return rows

    def _examples(self) -> list[dict[str, Any]]:
        """The continuations that recite most."""
        base = {r.key[:-1]: r for r in self.base}
        found = [
            r
            for r in self.own
            if r.probe == "continuation" and r.group == "training" and r.error is None
        ]
        found.sort(key=lambda r: (-r.values["span"], r.sample_id))
        return [
            {
                "sample_id": r.sample_id,
                "span": r.values["span"],
                "share": number(r.values["share"]),
                "base_span": base[r.key[:-1]].values.get("span") if r.key[:-1] in base else None,
                "text": (r.text or "")[:300],
            }
            for r in found[:SHOWN]
        ]

    def _cautions(self) -> list[str]:
        """Where clean prompts may be no fair comparison: the base finds them unlike."""
        sides = [
            by_sample(self.base, ("loss", group, "original", "loss"))
            for group in ("training", "clean")
        ]
        found = self.estimate.two("base", sides[0], sides[1], (1.0, -1.0))
        if found is None or found["low"] is None or found["low"] <= 0 <= found["high"]:
            return []
        easier = "training" if found["mean"] > 0 else "clean"
        return [
            f"Already to {self.names[0]} the {easier} responses are likelier (training less clean:"
            f" {found['mean']:+.2f} nats a token): the clean prompts may be of another kind, and a gap"
            " may in part be that."
        ]
