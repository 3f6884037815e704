"""A real server: `transformers serve` with the embedded model on loopback, through the openai client.

It ignores ``response_format``, so the parsing path is the one that it proves. It is a poor judge;
the plumbing is real.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from harness.records import JudgeItem, Message
from harness.transport import ChatCall, EndpointSettings, Transport
from judges.rubric import Rubric

pytestmark = [pytest.mark.slow, pytest.mark.model, pytest.mark.timeout(600)]


@pytest.fixture(scope="module")
def endpoint(
    embedded_checkpoint: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[str, str]]:
    """Address and model name of a running server; it is stopped with its children."""
    pytest.importorskip("fastapi")
    pytest.importorskip("uvicorn")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("serve") / "log.txt"
    command = [
        str(Path(sys.executable).with_name("transformers")), "serve", str(embedded_checkpoint),
        "--device", "cpu", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("w") as output:
        server = subprocess.Popen(
            command, stdout=output, stderr=output, env=environment, start_new_session=True
        )
    try:
        deadline = time.monotonic() + 240
        while time.monotonic() < deadline:
            assert server.poll() is None, log.read_text()[-3000:]
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.5)
        else:
            raise AssertionError(f"the server did not come up: {log.read_text()[-3000:]}")
        yield f"http://127.0.0.1:{port}/v1", str(embedded_checkpoint)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        try:
            server.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def test_the_client_gets_answers(endpoint: tuple[str, str]) -> None:
    base_url, model = endpoint
    settings = EndpointSettings(model=model, base_url=base_url, concurrency=2, timeout_s=240)
    calls = [
        ChatCall(messages=(Message(role="user", content=text),), max_tokens=16)
        for text in ("What is the capital of France?", "Say hello.", "Count to three.")
    ]
    results = dict(Transport(settings).chat(calls))
    assert sorted(results) == [0, 1, 2]
    for result in results.values():
        assert result.error is None, result.error
        assert (result.text or "").strip()
    assert "Paris" in (results[0].text or "")


def test_every_judgement_has_an_outcome(endpoint: tuple[str, str]) -> None:
    base_url, model = endpoint
    judge = Rubric(
        "counseling", model=model, base_url=base_url, revision="local", concurrency=2,
        timeout_s=240, max_tokens=120, dimensions=["empathy"],
    )  # fmt: skip
    items = [
        JudgeItem(question="I cannot sleep since my dog died.", answer=answer)
        for answer in ("I am so sorry. Losing him hurts.", "Buy a cat.", "")
    ]
    got = list(judge.grade(items))
    assert sorted(j.item for j in got) == [0, 1, 2]
    for judgement in got:
        assert judgement.status in ("scored", "unparsed", "refused"), judgement
        assert (judgement.value is not None) == (judgement.status == "scored")
        assert judgement.raw
