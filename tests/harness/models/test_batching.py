import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.models import batching
from harness.models.batching import Batch, BatchRow, cost, plan, process

lengths = st.lists(st.tuples(st.integers(1, 50), st.integers(1, 20)), min_size=1, max_size=60)


def rows_of(sizes: list[tuple[int, int]]) -> list[BatchRow]:
    return [BatchRow(i, [0] * n, room) for i, (n, room) in enumerate(sizes)]


@given(lengths, st.integers(1, 300), st.integers(1, 9))
def test_plan(sizes: list[tuple[int, int]], budget: int, most: int) -> None:
    rows = rows_of(sizes)
    batches = plan(rows, lambda batch: len(batch) <= most and cost(batch) <= budget)
    assert sorted(row.index for batch in batches for row in batch) == list(range(len(rows)))
    assert all(len(batch) == 1 or cost(batch) <= budget for batch in batches)
    assert all(len(batch) <= most for batch in batches)
    flat = [row.length for batch in batches for row in batch]
    assert flat == sorted(flat, reverse=True)


@settings(deadline=None)  # The first failure imports torch.
@given(lengths, st.integers(1, 400))
def test_it_halves_until_it_fits(sizes: list[tuple[int, int]], memory: int) -> None:
    """Every row is answered once, by a batch that fits; what never fits alone comes with None."""
    rows = rows_of(sizes)
    done: dict[int, bool] = {}

    def work(batch: Batch) -> list[int]:
        if cost(batch) > memory:
            raise RuntimeError("CUDA error: out of memory")
        return [row.index for row in batch]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(batching, "release_memory", lambda: None)  # A garbage collection each time.
        for batch, answers in process(plan(rows, lambda _: True), work):
            for i, row in enumerate(batch):
                assert row.index not in done
                assert answers is None or answers[i] == row.index
                done[row.index] = answers is not None
    assert done == {row.index: row.length <= memory for row in rows}


def test_a_batch_that_failed_makes_the_waiting_ones_smaller() -> None:
    tried: list[int] = []

    def work(batch: Batch) -> list[int]:
        tried.append(len(batch))
        if len(batch) > 4:
            raise MemoryError
        return [0] * len(batch)

    batches = [rows_of([(1, 1)] * 8) for _ in range(5)]
    assert len(list(process(batches, work))) == 10
    assert tried == [8] + [4] * 10


def test_other_errors_pass() -> None:
    def work(batch: Batch) -> list[int]:
        raise RuntimeError("size mismatch")

    with pytest.raises(RuntimeError, match="size mismatch"):
        list(process([rows_of([(1, 1)])], work))
