"""A session closes what it opened, however its block ends, and keeps what a run was."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.errors import DataError
from harness.pipeline.session import Launch, Session, open_session
from harness.pipeline.store import Run
from tests.pipeline import Silent, make_suite, write_data


def launch(folder: Path, command: str = "") -> Launch:
    return Launch(Silent(), command=command, cache=folder / "cache.sqlite")


def fail_in(session: Session) -> None:
    with session.stage("samples"):
        raise DataError("bad data")


def test_lock_and_cache_are_let_go_when_the_block_fails(tmp_path: Path) -> None:
    suite = make_suite(write_data(tmp_path).parent)
    with (
        pytest.raises(DataError),
        open_session(tmp_path / "run", suite, launch(tmp_path)) as session,
    ):
        fail_in(session)
    session.cache.put({"key": "value"})
    assert session.cache.get(["key"]) == {}  # closed: nothing is written any more
    with Run(tmp_path / "run"):
        pass


def test_a_stage_that_failed_is_seen_as_interrupted_and_one_that_ended_is_not(
    tmp_path: Path,
) -> None:
    suite = make_suite(write_data(tmp_path).parent)
    with open_session(tmp_path / "run", suite, launch(tmp_path)) as session:
        with pytest.raises(DataError):
            fail_in(session)
        with session.stage("samples") as report:
            assert report.interrupted
        with session.stage("samples") as report:
            assert not report.interrupted


def test_a_later_session_keeps_the_command_and_date_of_the_run(tmp_path: Path) -> None:
    suite = make_suite(write_data(tmp_path).parent)
    with open_session(tmp_path / "run", suite, launch(tmp_path, "jostle run x")) as session:
        session.warn("first")
        session.finish()
        first = session.manifest
    with open_session(tmp_path / "run", suite, launch(tmp_path)) as session:
        again = session.manifest
    assert (again.command, again.created) == ("jostle run x", first.created)
    assert again.warnings == ("first",)
    assert (again.status, again.finished) == ("running", None)
