"""Variants by several kinds in turn: every step goes through the gate, then the whole.

A plug-in is pure and cannot ask the gate, so a composition names its steps and the harness takes
them: a step works on the text that the step before was granted, must pass all that it would have to
pass alone, and must leave alone what an earlier step changed, with the words beside it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from harness.records import Edit
from harness.text.edits import find_edits
from harness.text.parse import Span, Text
from harness.variants.checks import Passage
from harness.variants.gate import Gate
from harness.variants.kinds import AppliesInTurn, Kind
from harness.variants.slots import CANDIDATES, Slot, SlotPart, UserTurn, settle

FEWEST_STEPS = 2
"""Steps that must change something: with one, the variant is one of that kind alone."""

NEIGHBOURS = 2
"""Words on either side of a change that belong to it."""

PHRASE = 4
"""Words in one edit from which the whole sentence counts as changed."""

_WORD = re.compile(r"\w+(?:['’]\w+)*")


def resolve(slots: Sequence[Slot], gate: Gate) -> None:
    """Settle all slots."""
    parts = [part for slot in slots for part in slot.parts]
    settle([p for p in parts if not isinstance(p.kind.plugin, AppliesInTurn)], gate)
    _settle_in_turn([p for p in parts if isinstance(p.kind.plugin, AppliesInTurn)], gate)


@dataclass(eq=False)
class Chain:
    """One candidate of a composed variant, as far as its steps have come."""

    part: SlotPart
    steps: Sequence[Kind]
    text: Text
    applied: int = 0
    reason: str | None = None

    def next_step(self, index: int) -> SlotPart:
        """Return the step as a variant of its own, to be settled on what stands now."""
        part = self.part
        stream = (*part.stream, *part.turn.stream, "step", index, part.candidate)
        return SlotPart(
            UserTurn(part.turn.index, self.text, company=part.turn.company),
            self.steps[index],
            part.seed,
            stream,
        )

    def take(self, step: SlotPart) -> None:
        """Go on from a step that was settled."""
        if step.status == "valid":
            self.text = step.turn.text.after(step.edits, _zones(step))
            self.applied += 1
        elif step.status != "inapplicable":
            self.reason = f"{step.kind.name} {step.reason}"

    def finish(self, gate: Gate) -> Passage | None:
        """Return what the whole changes, if it passes the explicit checks."""
        part = self.part
        part.candidate += 1
        if self.applied < FEWEST_STEPS:
            part.status = "rejected" if self.reason else "inapplicable"
            part.reason = self.reason or "fewer than two of the steps apply to this prompt"
            return None
        part.raw = self.text.raw
        part.edits = find_edits(part.turn.text.raw, part.raw)
        traits = part.kind.traits
        passage = gate.check(
            part.text, part.edits, severity=part.kind.severity, limits=traits.limits
        )
        if isinstance(passage, str):
            part.reason = passage
        elif part.raw in part.turn.taken:
            part.reason = "sibling: the same text as another variant of this prompt"
        else:
            part.turn.taken.add(part.raw)
            return passage
        return None


def _settle_in_turn(parts: Sequence[SlotPart], gate: Gate) -> None:
    pending = list(parts)
    while pending:
        chains = [_chain(part) for part in pending]
        for index in range(max(len(chain.steps) for chain in chains)):
            steps = [(c, c.next_step(index)) for c in chains if index < len(c.steps)]
            settle([step for _, step in steps], gate)
            for chain, step in steps:
                chain.take(step)
        wholes = [(c.part, passage) for c in chains if (passage := c.finish(gate)) is not None]
        verdicts = gate.judge([(w, p.kind.name, p.kind.traits.limits) for p, w in wholes])
        for (part, _), verdict in zip(wholes, verdicts, strict=True):
            if verdict.reason is None:
                part.accept(verdict)
            else:
                part.reject(verdict.reason)
        pending = [part for part in pending if part.status == "open"]
        for part in pending:
            if part.candidate >= CANDIDATES:
                part.status = "rejected"
        pending = [part for part in pending if part.status == "open"]


def _chain(part: SlotPart) -> Chain:
    plugin = part.kind.plugin
    assert isinstance(plugin, AppliesInTurn)
    return Chain(part, plugin.steps, part.turn.text)


def _zones(step: SlotPart) -> list[Span]:
    """Return what belongs to the changes of a step: the words beside them, or the whole sentence."""
    text, moves = step.text, step.kind.traits.limits.same_words
    return [_zone(text, edit, moves=moves) for edit in step.edits]


def _zone(text: Text, edit: Edit, *, moves: bool) -> Span:
    sentences = [s for s in text.sentences if s.start <= edit.end and edit.start <= s.end]
    longest = max(
        len(_WORD.findall(text.raw[edit.start : edit.end])), len(_WORD.findall(edit.text))
    )
    start, end = edit.start, edit.end
    if sentences and (moves or longest >= PHRASE):
        return Span(min(start, sentences[0].start), max(end, sentences[-1].end))
    before = [w.start() for w in _WORD.finditer(text.raw, 0, start)][-NEIGHBOURS:]
    after = [w.end() for w in _WORD.finditer(text.raw, end)][:NEIGHBOURS]
    return Span(min([start, *before]), max([end, *after]))
