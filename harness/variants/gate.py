"""The gate: what a candidate must preserve to count as the same prompt in other words.

Cosine alone does not tell good from bad ("did" / "did not" is .83, a good change of role .78), so
it is a floor per kind beside explicit checks, which run first. All look only at the sentences that
an edit touches (``checks.py``); what gets embedded is those passages before and after, each
distinct text once. What passes goes through a second gate, learned from read pairs
(``acceptability.py``), which knows nothing of the rules that the first ones check.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from harness.errors import PluginError
from harness.protocols import Limits
from harness.records import Edit
from harness.text import danger_meaning, embedding
from harness.text.edits import normalised
from harness.text.embedding import Contextualise, Embed, TokenStates
from harness.text.parse import Text
from harness.util.digest import digest
from harness.variants import acceptability as second_gate
from harness.variants.checks import CHECKS, Passage, role_exchange, too_much
from harness.variants.context_features import windows

VERSION = "2"
"""To be raised whenever a check may decide otherwise: variants are then made again."""


@dataclass(frozen=True)
class GateVerdict:
    """The gate's decision on one candidate.

    Attributes:
        reason: None if it is accepted; else the check's name, a colon and one line.
        similarity: Cosine of the changed passages, where it was measured.
        acceptability: Score of the second gate, where it was measured.
    """

    reason: str | None
    similarity: float | None = None
    acceptability: float | None = None


class Gate:
    """Decides which candidates count.

    Args:
        similarity: Whether to measure it at all.
        acceptability: Whether the second gate looks at what passes the first. It looks through the
            same model: without similarity it is off as well, and the explicit checks decide alone.
        floors: Floors by kind that replace the kinds' own.
        embed: Texts to unit vectors; the process-wide MiniLM by default.
        contextualise: Texts to the states of their tokens, for the second gate, which is off where
            only ``embed`` is given.
    """

    def __init__(
        self,
        *,
        similarity: bool = True,
        acceptability: bool = True,
        floors: Mapping[str, float] | None = None,
        embed: Embed | None = None,
        contextualise: Contextualise | None = None,
    ) -> None:
        self.similarity = similarity
        self.acceptability = acceptability and similarity and (embed is None or bool(contextualise))
        self.floors = dict(floors or {})
        self._embed = embed
        self._contextualise = contextualise

    @cached_property
    def fingerprint(self) -> str:
        """Return the digest of what decides: the settings and the version."""
        second = second_gate.shipped().fingerprint if self.acceptability else None
        return digest(
            ["gate", self.similarity, second, self.floors, VERSION, danger_meaning.fingerprint()]
        )

    def check(
        self,
        text: Text,
        edits: Sequence[Edit],
        *,
        severity: str,
        limits: Limits | None = None,
    ) -> str | Passage:
        """Run the explicit checks, cheapest first.

        Returns:
            The reason for the rejection, or the passage whose similarity remains to be judged.
        """
        limits = limits or Limits()
        try:
            passage = Passage(text, normalised(text.raw, edits))
        except PluginError as error:
            return f"edits: {error}"
        if not passage.edits:
            return "unchanged: nothing differs from the original"
        excess = too_much(passage, limits, severity)
        if excess:
            return f"edits: {excess}"
        for name, check in CHECKS.items():
            if name in limits.exempt and name != "danger":  # that takes the trait, not a limit
                if name == "roles" and "exchange" in limits.exempt:
                    check = role_exchange
                else:
                    continue
            reason = check(passage, limits)
            if reason:
                return f"{name}: {reason}"
        return passage

    def judge(self, passages: Sequence[tuple[Passage, str, Limits | None]]) -> list[GateVerdict]:
        """Measure similarity and acceptability of many passages: (passage, kind, limits) each."""
        contextualise = self._contextualise or embedding.contextualise
        states: dict[str, TokenStates] = {}
        if self.acceptability:  # first, since the vectors come with the states
            texts = second_gate.texts([passage[:2] for passage in passages])
            states = dict(zip(texts, contextualise(texts), strict=True)) if texts else {}
        verdicts = self._similar(passages)
        if not self.acceptability:
            return verdicts
        passed = [i for i, verdict in enumerate(verdicts) if verdict.reason is None]
        outcomes = second_gate.accept([passages[i][:2] for i in passed], states)
        for i, outcome in zip(passed, outcomes, strict=True):
            verdicts[i] = GateVerdict(outcome.reason, verdicts[i].similarity, outcome.score)
        return verdicts

    def _similar(self, passages: Sequence[tuple[Passage, str, Limits | None]]) -> list[GateVerdict]:
        if not self.similarity:
            return [GateVerdict(None) for _ in passages]
        pieces = [list(windows(passage)) for passage, _, _ in passages]
        texts = list(dict.fromkeys(t for pairs in pieces for pair in pairs for t in pair))
        embed = self._embed or embedding.embed
        vectors = dict(zip(texts, embed(texts), strict=True)) if texts else {}
        verdicts = []
        for (_, kind, limits), pairs in zip(passages, pieces, strict=True):
            weights = [len(before) + 1 for before, _ in pairs]
            cosines = [float(vectors[b] @ vectors[a]) for b, a in pairs]
            cosine = sum(w * c for w, c in zip(weights, cosines, strict=True)) / sum(weights)
            cosine = round(cosine, 4)
            floor = self.floors.get(kind, (limits or Limits()).floor)
            reason = None if cosine >= floor else f"similarity: {cosine:.2f} is below {floor:.2f}"
            verdicts.append(GateVerdict(reason, cosine))
        return verdicts
