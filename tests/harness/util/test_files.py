"""Files are written whole or not at all, and faults of the file system are one line."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.util.files import file_error, make_folder, replacing, write_atomically, write_json


def test_a_failed_write_leaves_the_old_file_and_no_draft(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.json"
    write_atomically(target, "old\n")

    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StoreError, match=r"a\.json: cannot be written: no space left on the disk"):
        write_atomically(target, "new\n")
    assert target.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [target]


def test_an_error_within_the_block_leaves_the_old_file(tmp_path: Path) -> None:
    target = tmp_path / "a.bin"
    target.write_bytes(b"old")

    def fail() -> None:
        with replacing(target) as draft:
            draft.write_bytes(b"new")
            raise ValueError("half")

    with pytest.raises(ValueError, match="half"):
        fail()
    assert target.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [target]


def test_json_has_no_nan_and_line_breaks_are_the_same_everywhere(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"x": float("nan"), "y": [float("inf"), 1.5, "é"], 3: (1,)})
    content = (tmp_path / "a.json").read_bytes()
    assert json.loads(content) == {"x": None, "y": [None, 1.5, "é"], "3": [1]}
    assert content.endswith(b"}\n")
    assert b"\r" not in content


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match=r"file/below: cannot be made: Not a directory"):
        make_folder(tmp_path / "file" / "below")
    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")
    assert (tmp_path / "a" / "b").is_dir()


@pytest.mark.parametrize(
    ("code", "advice"),
    [(errno.EACCES, "choose another output folder"), (errno.EDQUOT, "quota"), (errno.EIO, "I/O")],
)
def test_advice_fits_the_fault(code: int, advice: str) -> None:
    error = file_error(Path("x"), "be written", OSError(code, os.strerror(code)))
    assert str(error).startswith("x: cannot be written: ")
    assert advice in str(error).replace("Input/output", "I/O")
