"""Variants in the making: a slot for each, which tries candidates on each turn that it may change.

Every turn goes through the gate by itself and draws from a random stream of its own, so that what
becomes of one turn depends on no other; a variant is valid once at least one turn has changed.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from harness.errors import JostleError, PluginError
from harness.protocols import ProposesMany
from harness.records import IDENTITY, ORIGINAL, Edit, Sample, Variant, VariantStatus
from harness.text.edits import apply_edits, find_edits, normalised
from harness.text.parse import Text
from harness.util.digest import derived_rng, digest
from harness.variants.checks import Passage
from harness.variants.gate import Gate, GateVerdict
from harness.variants.kinds import Kind

SHORTFALL = "shortfall"
CANDIDATES = 8

Proposal: TypeAlias = Sequence[Edit] | str | None


@dataclass(eq=False)
class UserTurn:
    """A turn that may be changed.

    Attributes:
        index: Its place in the conversation.
        stream: Names its random streams beside others'.
        company: Other turns may change, too.
        taken: Its texts that variants have.
    """

    index: int
    text: Text
    stream: tuple[str | int, ...] = ()
    company: bool = False
    taken: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.taken.add(self.text.raw)


@dataclass(eq=False)
class PromptInWork:
    """A sample whose variants are being made."""

    sample: Sample
    turns: Sequence[UserTurn]
    seed: int
    slots: list[Slot] = field(default_factory=list)

    @property
    def in_danger(self) -> bool:
        """Return whether a turn that may be changed holds a sentence of danger."""
        return any(turn.text.danger for turn in self.turns)

    @property
    def valid(self) -> int:
        """Count the valid variants that changed something."""
        return sum(s.status == "valid" and s.kind.name != IDENTITY for s in self.slots)

    def records(self, gate: Gate, wanted: int) -> Iterator[Variant]:
        """Yield the original, every variant, and what is missing of the wanted number."""
        content: list[object] = [m.model_dump() for m in self.sample.messages]
        yield Variant(
            sample_id=self.sample.id,
            perturbation=ORIGINAL,
            messages=self.sample.messages,
            danger=self.in_danger,
            made_from=digest([content]),
        )
        if len(self.turns) > 1:
            content.append([turn.index for turn in self.turns])
        for slot in self.slots:
            yield slot.record(digest([content, slot.kind.fingerprint, gate.fingerprint, self.seed]))
        if self.valid < wanted:
            causes = dict.fromkeys(
                f"{s.kind.name} {s.status}" for s in self.slots if s.status != "valid"
            )
            why = ", ".join(causes) or "every kind gave what it can"
            kinds = sorted({s.kind.fingerprint for s in self.slots})
            yield Variant(
                sample_id=self.sample.id,
                perturbation=SHORTFALL,
                status="rejected",
                filler=True,
                reason=f"{self.valid} of {wanted} variants: {why}",
                made_from=digest([content, kinds, gate.fingerprint, self.seed]),
            )


@dataclass(eq=False)
class Slot:
    """A variant to be made, from one part for each turn that may change.

    Attributes:
        filler: Made up for a variant that is missing; it counts only once it is valid.
    """

    prompt: PromptInWork
    kind: Kind
    replicate: int
    filler: bool = False
    parts: tuple[SlotPart, ...] = ()

    def __post_init__(self) -> None:
        stream = (self.prompt.sample.id, self.kind.name, self.kind.severity, self.replicate)
        self.parts = tuple(
            SlotPart(turn, self.kind, self.prompt.seed, stream) for turn in self.prompt.turns
        )
        if not self.filler:
            self.prompt.slots.append(self)

    @property
    def status(self) -> VariantStatus:
        """Return how the variant ended: as its best part did."""
        ends = {part.status for part in self.parts}
        assert "open" not in ends
        order: tuple[VariantStatus, ...] = ("valid", "rejected", "unchanged", "inapplicable")
        return next(status for status in order if status in ends)

    @property
    def ok(self) -> bool:
        """Return whether the variant can be asked."""
        return self.status == "valid"

    def record(self, made_from: str) -> Variant:
        """Return the variant as it is stored."""
        status, last = self.status, self.prompt.turns[-1].index
        settled = {part.turn.index: part for part in self.parts}
        changed = {i: part for i, part in settled.items() if part.status == "valid"}
        measured = [p.similarity for p in changed.values() if p.similarity is not None]
        accepted = [p.acceptability for p in changed.values() if p.acceptability is not None]
        reasons = [part.reason for part in self.parts if part.status == status]
        texts = {i: part.raw for i, part in changed.items()}
        return Variant(
            sample_id=self.prompt.sample.id,
            perturbation=self.kind.name,
            severity=self.kind.severity,
            replicate=self.replicate,
            messages=self.prompt.sample.with_turns(texts) if changed else (),
            edits=changed[last].edits if last in changed else (),
            earlier_edits={i: p.edits for i, p in changed.items() if i != last and p.edits},
            untouched={
                i: part.reason or part.status
                for i, part in settled.items()
                if changed and i not in changed
            },
            status=status,
            reason=None if changed else reasons[-1],
            filler=self.filler,
            similarity=min(measured, default=None),
            acceptability=min(accepted, default=None),
            made_from=made_from,
        )


@dataclass(eq=False)
class SlotPart:
    """One turn of a variant: tries candidates until one is accepted or the bound is reached."""

    turn: UserTurn
    kind: Kind
    seed: int
    stream: tuple[str | int, ...]
    candidate: int = 0
    status: VariantStatus | Literal["open"] = "open"
    reason: str | None = None
    edits: tuple[Edit, ...] = ()
    raw: str = ""
    similarity: float | None = None
    acceptability: float | None = None
    proposed: list[Proposal | PluginError] = field(default_factory=list)

    @property
    def text(self) -> Text:
        """Return the turn as this kind sees it: few may change a sentence of danger."""
        free = self.kind.severity in self.kind.traits.danger
        return self.turn.text.without_danger if free else self.turn.text

    def propose(self, gate: Gate) -> Passage | None:
        """Return the next candidate that passes the explicit checks, or None once settled without."""
        text = self.text
        if self.kind.traits.same_text:
            self.status, self.raw = "valid", text.raw
            return None
        if self.kind.traits.one_story and self.turn.company:
            self.status, self.reason = "inapplicable", "would have to change every turn alike"
            return None
        while self.candidate < CANDIDATES:
            edits = self._next_edits(text)
            self.candidate += 1
            if edits is None:
                self._settle_empty()
                return None
            if isinstance(edits, str):  # the plug-in failed
                self.reason = edits
                continue
            self.edits = edits
            passage = gate.check(
                text, edits, severity=self.kind.severity, limits=self.kind.traits.limits
            )
            if isinstance(passage, str):
                self.reason = passage
                continue
            self.raw = apply_edits(text.raw, edits)
            if self.raw in self.turn.taken:
                self.reason = "sibling: the same text as another variant of this prompt"
                continue
            self.turn.taken.add(self.raw)
            return passage
        self.status = "unchanged" if (self.reason or "").startswith("unchanged") else "rejected"
        return None

    def reject(self, reason: str) -> None:
        """Drop the candidate, which fell short of a floor; the next one may pass."""
        self.reason = reason
        self.turn.taken.discard(self.raw)

    def accept(self, verdict: GateVerdict) -> None:
        """Settle on the current candidate."""
        self.status, self.reason = "valid", None
        self.similarity, self.acceptability = verdict.similarity, verdict.acceptability

    def rng(self) -> random.Random:
        """Return the random stream of the next candidate."""
        return derived_rng(self.seed, *self.stream, self.candidate, *self.turn.stream)

    def _next_edits(self, text: Text) -> tuple[Edit, ...] | str | None:
        """Return the next candidate's edits, None if inapplicable, or how the plug-in failed."""
        try:
            proposal = self.proposed.pop() if self.proposed else self.kind.plugin(text, self.rng())
            if isinstance(proposal, PluginError):
                raise proposal
            if proposal is None:
                return None
            if isinstance(proposal, str):
                return find_edits(text.raw, proposal)
            edits = normalised(text.raw, proposal)
            apply_edits(text.raw, edits)
        except Exception as error:  # a plug-in's fault costs its variant, never the run
            if isinstance(error, JostleError) and not isinstance(error, PluginError):
                raise  # a budget that is spent, an endpoint that refuses: the run must stop
            return f"failed: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
        return edits

    def _settle_empty(self) -> None:
        if self.reason is None:
            self.status, self.reason = "inapplicable", "does not apply to this prompt"
            if self._held_back():
                self.reason = "danger: applies only to sentences of danger and those beside them"
        else:
            self.status = "rejected"

    def _held_back(self) -> bool:
        """Return whether the kind would have something to propose but for sentences of danger."""
        text = self.text
        if not text.danger or isinstance(self.kind.plugin, ProposesMany):
            return False
        try:
            return self.kind.plugin(text.without_danger, self.rng()) is not None
        except Exception:  # as above; the reason is of no consequence for the variant
            return False


