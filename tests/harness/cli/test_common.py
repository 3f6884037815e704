"""What subcommands share: no command writes over what it reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.cli.common import refuse_overwriting
from harness.errors import StoreError


def test_an_input_is_never_a_target(tmp_path: Path) -> None:
    source = tmp_path / "train.jsonl"
    source.write_text("{}\n")
    (tmp_path / "link.jsonl").symlink_to(source)
    (tmp_path / "hard.jsonl").hardlink_to(source)
    (tmp_path / "sub").mkdir()
    for name in ("train.jsonl", "link.jsonl", "hard.jsonl", "sub/../train.jsonl"):
        with pytest.raises(StoreError, match="is the input itself"):
            refuse_overwriting([tmp_path / "other", tmp_path / name], ["hub:a/b", str(source)])
    refuse_overwriting([tmp_path / "sub" / "train.jsonl"], ["hub:a/b", str(source)])
