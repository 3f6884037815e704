"""The records of a stage: torn lines, stale records, shards and full disks."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import StoreError
from harness.pipeline.stage_file import StageFile
from harness.records import Completion, Generation


def answer(number: int, text: str = "yes", made_from: str = "a") -> Generation:
    return Generation(
        sample_id=f"s{number}",
        perturbation="original",
        subject="base",
        completion=Completion(text=text, finish_reason="stop"),
        made_from=made_from,
    )


def stage(root: Path, shard_rows: int = 4) -> StageFile[Generation]:
    return StageFile(root, Generation, shard_rows=shard_rows)


def test_what_is_appended_is_read_back_in_order_over_shards(tmp_path: Path) -> None:
    file = stage(tmp_path)
    records = [answer(i) for i in range(11)]
    for record in records:
        file.append(record)
    file.close()
    assert [p.name for p in file.shards()] == [
        "generations.jsonl", "generations-00001.jsonl", "generations-00002.jsonl",
    ]  # fmt: skip
    assert stage(tmp_path).read() == records


@settings(max_examples=60, deadline=None)
@given(cut=st.integers(min_value=1, max_value=400), rows=st.integers(min_value=1, max_value=9))
def test_a_torn_end_loses_only_the_torn_record(
    tmp_path_factory: pytest.TempPathFactory, cut: int, rows: int
) -> None:
    root = tmp_path_factory.mktemp("torn")
    file = stage(root, shard_rows=100)
    records = [answer(i, text="é\u2028\n" * i) for i in range(rows)]
    file.append(*records)
    file.close()
    path = root / "generations.jsonl"
    data = path.read_bytes()
    path.write_bytes(data[: max(0, len(data) - cut)])
    whole = path.read_bytes().count(b"\n")
    file = stage(root, shard_rows=100)
    assert file.keep(lambda record: True) == records[:whole]
    file.append(*records[whole:])
    file.close()
    assert stage(root, shard_rows=100).read() == records
    assert path.read_bytes() == data


def test_stale_records_are_set_aside_and_never_read(tmp_path: Path) -> None:
    file = stage(tmp_path)
    file.append(*(answer(i, made_from="old" if i % 2 else "new") for i in range(10)))
    kept = file.keep(lambda record: record.made_from == "new")
    assert [record.sample_id for record in kept] == ["s0", "s2", "s4", "s6", "s8"]
    assert stage(tmp_path).read() == kept
    assert len((tmp_path / "stale" / "generations.jsonl").read_text().splitlines()) == 5


def test_the_last_record_of_a_key_wins(tmp_path: Path) -> None:
    file = stage(tmp_path)
    file.append(answer(1, "first"), answer(2), answer(1, "second"))
    file.close()
    assert [r.completion.text for r in stage(tmp_path).read()] == ["second", "yes"]


def test_a_damaged_line_in_the_middle_names_file_and_line(tmp_path: Path) -> None:
    file = stage(tmp_path, shard_rows=100)
    file.append(*(answer(i) for i in range(3)))
    file.close()
    path = tmp_path / "generations.jsonl"
    rows = path.read_text().splitlines()
    rows[1] = rows[1][:-5]
    path.write_text("\n".join(rows) + "\n")
    with pytest.raises(StoreError, match=r"generations\.jsonl:2: not a valid generation record"):
        stage(tmp_path, shard_rows=100).read()


def test_a_full_disk_is_one_clear_line_and_nothing_is_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = stage(tmp_path, shard_rows=100)
    file.append(answer(0))
    real_write = os.write

    def full(descriptor: int, data: bytes) -> int:
        if len(data) > 10:
            return real_write(descriptor, data[:10])
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(
        os, "write", lambda d, data: full(d, data) if len(data) > 20 else full(d, b"")
    )
    with pytest.raises(StoreError, match=r"generations\.jsonl: cannot be appended to: no space"):
        file.append(answer(1))
    monkeypatch.undo()
    file.close()
    again = stage(tmp_path, shard_rows=100)
    assert again.keep(lambda record: True) == [answer(0)]
