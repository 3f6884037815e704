"""What the probes say of one subject beside its base: levels, contrasts, membership, copies."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from harness.analysis import verdict as rules
from harness.analysis.ledger import number
from harness.digest import derived_seed
from harness.probes.membership import auc
from harness.records import Probe
from harness.stats import Floats, minimum_detectable_effect, studentised_bootstrap
from harness.stats_groups import two_groups

COPIED_WORDS = 8
"""A run of so many words from another sample's training response counts as copied."""

SHOWN = 6

Values = dict[str, float]
Place = tuple[str, str, str, str]
"""Probe, group, form and the name of a value."""

# Key, unit, label, and where the values are.
# fmt: off
_LEVELS: tuple[tuple[str, str, str, Place], ...] = (
    ("loss_training", "loss", "Loss on training responses",
     ("loss", "training", "original", "loss")),
    ("loss_reworded", "loss", "… under the reworded prompt",
     ("loss", "training", "variant", "loss")),
    ("loss_clean", "loss", "Loss on clean responses",
     ("loss", "clean", "original", "loss")),
    ("loss_foreign", "loss", "… under a stranger's prompt",
     ("loss", "clean", "foreign", "loss")),
    ("recited_training", "share", "Recited of the rest, training",
     ("continuation", "training", "original", "share")),
    ("recited_clean", "share", "Recited of the rest, clean",
     ("continuation", "clean", "original", "share")),
    ("span_training", "words", "Longest run recited, training",
     ("continuation", "training", "original", "span")),
    ("span_clean", "words", "Longest run recited, clean",
     ("continuation", "clean", "original", "span")),
    ("rouge_training", "share", "ROUGE-L to the training response",
     ("answer", "training", "original", "rouge_l")),
    ("rouge_reworded", "share", "… when the prompt is reworded",
     ("answer", "training", "variant", "rouge_l")),
    ("other_training", "words", "Run shared with another training response, training prompts",
     ("answer", "training", "original", "other_span")),
    ("other_clean", "words", "Run shared with a training response, clean prompts",
     ("answer", "clean", "original", "other_span")),
)
# fmt: on


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


def _by_sample(records: Iterable[Probe], place: Place) -> Values:
    """Mean of a value over the records of each sample."""
    probe, group, form, name = place
    found: dict[str, list[float]] = defaultdict(list)
    for r in records:
        if (r.probe, r.group, r.form) == (probe, group, form) and name in r.values:
            found[r.sample_id].append(r.values[name])
    return {key: sum(values) / len(values) for key, values in found.items()}


def _combined(own: Values, foreign: Values, weight: float) -> Values:
    return {k: weight * own[k] - foreign[k] for k in sorted(own.keys() & foreign.keys())}


