"""Fixtures of the judges' tests."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Protocol

import pytest

from harness.util.resources import configs_root


@pytest.fixture(scope="session")
def bundled_answers() -> list[tuple[str, str]]:
    """Pairs of different answers from the bundled sample sets."""
    answers = [
        json.loads(line)["response"]
        for path in sorted(configs_root().glob("data/*/*.jsonl"))
        if path.parent.name in ("counseling", "code")
        for line in path.read_text(encoding="utf-8").splitlines()
    ][:200]
    if len(answers) < 2:
        pytest.skip("the bundled sample sets are not there yet")
    return list(itertools.pairwise(answers))


class Serves(Protocol):
    """Runs a server's command on a free port of loopback and gives its address."""

    def __call__(
        self, command: Sequence[str], environment: Mapping[str, str] = ..., patience: float = ...
    ) -> AbstractContextManager[str]: ...


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Serves:
    """What starts a real server, waits until it listens, and stops it with its children."""

    @contextlib.contextmanager
    def started(
        command: Sequence[str], environment: Mapping[str, str] | None = None, patience: float = 240
    ) -> Iterator[str]:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        log = tmp_path_factory.mktemp("server") / "log.txt"
        with log.open("w") as output:
            server = subprocess.Popen(
                [*command, "--host", "127.0.0.1", "--port", str(port)],
                stdout=output,
                stderr=output,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + patience
            while time.monotonic() < deadline:
                assert server.poll() is None, log.read_text()[-3000:]
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                time.sleep(0.5)
            else:
                raise AssertionError(f"the server did not come up: {log.read_text()[-3000:]}")
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            os.killpg(server.pid, signal.SIGTERM)
            try:
                server.wait(20)
            except subprocess.TimeoutExpired:
                os.killpg(server.pid, signal.SIGKILL)
                server.wait()

    return started
