"""Expansion of samples into variants: seeding, the gate, further candidates, fillers.

Plug-ins propose; everything else is here. Prompts go through in chunks, so that each is parsed once
for all kinds and passages are embedded in batches, but nothing about one prompt depends on another:
the variants are the same whatever the chunk, order or resume.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from harness.records import IDENTITY, Sample, Turns, Variant
from harness.text.parse import find_danger, parse
from harness.variants.composition import resolve
from harness.variants.gate import Gate
from harness.variants.kinds import Kind, make_kind
from harness.variants.slots import CANDIDATES, SHORTFALL, PromptInWork, Slot, UserTurn

__all__ = ["CANDIDATES", "SHORTFALL", "Expansion", "Kind", "expand", "make_kind", "prepare"]

CHUNK = 64


@dataclass(frozen=True)
class Expansion:
    """Settings of an expansion.

    Attributes:
        seed: The run's seed.
        variants_per_kind: Replicates of each kind.
        variants_per_prompt: How many valid variants each prompt should end with.
        turns: Perturb the last user turn of a conversation, or all of them. The last turn is
            perturbed in the same way in both.
    """

    seed: int
    variants_per_kind: int = 1
    variants_per_prompt: int = 5
    turns: Turns = "last"

    def variants(
        self, samples: Sequence[Sample], kinds: Sequence[Kind], gate: Gate
    ) -> Iterator[Variant]:
        """Yield every sample's variants, see :func:`expand`."""
        for start in range(0, len(samples), CHUNK):
            prompts = prepare(samples[start : start + CHUNK], self.seed, self.turns)
            slots = [
                Slot(prompt, kind, replicate)
                for prompt in prompts
                for kind in kinds
                for replicate in range(self.variants_per_kind)
            ]
            resolve(slots, gate)
            _fill(prompts, kinds, self, gate)
            for prompt in prompts:
                yield from prompt.records(gate, self.variants_per_prompt)


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
    settings = Expansion(seed, variants_per_kind, variants_per_prompt)
    return settings.variants(samples, kinds, gate)


def prepare(samples: Sequence[Sample], seed: int, turns: Turns) -> list[PromptInWork]:
    """Parse the turns of all samples that may change, in one pass."""
    # Turns that do not change are looked into, too: a prompt is in danger if any of its turns is.
    parsed = parse([sample.messages[i].content for sample in samples for i in sample.user_turns])
    find_danger(parsed)
    texts = iter(parsed)
    prompts = []
    for sample in samples:
        by_turn = {i: next(texts) for i in sample.user_turns}
        guarded = any(text.danger for text in by_turn.values())
        places = sample.user_turns if turns == "all" else sample.user_turns[-1:]
        chosen = [
            # The last turn's random stream is the same whatever stands before it.
            UserTurn(
                i,
                by_turn[i].guarded_view if guarded and not by_turn[i].danger else by_turn[i],
                stream=() if i == len(sample.messages) - 1 else ("turn", i),
                company=len(places) > 1,
            )
            for i in places
        ]
        prompts.append(PromptInWork(sample, chosen, seed))
    return prompts


def _fill(
    prompts: Sequence[PromptInWork], kinds: Sequence[Kind], settings: Expansion, gate: Gate
) -> None:
    """Add further replicates, in turn over the kinds that worked on a prompt, until it has enough."""
    queues = {id(prompt): _filling_kinds(prompt, kinds) for prompt in prompts}
    used: Counter[tuple[int, int]] = Counter()
    made = settings.variants_per_kind
    while True:
        slots: list[Slot] = []
        for prompt in prompts:
            queue = queues[id(prompt)]
            for _ in range(min(settings.variants_per_prompt - prompt.valid, len(queue))):
                kind = queue.pop(0)
                key = (id(prompt), id(kind))
                slots.append(Slot(prompt, kind, made + used[key], filler=True))
                used[key] += 1
        if not slots:
            return
        resolve(slots, gate)
        for slot in slots:
            if slot.ok:
                slot.prompt.slots.append(slot)
                _requeue(queues[id(slot.prompt)], slot.kind)


def _filling_kinds(prompt: PromptInWork, kinds: Sequence[Kind]) -> list[Kind]:
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
