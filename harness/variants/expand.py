"""Expansion of samples into variants: seeding, the gate, further candidates, fillers.

Plug-ins propose; everything else is here. Prompts go through in chunks, so that each is parsed once
for all kinds and passages are embedded in batches, but nothing about one prompt depends on another:
the variants are the same whatever the chunk, order or resume.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from harness.errors import JostleError, PluginError
from harness.protocols import ProposesMany
from harness.records import IDENTITY, ORIGINAL, Edit, Sample, Variant, VariantStatus
from harness.text.edits import apply_edits, find_edits, normalised
from harness.text.parse import Text, find_danger, parse
from harness.util.digest import derived_rng, digest
from harness.variants.checks import Passage
from harness.variants.gate import Gate
from harness.variants.kinds import Kind, make_kind

__all__ = ["CANDIDATES", "SHORTFALL", "Kind", "expand", "make_kind"]

SHORTFALL = "shortfall"
CANDIDATES = 8
CHUNK = 64

Proposal: TypeAlias = Sequence[Edit] | str | None


def expand(
    samples: Sequence[Sample],
    kinds: Sequence[Kind],
    *,
    seed: int,
    variants_per_kind: int = 1,
    variants_per_prompt: int = 5,
    gate: Gate,
) -> Iterator[Variant]:
    """Yield every sample's original, its variants kind by kind, then fillers.

    A variant that could not be made is yielded with its status and reason. Where a prompt ends with
    fewer than ``variants_per_prompt`` valid variants (``identity`` not counted), further replicates
    of kinds that worked fill up, marked ``filler``; what is missing after that is recorded as one
    variant named ``shortfall``.

    Args:
        samples: Prompts under test.
        kinds: What to make of each.
        seed: The run's seed.
        variants_per_kind: Replicates of each kind.
        variants_per_prompt: How many valid variants each prompt should end with.
        gate: Decides which candidates count.
    """
    for start in range(0, len(samples), CHUNK):
        chunk = samples[start : start + CHUNK]
        texts = parse([sample.prompt for sample in chunk])
        find_danger(dict.fromkeys(texts))
        prompts = [
            _Prompt(sample, text, seed, {text.raw})
            for sample, text in zip(chunk, texts, strict=True)
        ]
        slots = [
            _Slot(prompt, kind, replicate)
            for prompt in prompts
            for kind in kinds
            for replicate in range(variants_per_kind)
        ]
        _resolve(slots, gate)
        _fill(prompts, kinds, variants_per_kind, variants_per_prompt, gate)
        for prompt in prompts:
            yield from prompt.records(gate, variants_per_prompt)


@dataclass(eq=False)
class _Prompt:
    sample: Sample
    text: Text
    seed: int
    taken: set[str]
    slots: list[_Slot] = field(default_factory=list)

    @property
    def valid(self) -> int:
        return sum(s.status == "valid" and s.kind.name != IDENTITY for s in self.slots)

    def records(self, gate: Gate, wanted: int) -> Iterator[Variant]:
        content = [m.model_dump() for m in self.sample.messages]
        yield Variant(
            sample_id=self.sample.id,
            perturbation=ORIGINAL,
            messages=self.sample.messages,
            made_from=digest([content]),
        )
        for slot in self.slots:
            yield slot.record(digest([content, slot.kind.fingerprint, gate.fingerprint, self.seed]))
        if self.valid < wanted:
            causes = dict.fromkeys(f"{s.kind.name} {s.status}" for s in self.slots if not s.ok)
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
class _Slot:
    """A variant to be made: tries candidates until one is accepted or the bound is reached."""

    prompt: _Prompt
    kind: Kind
    replicate: int
    filler: bool = False
    candidate: int = 0
    status: VariantStatus | Literal["open"] = "open"
    reason: str | None = None
    edits: tuple[Edit, ...] = ()
    raw: str = ""
    similarity: float | None = None
    proposed: list[Proposal | PluginError] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not self.filler:
            self.prompt.slots.append(self)

    @property
    def ok(self) -> bool:
        return self.status == "valid"

    @property
    def text(self) -> Text:
        """Return the prompt as this kind sees it: few may change a sentence of danger."""
        text = self.prompt.text
        return text.without_danger if self.kind.severity in self.kind.traits.danger else text

    def propose(self, gate: Gate) -> Passage | None:
        """Return the next candidate that passes the explicit checks, or None once settled without."""
        text = self.text
        if self.kind.traits.same_text:
            self.status, self.raw = "valid", text.raw
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
            if self.raw in self.prompt.taken:
                self.reason = "sibling: the same text as another variant of this prompt"
                continue
            self.prompt.taken.add(self.raw)
            return passage
        self.status = "unchanged" if (self.reason or "").startswith("unchanged") else "rejected"
        return None

    def reject(self, reason: str) -> None:
        """Drop the candidate, which fell short of the floor; the next one may pass."""
        self.reason = reason
        self.prompt.taken.discard(self.raw)

    def accept(self, similarity: float | None) -> None:
        """Settle on the current candidate."""
        self.status, self.similarity, self.reason = "valid", similarity, None

    def record(self, made_from: str) -> Variant:
        """Return the variant as it is stored."""
        assert self.status != "open"
        ok = self.ok
        return Variant(
            sample_id=self.prompt.sample.id,
            perturbation=self.kind.name,
            severity=self.kind.severity,
            replicate=self.replicate,
            messages=self.prompt.sample.with_prompt(self.raw) if ok else (),
            edits=self.edits if ok else (),
            status=self.status,
            reason=None if ok else self.reason,
            filler=self.filler,
            similarity=self.similarity,
            made_from=made_from,
        )

    def rng(self) -> random.Random:
        """Return the random stream of the next candidate."""
        return derived_rng(
            self.prompt.seed,
            self.prompt.sample.id,
            self.kind.name,
            self.kind.severity,
            self.replicate,
            self.candidate,
        )

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
        else:
            self.status = "rejected"


def _resolve(slots: Sequence[_Slot], gate: Gate) -> None:
    """Settle all slots, round by round, so that each round embeds one batch."""
    pending = list(slots)
    while pending:
        _propose_together(pending)
        proposed: list[tuple[_Slot, Passage]] = []
        for slot in pending:
            passage = slot.propose(gate)
            if passage is not None:
                proposed.append((slot, passage))
        verdicts = gate.judge([(p, s.kind.name, s.kind.traits.limits) for s, p in proposed])
        pending = []
        for (slot, _), verdict in zip(proposed, verdicts, strict=True):
            if verdict.reason is None:
                slot.accept(verdict.similarity)
            else:
                slot.reject(verdict.reason)
                pending.append(slot)


def _propose_together(slots: Sequence[_Slot]) -> None:
    """Ask each plug-in that takes ``many`` once for all its next candidates."""
    groups: dict[int, list[_Slot]] = {}
    for slot in slots:
        if isinstance(slot.kind.plugin, ProposesMany):
            groups.setdefault(id(slot.kind), []).append(slot)
    for group in groups.values():
        plugin = group[0].kind.plugin
        assert isinstance(plugin, ProposesMany)
        answers = plugin.many([(slot.text, slot.rng()) for slot in group])
        for slot, answer in zip(group, answers, strict=True):
            slot.proposed = [answer]


def _fill(
    prompts: Sequence[_Prompt], kinds: Sequence[Kind], made: int, wanted: int, gate: Gate
) -> None:
    """Add further replicates, in turn over the kinds that worked on a prompt, until it has enough."""
    queues = {id(prompt): _filling_kinds(prompt, kinds) for prompt in prompts}
    used: Counter[tuple[int, int]] = Counter()
    while True:
        slots: list[_Slot] = []
        for prompt in prompts:
            queue = queues[id(prompt)]
            for _ in range(min(wanted - prompt.valid, len(queue))):
                kind = queue.pop(0)
                key = (id(prompt), id(kind))
                slots.append(_Slot(prompt, kind, made + used[key], filler=True))
                used[key] += 1
        if not slots:
            return
        _resolve(slots, gate)
        for slot in slots:
            if slot.ok:
                slot.prompt.slots.append(slot)
                _requeue(queues[id(slot.prompt)], slot.kind)


def _filling_kinds(prompt: _Prompt, kinds: Sequence[Kind]) -> list[Kind]:
    worked = {id(s.kind) for s in prompt.slots if s.ok and s.kind.name != IDENTITY}
    return sorted(
        (kind for kind in kinds if id(kind) in worked), key=lambda kind: kind.traits.last_resort
    )


def _requeue(queue: list[Kind], kind: Kind) -> None:
    """Put a kind back at the end of its rank: the last resorts stay behind all others."""
    if kind.traits.last_resort:
        queue.append(kind)
        return
    at = next((i for i, k in enumerate(queue) if k.traits.last_resort), len(queue))
    queue.insert(at, kind)
