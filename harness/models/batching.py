"""Group rows of similar length into batches, within a budget of tokens and of memory."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

Result = TypeVar("Result")


@dataclass(frozen=True)
class BatchRow:
    """One sequence in a batch.

    Attributes:
        index: Position of the request in what the caller gave.
        ids: Tokens that are read.
        room: Tokens to be written, or positions whose scores are needed.
    """

    index: int
    ids: list[int]
    room: int

    @property
    def length(self) -> int:
        """Return the positions that this row takes."""
        return len(self.ids) + self.room


Batch = list[BatchRow]


def cost(batch: Sequence[BatchRow]) -> int:
    """Return the positions that a padded batch takes: rows × the longest of them."""
    return len(batch) * max(row.length for row in batch)


def plan(rows: Sequence[BatchRow], fits: Callable[[Sequence[BatchRow]], bool]) -> list[Batch]:
    """Cut rows into batches of similar length, longest first.

    Longest first because a batch that does not fit into memory then shows at once, and because the
    time left is estimated from the slow ones. ``fits`` says whether rows may share a batch; one
    row alone always may.
    """
    batches: list[Batch] = []
    for row in sorted(rows, key=lambda row: (-row.length, row.index)):
        if batches and fits([*batches[-1], row]):
            batches[-1].append(row)
        else:
            batches.append([row])
    return batches


def _halve(batch: Batch) -> list[Batch]:
    middle = (len(batch) + 1) // 2
    return [batch[:middle], batch[middle:]]


def process(
    batches: Sequence[Batch], work: Callable[[Batch], Sequence[Result]]
) -> Iterator[tuple[Batch, Sequence[Result] | None]]:
    """Process batches in order; one that does not fit into memory is halved and tried again.

    After a batch was too large, waiting ones of more than half its size are halved beforehand.

    Yields:
        Each batch with its results, or with None where one row alone does not fit.
    """
    waiting = deque(batches)
    while waiting:
        batch = waiting.popleft()
        results: Sequence[Result] | None = None
        try:
            results = work(batch)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        if results is None:
            # Out here the exception is gone, and with it the frames that held the tensors.
            release_memory()
            if len(batch) > 1:
                limit = cost(batch) // 2
                waiting = deque(
                    part
                    for big in [*_halve(batch), *waiting]
                    for part in (_halve(big) if len(big) > 1 and cost(big) > limit else [big])
                )
                continue
        yield batch, results


def is_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception says that memory ran out, on the GPU or on the CPU."""
    import torch

    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    text = str(error).lower()
    return any(
        sign in text
        for sign in ("out of memory", "can't allocate memory", "not enough memory", "alloc_failed")
    )


def release_memory() -> None:
    """Free memory that nothing refers to any more."""
    import gc

    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
