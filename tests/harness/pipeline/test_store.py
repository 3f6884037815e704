"""The run folder: manifest, lock, and folders that cannot be used."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from harness.errors import StoreError
from harness.pipeline.store import Run
from harness.records import Manifest, Message, Sample


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_read_only_folder_is_one_clear_line(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(StoreError, match="choose another folder"):
            Run.create(tmp_path / "run")
    finally:
        tmp_path.chmod(0o700)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot be made"):
        Run.create(tmp_path / "file" / "run")


def test_two_writers_are_refused(tmp_path: Path) -> None:
    with Run.create(tmp_path), pytest.raises(StoreError, match="another process"), Run(tmp_path):
        pass


def test_manifest_round_trip_and_schema_check(tmp_path: Path) -> None:
    run = Run.create(tmp_path)
    manifest = Manifest(name="x", created="now")
    run.write_manifest(manifest)
    assert Run.open(tmp_path).manifest() == manifest
    text = (tmp_path / "manifest.json").read_text()
    (tmp_path / "manifest.json").write_text(
        text.replace('"schema_version": 1', '"schema_version": 99')
    )
    with pytest.raises(StoreError, match="schema version 99"):
        Run.open(tmp_path)


def test_open_refuses_a_folder_without_a_run(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="no run there"):
        Run.open(tmp_path)


def test_unchanged_files_are_not_rewritten(tmp_path: Path) -> None:
    run = Run.create(tmp_path)
    file = run.file(Sample)
    file.append(Sample(id="a", messages=(Message(role="user", content="x"),)))
    file.close()
    before = (tmp_path / "samples.jsonl").stat().st_mtime_ns
    file.keep(lambda sample: True)
    assert (tmp_path / "samples.jsonl").stat().st_mtime_ns == before
