"""Decode many answers at once, refilling the batch as answers end.

Every sequence has a slot of a cache; a step writes one token of each. As answers end at very
different lengths, a batch that waits for its longest row leaves most of the machine idle; here the
free slots go to the next requests. What prompts have in common at the start is computed once: for
all of them (system text and template), and for the variants of one prompt (up to the first edit).

Answers are those of :func:`harness.models.decoding.decode` up to rounding; the smallest gap between
the two best tokens is reported in the same way.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from harness.models.attention import grouped
from harness.models.batching import BatchRow
from harness.models.decoding import DecodedAnswer, Decoder, cut_answer, holds_stop, stop_reach
from harness.models.token_choice import TokenChoice
from harness.records import GenerationSettings

_SHARED = 8  # Fewer equal tokens at the start are not worth a pass of their own.
_POSITIONS = 2_048  # Rows × tokens of one pass over prompts; more only leave a CPU's caches.


@dataclass(eq=False)
class _Answering:
    """One answer being written.

    Attributes:
        row: Its prompt.
        seed: Of its sampling.
        slot: Where its keys and values are.
        written: Ids of its tokens.
        gap: Smallest gap so far.
        broken: A score was not a number.
        ended: Number of tokens after which a stop string was there.
        seconds: Its share of the time of the passes it took part in.
    """

    row: BatchRow
    seed: int
    slot: int = -1
    written: list[int] = field(default_factory=list)
    gap: float = math.inf
    broken: bool = False
    ended: int | None = None
    seconds: float = 0.0

    @property
    def position(self) -> int:
        """Return the position of the last written token, which the cache does not have yet."""
        return len(self.row.ids) + len(self.written) - 1


class EndedAnswer(NamedTuple):
    """An answer that has ended, of which row, and its share of the time."""

    row: BatchRow
    answer: DecodedAnswer
    seconds: float


def decode_continuously(
    decoder: Decoder,
    rows: Sequence[BatchRow],
    settings: GenerationSettings,
    seeds: Sequence[int],
    limits: tuple[int, int],
) -> Iterator[EndedAnswer]:
    """Continue every row's prompt; yield each answer when it ends.

    Args:
        decoder: Model and what else decodes; without a grammar.
        rows: Prompts, each with at least one token.
        settings: How to decode; the same for all.
        seeds: One a row; without effect when greedy.
        limits: Most answers at once, and most positions of the cache (answers × longest).
    """
    seed_of = dict(zip((row.index for row in rows), seeds, strict=True))
    for group in length_classes(rows, limits):
        capacity = max(row.length for row in group)
        slots = max(1, min(limits[0], len(group), limits[1] // capacity))
        batch = _Batch(decoder, settings, slots, capacity)
        # Sorted, each row shares with the one before it as much as with any earlier one.
        waiting = [
            _Answering(row, seed_of[row.index]) for row in sorted(group, key=lambda row: row.ids)
        ]
        yield from batch.run(waiting)


def works(decoder: Decoder, ids: Sequence[int], logits: Any) -> bool:
    """Return whether a model decodes here as by itself, tried on a probe text.

    Models with other caches (sliding windows, recurrent layers) or attention of their own do not.

    Args:
        decoder: The model.
        ids: The probe text's tokens, at least two.
        logits: What the model gives for them by itself, shape (tokens, vocabulary).
    """
    import torch

    config = decoder.model.config.get_text_config().to_dict()
    layers = set(config.get("layer_types") or ()) - {"full_attention"}
    window = config.get("sliding_window") or math.inf
    if layers or window < config.get("max_position_embeddings", 0):
        return False
    row = _Answering(BatchRow(0, list(ids[:-1]), 2), seed=0)
    batch = _Batch(decoder, GenerationSettings(), 1, len(ids) + 1)
    tolerance = 1e-3 if logits.dtype == torch.float32 else 0.1
    try:
        with torch.inference_mode(), grouped(decoder.model):
            row.slot = 0
            first = batch.read([(0, row.row.ids, 0)])[0]
            row.written.append(ids[-1])
            second = batch.step_logits([row])[0]
    except (
        AttributeError,
        IndexError,
        KeyError,
        NotImplementedError,
        RuntimeError,
        TypeError,
        ValueError,
    ):
        return False
    pairs = zip((first, second), logits[-2:], strict=True)
    return all(
        bool((one.float() - other.float()).norm() <= tolerance * other.float().norm())
        for one, other in pairs
    )


def length_classes(rows: Sequence[BatchRow], limits: tuple[int, int]) -> list[list[BatchRow]]:
    """Group rows so that a group's longest is at most twice its shortest, unless it would be small.

    A slot is as long as the longest row of its group, and every step reads all slots to that length.
    """
    classes: list[list[BatchRow]] = []
    for row in sorted(rows, key=lambda row: (-row.length, row.index)):
        if classes:
            last = classes[-1]
            longest = last[0].length
            if 2 * row.length >= longest or len(last) < min(limits[0], limits[1] // longest):
                last.append(row)
                continue
        classes.append([row])
    return classes


class _Batch:
    """Slots of one length, and the answers in them: always the first ``len(active)`` slots."""

    def __init__(
        self, decoder: Decoder, settings: GenerationSettings, slots: int, capacity: int
    ) -> None:
        from harness.models.slot_cache import SlotCache

        self._decoder = decoder
        self._settings = settings
        self._slots = slots
        # One slot more holds what all prompts begin with.
        self._cache = SlotCache(slots + 1, capacity)
        self._choice = TokenChoice(settings, slots, decoder.watch)
        self._active: list[_Answering] = []
        self._common: list[int] = []
        self._clock = time.perf_counter()

    def run(self, waiting: list[_Answering]) -> Iterator[EndedAnswer]:
        """Answer all; yield each answer when it ends."""
        import torch

        # Refilling row by row would make passes over prompts too small to be worth while.
        least = max(1, self._slots // 8)
        waiting = waiting[::-1]
        with torch.inference_mode(), grouped(self._decoder.model):
            self._read_common([waiting[0].row.ids, waiting[-1].row.ids])
        while waiting or self._active:
            with torch.inference_mode(), grouped(self._decoder.model):
                free = self._slots - len(self._active)
                if waiting and (free >= least or not self._active):
                    new = [waiting.pop() for _ in range(min(free, len(waiting)))]
                    self._admit(new)
                else:
                    self._write(self.step_logits(self._active), self._active)
                ended = self._take_ended()
            for answering in ended:
                yield EndedAnswer(answering.row, self._answer(answering), answering.seconds)

    def _read_common(self, ends: Sequence[list[int]]) -> None:
        """Read what the first and last prompt in order, and so all, begin with."""
        shared = min(_equal_start(*ends), *(len(ids) - 1 for ids in ends))
        if shared >= _SHARED and self._slots > 1:
            self._common = ends[0][:shared]
            self.read([(self._slots, self._common, 0)])

    def _admit(self, new: Sequence[_Answering]) -> None:
        """Give slots to new answers, read their prompts, and write their first tokens."""
        leaders: list[tuple[_Answering, int]] = []
        followers: list[tuple[_Answering, _Answering, int]] = []
        for answering in new:
            answering.slot = len(self._active)
            self._active.append(answering)
            ids = answering.row.ids
            if leaders:
                leader = leaders[-1][0]
                shared = min(_equal_start(leader.row.ids, ids), len(ids) - 1)
                if shared >= len(self._common) + _SHARED:
                    followers.append((answering, leader, shared))
                    continue
            leaders.append((answering, min(len(self._common), len(ids) - 1)))
        for answering, shared in leaders:
            if shared:
                self._cache.copy(self._slots, answering.slot, shared)
        self._begin(leaders)
        for answering, leader, shared in followers:
            self._cache.copy(leader.slot, answering.slot, shared)
        self._begin([(answering, shared) for answering, _, shared in followers])

    def _begin(self, starts: Sequence[tuple[_Answering, int]]) -> None:
        """Read prompts from a position on, those of similar length together; write a first token."""
        order = sorted(starts, key=lambda start: start[1] - len(start[0].row.ids))
        while order:
            longest = len(order[0][0].row.ids) - order[0][1]
            part = order[: max(1, _POSITIONS // longest)]
            order = order[len(part) :]
            logits = self.read([(a.slot, a.row.ids, start) for a, start in part])
            for answering, _ in part:
                self._choice.admit(
                    answering.slot, answering.row.ids, answering.seed, logits.shape[-1]
                )
            self._write(logits, [answering for answering, _ in part])

    def read(self, parts: Sequence[tuple[int, list[int], int]]) -> Any:
        """Read tokens into the cache; return the logits after the last, (rows, vocabulary).

        Args:
            parts: Slot, tokens, and the position of the first that the cache does not have.
        """
        import torch

        width = max(len(ids) - start for _, ids, start in parts)
        device = self._decoder.device
        pad = self._decoder.tokenizer.pad_token_id or 0
        tokens = torch.tensor(
            [[pad] * (width - len(ids) + start) + ids[start:] for _, ids, start in parts]
        )
        last = torch.tensor([len(ids) - 1 for _, ids, _ in parts])
        first = torch.tensor([start for _, _, start in parts])
        positions = last[:, None] - torch.arange(width - 1, -1, -1)
        real = positions >= first[:, None]
        positions = torch.where(real, positions, 0)
        reach = int(last.max()) + 1
        mask = torch.arange(reach) <= positions[:, :, None]
        index = torch.where(real, positions, self._cache.scratch)
        self._cache.aim(
            torch.tensor([slot for slot, _, _ in parts]).to(device), index.to(device), reach
        )
        return self._forward(tokens, positions, mask)

    def step_logits(self, rows: Sequence[_Answering]) -> Any:
        """Read the last written token of rows in the first slots; return (rows, vocabulary) logits."""
        import torch

        tokens = torch.tensor([[answering.written[-1]] for answering in rows])
        positions = torch.tensor([[answering.position] for answering in rows])
        reach = int(positions.max()) + 1
        mask = torch.arange(reach) <= positions[:, :, None]
        self._cache.aim(len(rows), positions.to(self._decoder.device), reach)
        return self._forward(tokens, positions, mask)

    def _forward(self, tokens: Any, positions: Any, mask: Any) -> Any:
        """Run the model on (rows, tokens); return the last logits of every row."""
        device = self._decoder.device
        return self._decoder.model(
            input_ids=tokens.to(device),
            position_ids=positions.to(device),
            attention_mask=mask[:, None].to(device),
            past_key_values=self._cache,
            use_cache=True,
            logits_to_keep=1,
        ).logits[:, -1]

    def _write(self, logits: Any, rows: Sequence[_Answering]) -> None:
        """Write the next token of rows whose logits have the shape (rows, vocabulary)."""
        choice = self._choice.choose(logits, [answering.slot for answering in rows])
        now = time.perf_counter()
        share = (now - self._clock) / len(rows)
        self._clock = now
        for answering, token, gap, broken in zip(rows, *choice, strict=True):
            answering.written.append(token)
            answering.gap = min(answering.gap, gap)
            answering.broken |= broken
            answering.seconds += share
            stops = self._settings.stop
            if stops and holds_stop(
                self._decoder.tokenizer, answering.written[-stop_reach(stops) :], stops
            ):
                answering.ended = len(answering.written)

    def _take_ended(self) -> list[_Answering]:
        """Take out the answers that have ended; the last active ones move into their slots."""
        ended = [answering for answering in self._active if self._has_ended(answering)]
        for answering in ended:
            if answering.broken:
                self._cache.clear(answering.slot)
            last = self._active.pop()
            if last is not answering:
                self._cache.copy(last.slot, answering.slot, last.position)
                self._choice.move(last.slot, answering.slot)
                self._active[answering.slot] = last
                last.slot = answering.slot
        return ended

    def _has_ended(self, answering: _Answering) -> bool:
        return (
            answering.broken
            or answering.ended is not None
            or answering.written[-1] in self._decoder.stops
            or len(answering.written) >= self._settings.max_new_tokens
        )

    def _answer(self, answering: _Answering) -> DecodedAnswer:
        steps = [(answering.broken, answering.gap)] * len(answering.written)
        return cut_answer(self._decoder, answering.written, self._settings, answering.ended, steps)


def _equal_start(one: Sequence[int], other: Sequence[int]) -> int:
    """Return how many tokens two prompts begin with alike."""
    for count, (a, b) in enumerate(zip(one, other, strict=False)):
        if a != b:
            return count
    return min(len(one), len(other))