def _column(values: Values) -> Floats:
    return np.array([[values[key]] for key in sorted(values)])


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
        self.seed, self.resamples, self.level = seed, resamples, level

    def summary(self) -> dict[str, Any]:
        """Everything that is said of this subject."""
        rows = [row for row in (self._row(*spec) for spec in _LEVELS) if row is not None]
        gains = {form: self._difference(("loss", *form, "loss")) for form in _GAIN_FORMS}
        training, clean = gains["training", "original"], gains["clean", "original"]
        recited = [
            self._difference(("continuation", group, "original", "share"))
            for group in ("training", "clean")
        ]
        contrasts = {
            "gain_training": self._one("gain training", training),
            "gain_reworded": self._one("gain reworded", gains["training", "variant"]),
            "gain_clean": self._one("gain clean", clean),
            "gap": self._two("gap", training, clean, (1.0, -1.0)),
            "lost": self._two("lost", training, clean, (rules.LOST, -1.0)),
            "kept": self._two("kept", training, clean, (-rules.KEPT, 1.0)),
            "relation": self._one(
                "relation", _combined(clean, gains["clean", "foreign"], 1 + rules.FOREIGN)
            ),
            "specific": self._one("specific", _combined(clean, gains["clean", "foreign"], 1.0)),
            "form": self._one("form", self._form(clean)),
            "recited": self._two("recited", recited[0], recited[1], (1.0, -1.0)),
            "rouge_lost": self._one("rouge", self._rouge_lost()),
        }
        found = rules.Findings(
            training=len(training),
            clean=len(clean),
            largest_change=self._largest_change(),
            answers_changed=self._answers_changed(),
            **{name: contrasts[name] for name in _DECIDE},
        )
        verdict, reasons = rules.decide(found)
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
            "levels": rows,
            "contrasts": contrasts,
            "membership": self._membership(),
            "copied": self._copied(),
            "recited_examples": self._examples(),
            "cautions": self._cautions(),
        }

    def _row(self, key: str, unit: str, label: str, place: Place) -> dict[str, Any] | None:
        """One line of the evidence table; loss with its usual sign."""
        sign = -1.0 if unit == "loss" else 1.0
        base, own = _by_sample(self.base, place), _by_sample(self.own, place)
        both = sorted(base.keys() & own.keys())
        if not both:
            return None
        return {
            "key": key,
            "label": label,
            "unit": "nats a token" if unit == "loss" else unit,
            "base": number(sign * float(np.mean([base[k] for k in both]))),
            "subject": number(sign * float(np.mean([own[k] for k in both]))),
            "difference": self._one(key, {k: sign * (own[k] - base[k]) for k in both}),
        }

    def _difference(self, place: Place) -> Values:
        """Subject less base, by sample."""
        base, own = _by_sample(self.base, place), _by_sample(self.own, place)
        return {k: own[k] - base[k] for k in sorted(base.keys() & own.keys())}

    def _form(self, gain: Values) -> Values:
        """The gain on clean references less its share of the base model's loss on them."""
        base = _by_sample(self.base, ("loss", "clean", "original", "loss"))
        return {key: gain[key] + rules.FORM * base[key] for key in gain}

    def _rouge_lost(self) -> Values:
        """What rewording costs the subject in ROUGE-L to the training response, beyond the base."""
        original = self._difference(("answer", "training", "original", "rouge_l"))
        reworded = self._difference(("answer", "training", "variant", "rouge_l"))
        return {k: original[k] - reworded[k] for k in sorted(original.keys() & reworded.keys())}

    def _one(self, name: str, values: Values) -> dict[str, Any] | None:
        if not values:
            return None
        column = np.array([values[key] for key in sorted(values)])
        found = studentised_bootstrap(
            column[:, None], rng=self._rng(name), resamples=self.resamples, level=self.level
        )
        n, se = int(found.n[0]), float(found.se[0])
        low, high = float(found.low[0]), float(found.high[0])
        if n >= 2 and not np.ptp(column):  # equal to the last digit: no spread is to be made up
            low = high = float(column[0])
        return {
            "mean": number(float(found.mean[0])),
            "low": number(low),
            "high": number(high),
            "n": n,
            "mde": number(minimum_detectable_effect(se * n**0.5, n)) if n >= 3 else None,
        }

    def _two(
        self, name: str, first: Values, second: Values, weights: tuple[float, float]
    ) -> dict[str, Any] | None:
        if not first or not second:
            return None
        found = two_groups(
            _column(first),
            _column(second),
            rng=self._rng(name),
            weights=weights,
            resamples=self.resamples,
            level=self.level,
        )
        return {
            "mean": number(float(found.mean[0])),
            "low": number(float(found.low[0])),
            "high": number(float(found.high[0])),
            "training": int(found.first[0]),
            "clean": int(found.second[0]),
        }

    def _rng(self, name: str) -> np.random.Generator:
        return np.random.default_rng(derived_seed(self.seed, "memorisation", self.names[1], name))

    def _largest_change(self) -> float | None:
        base = {r.key[:-1]: r.logprobs for r in self.base if r.logprobs}
        changes = [
            float(np.mean(np.abs(np.subtract(r.logprobs, base[r.key[:-1]]))))
            for r in self.own
            if r.logprobs and len(base.get(r.key[:-1], ())) == len(r.logprobs)
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
                ("base", [_by_sample(self.base, place) for place in places]),
                ("raw", [_by_sample(self.own, place) for place in places]),
                ("relative", [self._difference(place) for place in places]),
            ):
                members, others = (np.array([side[k] for k in sorted(side)]) for side in sides)
                found = auc(members, others, self.level)
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
            _by_sample(self.base, ("loss", group, "original", "loss"))
            for group in ("training", "clean")
        ]
        found = self._two("base", sides[0], sides[1], (1.0, -1.0))
        if found is None or found["low"] is None or found["low"] <= 0 <= found["high"]:
            return []
        easier = "training" if found["mean"] > 0 else "clean"
        return [
            f"Already to {self.names[0]} the {easier} responses are likelier (training less clean:"
            f" {found['mean']:+.2f} nats a token): the clean prompts may be of another kind, and a gap"
            " may in part be that."
        ]
