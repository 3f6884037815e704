"""The cross-run cache: content keys, several processes, and a folder that cannot be written."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from harness.pipeline.cache import Cache


def test_what_is_put_is_found_and_the_first_value_stays(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    cache.put({"a": "1", "b": "2"})
    cache.put({"a": "other"})
    cache.close()
    assert Cache(tmp_path / "c.sqlite").get(["a", "b", "absent"]) == {"a": "1", "b": "2"}


def test_more_keys_than_sqlite_takes_at_once(tmp_path: Path) -> None:
    cache = Cache(tmp_path / "c.sqlite")
    entries = {str(i): str(i * i) for i in range(1203)}
    cache.put(entries)
    assert cache.get(entries) == entries


def test_two_processes_write_at_once(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from harness.pipeline.cache import Cache\n"
        "c = Cache(Path(sys.argv[1]))\n"
        "for i in range(100): c.put({f'{sys.argv[2]}-{i}': 'x'})\n"
    )
    path = tmp_path / "c.sqlite"
    workers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(path), name])
        for name in "ab"
    ]
    assert [worker.wait(60) for worker in workers] == [0, 0]
    keys = [f"{name}-{i}" for name in "ab" for i in range(100)]
    assert len(Cache(path).get(keys)) == 200


def test_many_processes_make_the_file_at_once(tmp_path: Path) -> None:
    code = (
        "import sys, time; from pathlib import Path; from harness.pipeline.cache import Cache\n"
        "for i in range(50):\n"
        "    begin = float(sys.argv[2]) + i * 0.03\n"
        "    while time.time() < begin: pass\n"
        "    Cache(Path(sys.argv[1]) / str(i)).close()\n"
    )
    begin = str(time.time() + 1.5)
    workers = [
        subprocess.Popen([sys.executable, "-W", "error", "-c", code, str(tmp_path), begin])
        for _ in range(4)
    ]
    assert [worker.wait(60) for worker in workers] == [0] * 4


def test_a_cache_that_cannot_be_opened_warns_once_and_stays_empty(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.warns(UserWarning, match="going on without it"):
        cache = Cache(tmp_path / "file" / "c.sqlite")
    cache.put({"a": "1"})
    assert cache.get(["a"]) == {}


def test_a_damaged_cache_warns_and_the_work_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "c.sqlite"
    path.write_bytes(b"not a database, not at all" * 100)
    with pytest.warns(UserWarning, match="going on without it"):
        assert Cache(path).get(["a"]) == {}
