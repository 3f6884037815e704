"""Key-value cache with one slot a sequence, allocated once.

A growing cache is copied at every step, which took half of the time of a step in fp32. Here every
sequence has a slot of fixed capacity, so that one of its tokens is written in place, sequences of
different lengths stand side by side, and a slot is free for the next sequence as soon as its own
has ended.
"""

from __future__ import annotations

from typing import Any

from transformers.cache_utils import Cache


class SlotCache(Cache):
    """Keys and values of all layers, shape (slots, heads, capacity, head size) each.

    :meth:`aim` says where the next forward pass writes and what it reads. The last position of a
    slot is scratch: padding is written there, and nothing reads it.
    """

    def __init__(self, slots: int, capacity: int) -> None:
        """Allocate nothing yet: the first pass shows the layers' shapes.

        Args:
            slots: Number of sequences.
            capacity: Tokens of the longest sequence.
        """
        super().__init__(layers=[])
        self.slots = slots
        self.capacity = capacity + 1
        self._keys: list[Any] = []
        self._values: list[Any] = []
        self._rows: Any = None
        self._index: Any = None
        self._width = 0

    @property
    def scratch(self) -> int:
        """Return the position that padding is written to."""
        return self.capacity - 1

    def aim(self, rows: Any, index: Any, width: int) -> None:
        """Set the slots and positions of the next pass.

        Args:
            rows: Slots: a number n for the first n of them, or a tensor of shape (rows,).
            index: Positions to write to, shape (rows, tokens).
            width: Number of positions to read, from the first on.
        """
        self._rows, self._index, self._width = rows, index, width

    def update(
        self, key_states: Any, value_states: Any, layer_idx: int, *args: Any, **kwargs: Any
    ) -> tuple[Any, Any]:
        """Write (rows, heads, tokens, head size) of one layer; return what its rows may read."""
        if layer_idx == len(self._keys):
            for store, states in ((self._keys, key_states), (self._values, value_states)):
                heads, size = states.shape[1], states.shape[3]
                # Zeros: what is masked has no weight, but no weight times not-a-number is one.
                store.append(states.new_zeros((self.slots, heads, self.capacity, size)))
        return (
            self._write(self._keys[layer_idx], key_states),
            self._write(self._values[layer_idx], value_states),
        )

    def _write(self, store: Any, states: Any) -> Any:
        import torch

        states = states.transpose(1, 2)  # Tokens before heads: as indexing by two tensors gives it.
        if isinstance(self._rows, int):
            rows = torch.arange(self._rows, device=store.device)
            store[rows[:, None], :, self._index] = states
            return store[: self._rows, :, : self._width]
        store[self._rows[:, None], :, self._index] = states
        return store[self._rows, :, : self._width]

    def copy(self, source: int, target: int, length: int) -> None:
        """Copy the first ``length`` positions of one slot to another, in every layer."""
        for store in (*self._keys, *self._values):
            store[target, :, :length] = store[source, :, :length]

    def clear(self, slot: int) -> None:
        """Set a slot to zero: a sequence whose values were not numbers leaves none behind."""
        for store in (*self._keys, *self._values):
            store[slot].zero_()

    def get_seq_length(self, layer_idx: int = 0) -> int:
        """Return the positions that a pass reads, for models that ask."""
        return self._width

    def get_mask_sizes(self, query_length: int, layer_idx: int) -> tuple[int, int]:
        """Return the width of the mask and where it begins, for models that ask."""
        return self._width, 0

    def __len__(self) -> int:
        return len(self._keys)