def settle(parts: Sequence[SlotPart], gate: Gate) -> None:
    """Settle all parts, round by round, so that each round embeds one batch."""
    pending = list(parts)
    while pending:
        _propose_together(pending)
        proposed: list[tuple[SlotPart, Passage]] = []
        for part in pending:
            passage = part.propose(gate)
            if passage is not None:
                proposed.append((part, passage))
        verdicts = gate.judge([(p, s.kind.name, s.kind.traits.limits) for s, p in proposed])
        pending = []
        for (part, _), verdict in zip(proposed, verdicts, strict=True):
            if verdict.reason is None:
                part.accept(verdict)
            else:
                part.reject(verdict.reason)
                pending.append(part)


def _propose_together(parts: Sequence[SlotPart]) -> None:
    """Ask each plug-in that takes ``many`` once for all its next candidates."""
    groups: dict[int, list[SlotPart]] = {}
    for part in parts:
        if isinstance(part.kind.plugin, ProposesMany):
            groups.setdefault(id(part.kind), []).append(part)
    for group in groups.values():
        plugin = group[0].kind.plugin
        assert isinstance(plugin, ProposesMany)
        answers = plugin.many([(part.text, part.rng()) for part in group])
        for part, answer in zip(group, answers, strict=True):
            part.proposed = [answer]
